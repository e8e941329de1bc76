//! Many clients do whatever comes into their minds on a few rooms, the provider fails at random, and the promises hold.

use chrono::TimeDelta;
use futures::future::join_all;
use tonic::Code;
use yeyak::proto::booking::v1::booking::State;
use yeyak::proto::booking::v1::{
    CancelSellerBookingRequest, ChangeBookingRequest, CheckInBookingRequest, ExtendBookingRequest, GetBookingRequest,
    MarkNoShowRequest, QuoteChangeRequest,
};
use yeyak::proto::common::v1::Money;
use yeyak::proto::payment::v1::{
    ConfirmPaymentRequest, ListPaymentsRequest, PreparePaymentRequest, RefundPaymentRequest,
};
use yeyak::proto::stay::v1::cancellation_policy::Preset;
use yeyak::proto::stay::v1::property::LatePaymentPolicy;
use yeyak::{Client, Error};
use yeyak_server::backend::provider::ChargeState;
use yeyak_server::backend::provider::simulator::{Fault, Hooks, When};

use crate::dice::Dice;
use crate::harness::Yeyak;
use crate::place::{PRICE, Place, Plan, cancel, date, minor, nights};

const CLIENTS: usize = 16;
const OPERATIONS: u64 = 40;
/// After so many operations of each everybody rests, and the promises are compared.
const BETWEEN_RESTS: u64 = 5;

/// Where the balance of a charge is money.
const TAKEN: [ChargeState; 3] = [ChargeState::Done, ChargeState::PartlyCancelled, ChargeState::Cancelled];

/// A client, what it has booked, and whose room.
struct Guest {
    client: Client,
    dice: Dice,
    bookings: Vec<(String, usize)>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_promises_hold_whatever_sixteen_clients_do() {
    let mut dice = Dice::of("random");
    let yeyak = Yeyak::new().await;
    let plans = [
        Plan { rooms: 1, ..Plan::default() },
        Plan { rooms: 2, policy: Preset::KrLodging, late: LatePaymentPolicy::AcceptIfAvailable, ..Plan::default() },
        Plan { rooms: 3, late: LatePaymentPolicy::Manual, ..Plan::default() },
    ];
    let places = join_all(plans.map(|plan| yeyak.place(plan))).await;
    let mut guests = Vec::new();
    for _ in 0..CLIENTS {
        guests.push(Guest { client: yeyak.member().await, dice: dice.split(), bookings: Vec::new() });
    }

    let mut done = 0;
    for _ in 0..OPERATIONS / BETWEEN_RESTS {
        for _ in 0..BETWEEN_RESTS {
            let all = join_all(guests.iter_mut().map(|guest| guest.act(&yeyak, &places))).await;
            done += all.into_iter().filter(|done| *done).count();
            yeyak.clock.advance(TimeDelta::seconds(dice.below(120).cast_signed()));
        }
        rest(&yeyak, &mut dice).await;
    }
    println!("random: {done} operations were not refused");
    assert!(done > 100, "only {done} operations were not refused");

    for _ in 0..6 {
        yeyak.clock.advance(TimeDelta::minutes(30));
        yeyak.settle().await;
    }
    for guest in &guests {
        guest.leaves_nothing_open(&yeyak).await;
    }
    yeyak.check().await;
}

/// Time goes by, a little or much, and whatever is due is done.
async fn rest(yeyak: &Yeyak, dice: &mut Dice) {
    let minutes = match dice.below(4) {
        0 => 16,
        1 => 24 * 60,
        _ => 2,
    };
    yeyak.clock.advance(TimeDelta::minutes(minutes));
    for _ in 0..3 {
        yeyak.settle().await;
        yeyak.clock.advance(TimeDelta::minutes(2));
    }
    yeyak.check().await;
}

impl Guest {
    /// Does something; whether it was not refused. A refusal has a reason: a fault of the server has none.
    async fn act(&mut self, yeyak: &Yeyak, places: &[Place]) -> bool {
        let outcome = self.choose(yeyak, places).await;
        if let Err(error) = &outcome {
            let ours = matches!(error.code, Code::Internal | Code::Unknown | Code::DataLoss);
            assert!(!ours, "{error:?}");
        }
        outcome.is_ok()
    }

    async fn choose(&mut self, yeyak: &Yeyak, places: &[Place]) -> Result<(), Error> {
        let choice = self.dice.below(100);
        let own = self.dice.one_of(&self.bookings).cloned();
        let (Some((id, at)), 35..) = (own, choice) else { return self.hold(places).await };
        let (client, seller) = (&self.client, &places[at].seller);
        match choice {
            35..65 => return self.pay(yeyak, &id).await,
            65..75 => {
                let booking = client.bookings().get_booking(GetBookingRequest { id }).await?;
                cancel(client, &booking).await?;
            }
            75..83 => return self.change(yeyak, &id).await,
            83..88 => {
                let request = ExtendBookingRequest { id, ..Default::default() };
                client.bookings().extend_booking(request).await?;
            }
            88..91 => {
                let request = CancelSellerBookingRequest { id, reason: "공사".into(), ..Default::default() };
                seller.bookings().cancel_seller_booking(request).await?;
            }
            91..94 => {
                let request = MarkNoShowRequest { id, ..Default::default() };
                seller.bookings().mark_no_show(request).await?;
            }
            94..96 => {
                let request = CheckInBookingRequest { id, ..Default::default() };
                seller.bookings().check_in_booking(request).await?;
            }
            _ => return self.given_back(seller, id).await,
        }
        Ok(())
    }

    fn stay(&mut self) -> (chrono::NaiveDate, chrono::NaiveDate) {
        nights(self.dice.below(8), 1 + self.dice.below(3))
    }

    async fn hold(&mut self, places: &[Place]) -> Result<(), Error> {
        let at = usize::try_from(self.dice.below(3)).expect("few");
        let stay = self.stay();
        let booking = places[at].hold(&self.client, stay).await?;
        self.bookings.push((booking.id, at));
        Ok(())
    }

    async fn pay(&mut self, yeyak: &Yeyak, id: &str) -> Result<(), Error> {
        self.pay_with(yeyak, id, String::new()).await
    }

    async fn pay_with(&mut self, yeyak: &Yeyak, id: &str, change_quote_token: String) -> Result<(), Error> {
        let payments = self.client.payments();
        let booking_id = id.to_owned();
        let request = PreparePaymentRequest { booking_id, change_quote_token, ..Default::default() };
        let attempt = payments.prepare_payment(request).await?;
        if let Some(fault) = self.fault() {
            yeyak.fault(&attempt, fault).await;
        }
        let choice = if self.dice.below(8) == 0 { "decline" } else { "pay" };
        let Some(provider_key) = yeyak.press(&attempt.checkout_url, choice).await else { return Ok(()) };
        match self.dice.below(10) {
            // The payer closes the window.
            0 => {}
            // The money is taken, and we do not hear of it.
            1 => _ = yeyak.capture_if_possible(&attempt, &provider_key, minor(&attempt.amount)).await,
            _ => {
                let request = ConfirmPaymentRequest { id: attempt.id, provider_key, ..Default::default() };
                payments.confirm_payment(request).await?;
            }
        }
        Ok(())
    }

    fn fault(&mut self) -> Option<Fault> {
        let when = if self.dice.below(2) == 0 { When::BeforeCommit } else { When::AfterCommit };
        Some(match self.dice.below(14) {
            0 => Fault::LoseAnswer { when },
            1 => Fault::ServerError { when },
            2 => Fault::BrokenJson { when },
            3 => Fault::Delay { when, millis: 20 },
            4 => Fault::Decline { code: "REJECT_CARD_PAYMENT".into() },
            5 => Fault::WrongAmount { charged: PRICE / 2 },
            6 => Fault::Webhooks { order: Hooks::Twice },
            7 => Fault::Webhooks { order: Hooks::Reversed },
            8 => Fault::Webhooks { order: Hooks::Never },
            9 => Fault::AwaitDeposit,
            _ => return None,
        })
    }

    /// Moves a booking; to dearer dates by paying what they cost more.
    async fn change(&mut self, yeyak: &Yeyak, id: &str) -> Result<(), Error> {
        let stay = self.stay();
        let ask = QuoteChangeRequest { id: id.to_owned(), check_in_date: date(stay.0), check_out_date: date(stay.1) };
        let quote = self.client.bookings().quote_change(ask).await?;
        if minor(&quote.due) > 0 {
            return self.pay_with(yeyak, id, quote.token).await;
        }
        let request = ChangeBookingRequest { id: id.to_owned(), quote_token: quote.token, ..Default::default() };
        self.client.bookings().change_booking(request).await?;
        Ok(())
    }

    /// The seller gives back a part of the newest payment.
    async fn given_back(&self, seller: &Client, booking_id: String) -> Result<(), Error> {
        let request = ListPaymentsRequest { booking_id, ..Default::default() };
        let Some(payment) = self.client.payments().list_payments(request).await?.payments.into_iter().next() else {
            return Ok(());
        };
        let amount = Some(Money { currency_code: "KRW".into(), minor_units: PRICE / 4 });
        let request = RefundPaymentRequest { id: payment.id, amount, reason: "소음".into(), ..Default::default() };
        seller.payments().refund_payment(request).await?;
        Ok(())
    }

    /// Every booking has ended somewhere, and the provider has what we say that it has.
    async fn leaves_nothing_open(&self, yeyak: &Yeyak) {
        for (id, _) in &self.bookings {
            let request = GetBookingRequest { id: id.clone() };
            let booking = self.client.bookings().get_booking(request).await.expect("a booking");
            assert!(!matches!(booking.state(), State::Held | State::Paying | State::Reconciling), "{booking:?}");
            let request = ListPaymentsRequest { booking_id: id.clone(), ..Default::default() };
            for payment in self.client.payments().list_payments(request).await.expect("lists").payments {
                let charge = yeyak.platform.payments.provider().find(&payment.id).await.expect("an answer");
                let taken = charge.as_ref().filter(|charge| TAKEN.contains(&charge.state));
                let balance = taken.map_or(0, |charge| charge.balance.minor);
                let kept = minor(&payment.captured) - minor(&payment.refunded);
                assert_eq!(balance, kept, "{payment:?}, {charge:?}, {booking:?}");
            }
        }
    }
}
