//! A server that is killed while it works keeps every promise that it made.

use std::collections::HashSet;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};
use yeyak::proto::booking::v1::booking::State;
use yeyak::proto::booking::v1::{Booking, CreateBookingRequest, GetBookingRequest, ListBookingsRequest};
use yeyak::proto::payment::v1::{ConfirmPaymentRequest, ListPaymentsRequest, PreparePaymentRequest, payment, refund};
use yeyak::{Client, Error, Options};
use yeyak_server::serve::World;

use crate::dice::Dice;
use crate::harness::{PASSWORD, Yeyak};
use crate::place::{Place, Plan, cancel, take};

const CLIENTS: u64 = 4;
const KILLS: u32 = 5;
/// A leader that was killed is followed after 10 seconds; the provider is asked about a payment under way after 30.
const SETTLED_WITHIN: Duration = Duration::from_secs(45);

/// What a client was told, and may rely on.
#[derive(Clone, Debug)]
struct Told {
    id: String,
    request: CreateBookingRequest,
    confirmed: bool,
    wants_to_cancel: bool,
    cancelled: bool,
}

/// The command `yeyak serve` over a folder, on ports that stay the same.
struct Server {
    ports: [u16; 2],
    folder: tempfile::TempDir,
    child: Child,
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("listens");
    listener.local_addr().expect("an address").port()
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_yeyak"));
    command
        .current_dir(folder)
        .env_clear()
        .env("YEYAK_PASSWORD__MEMORY_KIB", "8")
        .env("YEYAK_METRICS", "")
        .env("YEYAK_LOG__FILTER", "error")
        .env("YEYAK_LIMIT__MEMBER_CALLS_PER_SECOND", "1000000")
        .env("YEYAK_LIMIT__MEMBER_BURST", "1000000")
        .env("YEYAK_LIMIT__ADDRESS_CALLS_PER_SECOND", "1000000")
        .env("YEYAK_LIMIT__ADDRESS_BURST", "1000000")
        .env("YEYAK_BOOKING__HOLDS_PER_MEMBER", "100000")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

impl Server {
    async fn start(folder: tempfile::TempDir) -> Self {
        let ports = [free_port(), free_port()];
        let child = Self::spawn(folder.path(), ports).await;
        Self { ports, folder, child }
    }

    async fn spawn(folder: &Path, ports: [u16; 2]) -> Child {
        let [grpc, http] = ports.map(|port| format!("127.0.0.1:{port}"));
        let mut serve = command(folder);
        serve.arg("serve").arg("--data").arg(folder).args(["--listen", &grpc, "--http", &http]);
        let mut child = serve.stdout(Stdio::null()).spawn().expect("starts");
        let began = Instant::now();
        while tokio::net::TcpStream::connect(&grpc).await.is_err() {
            assert!(child.try_wait().expect("asks").is_none(), "the server ended by itself");
            assert!(began.elapsed() < Duration::from_secs(20), "the server does not listen");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        child
    }

    /// `kill -9`, and another server over what is left.
    async fn kill_and_restart(&mut self) {
        self.child.kill().await.expect("kills");
        self.child = Self::spawn(self.folder.path(), self.ports).await;
    }

    async fn connect(&self) -> Client {
        let url = format!("http://127.0.0.1:{}", self.ports[0]);
        let options = Options::default().attempts(1).deadline(Duration::from_secs(3));
        Client::connect_with(&url, options).await.expect("connects")
    }
}

/// Somebody who books, pays and sometimes cancels, until told to stop.
struct Guest {
    client: Client,
    browser: reqwest::Client,
    place: Arc<Place>,
    dice: Mutex<Dice>,
    number: u64,
    told: Mutex<Vec<Told>>,
}

static REQUESTS: AtomicU64 = AtomicU64::new(1);

impl Guest {
    async fn keep_booking(self: Arc<Self>, stop: Arc<AtomicBool>) {
        while !stop.load(Ordering::Relaxed) {
            // A server that is dead answers nothing: what was not told counts for nothing.
            if self.book().await.is_err() {
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

/// A folder with a place to book in it, which nobody uses.
async fn catalogue() -> (tempfile::TempDir, Arc<Place>) {
    let now = World::default().clock.now();
    let yeyak = Yeyak::at(now).await;
    let arrival = now.date_naive() + chrono::Days::new(31);
    let place = yeyak.place(Plan { rooms: 30, arrival, ..Plan::default() }).await;
    let Yeyak { platform, folder, .. } = yeyak;
    drop(platform);
    (folder, Arc::new(place))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_again_and_again_keeps_what_it_said() {
    let mut dice = Dice::of("kill");
    let (folder, place) = catalogue().await;
    let mut server = Server::start(folder).await;
    let mut guests = Vec::new();
    for number in 0..CLIENTS {
        let client = server.connect().await;
        client.sign_up(&format!("guest{number}@example.kr"), PASSWORD, "민아").await.expect("signs up");
        let dice = Mutex::new(dice.split());
        let (browser, place, told) = (crate::place::browser(), place.clone(), Mutex::default());
        guests.push(Arc::new(Guest { client, browser, place, dice, number, told }));
    }

    let stop = Arc::new(AtomicBool::new(false));
    let booking: Vec<_> = guests.iter().map(|guest| tokio::spawn(guest.clone().keep_booking(stop.clone()))).collect();
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(400 + dice.below(1200))).await;
        server.kill_and_restart().await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    stop.store(true, Ordering::Relaxed);
    for guest in booking {
        guest.await.expect("no panic");
    }

    let began = Instant::now();
    loop {
        let mut unsettled = 0;
        for guest in &guests {
            unsettled += guest.unsettled().await;
        }
        if unsettled == 0 {
            break;
        }
        assert!(began.elapsed() < SETTLED_WITHIN, "{unsettled} bookings were not settled");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let told: Vec<_> = guests.iter().flat_map(|guest| guest.told()).collect();
    let count = |is: fn(&Told) -> bool| told.iter().filter(|told| is(told)).count();
    println!(
        "kill: {} told, {} of them confirmed, {} cancelled; settled in {:?}",
        told.len(),
        count(|told| told.confirmed),
        count(|told| told.cancelled),
        began.elapsed()
    );
    assert!(count(|told| told.confirmed) >= 5, "the load was too small to tell anything");
    let ids: HashSet<_> = told.iter().map(|told| &told.id).collect();
    assert_eq!(ids.len(), told.len(), "each request made a booking of its own");
    for guest in &guests {
        guest.was_told_the_truth().await;
    }
    let path = server.folder.path().to_owned();
    let check = command(&path).arg("check").arg("--data").arg(&path).output().await.expect("runs");
    assert!(check.status.success(), "{check:?}");
    server.child.kill().await.expect("kills");
}
