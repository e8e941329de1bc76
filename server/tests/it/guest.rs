//! Guests who book, pay and sometimes cancel, whatever happens to the servers, and remember what they were told.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use yeyak::proto::booking::v1::booking::State;
use yeyak::proto::booking::v1::{Booking, CreateBookingRequest, GetBookingRequest, ListBookingsRequest};
use yeyak::proto::payment::v1::{ConfirmPaymentRequest, ListPaymentsRequest, PreparePaymentRequest, payment, refund};
use yeyak::{Client, Error};

use crate::dice::Dice;
use crate::harness::PASSWORD;
use crate::place::{Place, cancel, take};

/// A leader that was killed is followed after 10 seconds; the provider is asked about a payment under way after 30.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);

/// What a client was told, and may rely on.
#[derive(Clone, Debug)]
struct Told {
    id: String,
    request: CreateBookingRequest,
    confirmed: bool,
    wants_to_cancel: bool,
    cancelled: bool,
}

/// Somebody who books, pays and sometimes cancels, until told to stop.
struct Guest {
    client: Client,
    browser: reqwest::Client,
    place: Arc<Place>,
    dice: Mutex<Dice>,
    number: u64,
    told: Mutex<Vec<Told>>,
    failures: Mutex<Vec<String>>,
}

static REQUESTS: AtomicU64 = AtomicU64::new(1);

impl Guest {
    async fn keep_booking(self: Arc<Self>, stop: Arc<AtomicBool>) {
        while !stop.load(Ordering::Relaxed) {
            // A server that is dead answers nothing: what was not told counts for nothing.
            if let Err(error) = self.book().await {
                self.failures.lock().expect("no panic").push(error.to_string());
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        }
    }

    fn throw(&self, end: u64) -> u64 {
        self.dice.lock().expect("no panic").below(end)
    }

    fn note(&self, id: &str, what: impl FnOnce(&mut Told)) {
        let mut told = self.told.lock().expect("no panic");
        what(told.iter_mut().find(|told| told.id == id).expect("it was told"));
    }

    async fn book(&self) -> Result<(), Error> {
        let check_in = self.place.arrival + chrono::Days::new(self.throw(40));
        let stay = (check_in, check_in + chrono::Days::new(1 + self.throw(3)));
        let quote = self.place.quote(&self.client, stay).await?;
        let number = REQUESTS.fetch_add(1, Ordering::Relaxed);
        let request_id = format!("0195d7a0-0000-7000-8{:03x}-{number:012x}", self.number);
        let request = CreateBookingRequest { request_id, ..take(quote) };
        let booking = self.create(request.clone()).await?;
        self.pay(&booking).await?;
        if self.throw(3) == 0 {
            self.note(&booking.id, |told| told.wants_to_cancel = true);
            let cancelled = cancel(&self.client, &booking).await?;
            self.note(&booking.id, |told| told.cancelled = cancelled.state() == State::Cancelled);
        }
        Ok(())
    }

    /// Asks again under the same request_id when no answer comes, as a client does that wants one booking.
    async fn create(&self, request: CreateBookingRequest) -> Result<Booking, Error> {
        let mut tries = 0;
        let booking = loop {
            match self.client.bookings().create_booking(request.clone()).await {
                Err(error) if error.is_retryable() && tries < 40 => tries += 1,
                answer => break answer?,
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let told = Told { id: booking.id.clone(), request, confirmed: false, wants_to_cancel: false, cancelled: false };
        self.told.lock().expect("no panic").push(told);
        Ok(booking)
    }

    async fn pay(&self, booking: &Booking) -> Result<(), Error> {
        let request = PreparePaymentRequest { booking_id: booking.id.clone(), ..Default::default() };
        let attempt = self.client.payments().prepare_payment(request).await?;
        let Some(provider_key) = crate::place::press(&self.browser, &attempt.checkout_url, "pay").await else {
            return Ok(());
        };
        let request = ConfirmPaymentRequest { id: attempt.id, provider_key, ..Default::default() };
        let paid = self.client.payments().confirm_payment(request).await?;
        if paid.state() == payment::State::Captured {
            self.note(&booking.id, |told| told.confirmed = true);
        }
        Ok(())
    }

    fn told(&self) -> Vec<Told> {
        self.told.lock().expect("no panic").clone()
    }

    /// Every booking of this guest, told or not.
    async fn bookings(&self) -> Vec<Booking> {
        let (mut all, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListBookingsRequest { page_size: 100, page_token };
            let page = self.client.bookings().list_bookings(request).await.expect("lists");
            all.extend(page.bookings);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return all;
            }
        }
    }

    /// How many bookings wait for the provider's word, and cancelled ones for their refund.
    async fn unsettled(&self) -> usize {
        let mut unsettled = 0;
        for booking in self.bookings().await {
            match booking.state() {
                State::Paying | State::Reconciling => unsettled += 1,
                State::Cancelled => {
                    let request = ListPaymentsRequest { booking_id: booking.id, ..Default::default() };
                    let payments = self.client.payments().list_payments(request).await.expect("lists").payments;
                    let mut refunds = payments.iter().flat_map(|payment| &payment.refunds);
                    unsettled += usize::from(refunds.any(|refund| refund.state() != refund::State::Done));
                }
                _ => {}
            }
        }
        unsettled
    }

    /// What was told is true.
    async fn was_told_the_truth(&self) {
        for told in self.told() {
            let request = GetBookingRequest { id: told.id.clone() };
            let booking = self.client.bookings().get_booking(request).await;
            let booking = booking.unwrap_or_else(|error| panic!("{told:?} is gone: {error}"));
            let state = booking.state();
            let kept = match (told.cancelled, told.wants_to_cancel, told.confirmed) {
                (true, ..) => state == State::Cancelled,
                (_, true, true) => matches!(state, State::Confirmed | State::Cancelled),
                (_, true, _) => matches!(state, State::Held | State::Confirmed | State::Cancelled),
                (_, _, true) => state == State::Confirmed,
                _ => matches!(state, State::Held | State::Confirmed),
            };
            let Told { confirmed, cancelled, wants_to_cancel, .. } = told;
            let said = format!("confirmed {confirmed}, cancelled {cancelled}, to be cancelled {wants_to_cancel}");
            assert!(kept, "{} is {state:?}: {said}", told.id);
            let again = self.client.bookings().create_booking(told.request.clone()).await.expect("replays");
            assert_eq!(again.id, told.id, "the same request, the same booking");
        }
    }
}

/// A load of bookings.
pub(crate) struct Load {
    guests: Vec<Arc<Guest>>,
    stop: Arc<AtomicBool>,
    booking: Vec<JoinHandle<()>>,
}

impl Load {
    /// Signs a guest up on each client, and has them book until the load is stopped.
    pub(crate) async fn start(clients: Vec<Client>, place: &Arc<Place>, dice: &mut Dice) -> Self {
        let mut guests = Vec::new();
        for (number, client) in (0..).zip(clients) {
            client.sign_up(&format!("guest{number}@example.kr"), PASSWORD, "민아").await.expect("signs up");
            let (browser, place, told) = (crate::place::browser(), place.clone(), Mutex::default());
            let dice = Mutex::new(dice.split());
            let failures = Mutex::default();
            guests.push(Arc::new(Guest { client, browser, place, dice, number, told, failures }));
        }
        let stop = Arc::new(AtomicBool::new(false));
        let keep_booking = |guest: &Arc<Guest>| tokio::spawn(guest.clone().keep_booking(stop.clone()));
        let booking = guests.iter().map(keep_booking).collect();
        Self { guests, stop, booking }
    }

    /// How many bookings were confirmed so far.
    pub(crate) fn confirmed(&self) -> usize {
        self.guests.iter().map(|guest| guest.told().iter().filter(|told| told.confirmed).count()).sum()
    }

    /// Waits until so many more bookings are confirmed than now; how long that took.
    pub(crate) async fn goes_on(&self, more: usize, within: Duration) -> Duration {
        let (began, goal) = (Instant::now(), self.confirmed() + more);
        while self.confirmed() < goal {
            assert!(began.elapsed() < within, "no {more} bookings in {within:?}: {:?}", self.failures().last());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        began.elapsed()
    }

    /// The calls that failed, each as it was told.
    pub(crate) fn failures(&self) -> Vec<String> {
        self.guests.iter().flat_map(|guest| guest.failures.lock().expect("no panic").clone()).collect()
    }

    /// Ends the load, and waits until every payment and refund is settled; then all that was told must be true.
    pub(crate) async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for guest in self.booking {
            guest.await.expect("no panic");
        }
        let began = Instant::now();
        loop {
            let mut unsettled = 0;
            for guest in &self.guests {
                unsettled += guest.unsettled().await;
            }
            if unsettled == 0 {
                break;
            }
            assert!(began.elapsed() < SETTLED_WITHIN, "{unsettled} bookings were not settled");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let told: Vec<_> = self.guests.iter().flat_map(|guest| guest.told()).collect();
        let count = |is: fn(&Told) -> bool| told.iter().filter(|told| is(told)).count();
        println!(
            "load: {} told, {} of them confirmed, {} cancelled; settled in {:?}",
            told.len(),
            count(|told| told.confirmed),
            count(|told| told.cancelled),
            began.elapsed()
        );
        assert!(count(|told| told.confirmed) >= 5, "the load was too small to tell anything");
        let ids: HashSet<_> = told.iter().map(|told| &told.id).collect();
        assert_eq!(ids.len(), told.len(), "each request made a booking of its own");
        for guest in &self.guests {
            guest.was_told_the_truth().await;
        }
    }
}
