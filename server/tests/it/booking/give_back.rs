//! Money that goes back, and money that the provider will not give back: booking, payment and ledger say the same of it.

use chrono::{NaiveDate, TimeDelta};
use futures::future::join_all;
use sea_orm::ConnectionTrait;
use yeyak::proto::booking::v1::booking::State;
use yeyak::proto::booking::v1::{Booking, ChangeBookingRequest, QuoteChangeRequest};
use yeyak::proto::common::v1::Money;
use yeyak::proto::ledger::v1::GetAccountBalanceRequest;
use yeyak::proto::payment::v1::payment::State as Paid;
use yeyak::proto::payment::v1::{GetPaymentRequest, ListPaymentsRequest, Payment, RefundPaymentRequest, refund};
use yeyak::proto::stay::v1::cancellation_policy::Preset;
use yeyak::{Client, Error, ErrorReason};
use yeyak_server::backend::provider::simulator::Fault;

use crate::harness::{Yeyak, id_of};
use crate::place::{PRICE, Place, Plan, arrival, cancel, date, get, is, minor, nights};

struct Scene {
    yeyak: Yeyak,
    place: Place,
    client: Client,
    booking: Booking,
    payment: Payment,
}

impl Scene {
    /// Two nights that are paid.
    async fn new(plan: Plan) -> Self {
        let yeyak = Yeyak::new().await;
        let place = yeyak.place(plan).await;
        let client = yeyak.member().await;
        let booking = place.confirmed(&yeyak, &client, nights(0, 2)).await;
        let request = ListPaymentsRequest { booking_id: booking.id.clone(), ..Default::default() };
        let payment = client.payments().list_payments(request).await.expect("lists").payments.remove(0);
        Self { yeyak, place, client, booking, payment }
    }

    /// The provider refuses the next refund, for good.
    async fn refuses(&self) {
        self.yeyak.fault(&self.payment, Fault::Decline { code: "REFUND_REJECTED".into() }).await;
    }

    async fn booking(&self) -> Booking {
        get(&self.client, &self.booking.id).await
    }

    /// What was given back, and what is still due, by the booking.
    async fn back(&self) -> (i64, i64) {
        let booking = self.booking().await;
        (minor(&booking.refunded), minor(&booking.refund_due))
    }

    async fn payment(&self) -> Payment {
        let request = GetPaymentRequest { id: self.payment.id.clone() };
        self.client.payments().get_payment(request).await.expect("a payment")
    }

    fn request(&self, won: i64) -> RefundPaymentRequest {
        let amount = Some(Money { currency_code: "KRW".into(), minor_units: won });
        RefundPaymentRequest { id: self.payment.id.clone(), amount, reason: "소음".into(), ..Default::default() }
    }

    async fn give_back(&self, won: i64) -> Result<Payment, Error> {
        self.place.seller.payments().refund_payment(self.request(won)).await
    }

    async fn change(&self, stay: (chrono::NaiveDate, chrono::NaiveDate)) -> Booking {
        let (check_in_date, check_out_date) = (date(stay.0), date(stay.1));
        let id = self.booking.id.clone();
        let ask = QuoteChangeRequest { id: id.clone(), check_in_date, check_out_date };
        let quote_token = self.client.bookings().quote_change(ask).await.expect("a quote").token;
        let request = ChangeBookingRequest { id, quote_token, ..Default::default() };
        self.client.bookings().change_booking(request).await.expect("moves")
    }

    /// What the ledger owes the seller.
    async fn seller_has(&self) -> i64 {
        let account = format!("seller:{}", id_of(&self.place.seller).await);
        let request = GetAccountBalanceRequest { account, ..Default::default() };
        let balance = self.yeyak.admin().await.ledger().get_account_balance(request).await.expect("a balance");
        minor(&balance.balance)
    }

    /// Everything that is due is done, and the promises hold.
    async fn sound(&self) {
        self.yeyak.settle().await;
        self.yeyak.check().await;
    }

    async fn stay_over(&self) {
        self.yeyak.clock.advance(TimeDelta::days(60));
        self.sound().await;
        assert!(is(&self.booking().await, State::Completed));
    }
}

/// Guards: `Payable::refund_failed`, and the condition in `store::give_back` of payments: of many tries one sends the money.
#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_is_refused_for_good_is_due_until_one_of_many_sends_it_again() {
    let scene = Scene::new(Plan::default()).await;
    scene.refuses().await;
    cancel(&scene.client, &scene.booking).await.expect("cancels");
    scene.sound().await;
    assert_eq!(scene.back().await, (0, 2 * PRICE));
    let payment = scene.payment().await;
    assert_eq!((minor(&payment.refunded), minor(&payment.refundable)), (0, 2 * PRICE));

    // Refunds are listed by the moment in which they were decided.
    scene.yeyak.clock.advance(TimeDelta::seconds(1));
    let outcomes = join_all((0..10).map(|_| scene.give_back(2 * PRICE))).await;

    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    for refused in outcomes.into_iter().filter_map(Result::err) {
        assert_eq!(refused.reason, ErrorReason::RefundTooLarge, "{refused:?}");
    }
    scene.sound().await;
    assert_eq!(scene.back().await, (2 * PRICE, 0));
    let states: Vec<_> = scene.payment().await.refunds.iter().map(|refund| refund.state()).collect();
    assert_eq!(states, [refund::State::Failed, refund::State::Done]);
}

/// Guard: what is due to the payer is not earned with the rest.
#[tokio::test]
async fn what_was_refused_is_not_the_sellers_when_the_stay_is_over() {
    let scene = Scene::new(Plan::default()).await;
    scene.refuses().await;
    scene.give_back(50_000).await.expect("decides");
    scene.sound().await;
    assert_eq!(scene.back().await, (0, 50_000));

    scene.stay_over().await;

    assert_eq!(scene.seller_has().await, 2 * PRICE - 50_000);
    scene.give_back(50_000).await.expect("sends it again");
    scene.sound().await;
    assert_eq!((scene.back().await, scene.seller_has().await), ((50_000, 0), 2 * PRICE - 50_000));
}

#[tokio::test]
async fn what_a_shorter_stay_could_not_give_back_goes_back_with_the_rest() {
    let scene = Scene::new(Plan::default()).await;
    scene.refuses().await;
    scene.change(nights(0, 1)).await;
    scene.sound().await;
    assert_eq!(scene.back().await, (0, PRICE));

    cancel(&scene.client, &scene.booking).await.expect("cancels");

    scene.sound().await;
    assert_eq!(scene.back().await, (2 * PRICE, 0));
}

/// A refusal is compared in both: the check would find a booking that goes on counting it.
#[tokio::test]
async fn the_check_finds_a_booking_that_says_otherwise_than_its_payments() {
    let scene = Scene::new(Plan::default()).await;
    scene.sound().await;
    let database = scene.yeyak.platform.kit.db.schema_connection();
    database.execute_unprepared("UPDATE booking SET refunded = refunded + 1").await.expect("spoils");

    let found = scene.yeyak.platform.checks().run().await.expect("checks");

    assert!(found.iter().any(|violation| violation.invariant.contains("what its payments say")), "{found:?}");
}

/// Guards: the condition in `store::give_back` of payments; the movement from the seller's account.
#[tokio::test(flavor = "multi_thread")]
async fn a_seller_gives_back_what_they_have_earned_and_never_more_than_was_paid() {
    let scene = Scene::new(Plan::default()).await;
    scene.stay_over().await;
    assert_eq!(scene.seller_has().await, 2 * PRICE);

    let outcomes = join_all((0..10).map(|_| scene.give_back(50_000))).await;

    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 4);
    for refused in outcomes.into_iter().filter_map(Result::err) {
        assert_eq!(refused.reason, ErrorReason::RefundTooLarge, "{refused:?}");
    }
    scene.sound().await;
    assert_eq!((scene.back().await, scene.seller_has().await), ((2 * PRICE, 0), 0));
    assert_eq!(scene.payment().await.state(), Paid::Refunded);
}

/// Guard: the record of the request, which commits with the movement.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_claw_back_many_times_is_one() {
    let scene = Scene::new(Plan::default()).await;
    scene.stay_over().await;
    let request_id = "0195d7a0-0000-7000-8000-000000000009".to_owned();
    let request = RefundPaymentRequest { request_id, ..scene.request(50_000) };

    let seller = &scene.place.seller;
    let send = async || seller.payments().refund_payment(request.clone()).await;
    let answers = join_all((0..10).map(|_| send())).await;

    assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|payment| payment.id == scene.payment.id)));
    scene.sound().await;
    assert_eq!((scene.back().await, scene.seller_has().await), ((50_000, 0), 2 * PRICE - 50_000));
}

#[tokio::test]
async fn a_fee_that_was_kept_is_given_back_and_is_nobodys_when_the_provider_refuses() {
    let scene = Scene::new(Plan { policy: Preset::KrLodging, ..Plan::default() }).await;
    let days = (arrival() - NaiveDate::from_ymd_opt(2026, 3, 2).expect("a date")).num_days();
    scene.yeyak.clock.advance(TimeDelta::days(days - 1));
    let cancelled = cancel(&scene.client, &scene.booking).await.expect("cancels");
    let fee = minor(&cancelled.cancellation.expect("cancelled").fee);
    scene.sound().await;
    assert!(fee > 0);
    assert_eq!(scene.seller_has().await, fee);
    let refunded = 2 * PRICE - fee;

    scene.refuses().await;
    scene.give_back(fee).await.expect("decides");
    scene.sound().await;
    assert_eq!((scene.back().await, scene.seller_has().await), ((refunded, fee), 0));
    scene.give_back(fee).await.expect("sends it again");
    scene.sound().await;

    assert_eq!((scene.back().await, scene.seller_has().await), ((2 * PRICE, 0), 0), "taken from the seller once");
}
