//! A move to dearer dates: paid first, and then it has happened; or the booking is as it was, and the money goes back.

use chrono::{Days, NaiveDate, TimeDelta, TimeZone};
use futures::future::join_all;
use yeyak::proto::booking::v1::booking::State;
use yeyak::proto::booking::v1::{
    Booking, ChangeBookingRequest, ChangeQuote, QuoteCancellationRequest, QuoteChangeRequest,
};
use yeyak::proto::common::v1::Money;
use yeyak::proto::payment::v1::payment::State as Paid;
use yeyak::proto::payment::v1::{
    GetPaymentRequest, ListPaymentsRequest, Payment, PreparePaymentRequest, RefundPaymentRequest,
};
use yeyak::proto::stay::v1::cancellation_policy::Preset;
use yeyak::{Client, Error, ErrorReason};
use yeyak_server::backend::provider::simulator::{Fault, When};
use yeyak_server::kit::crash::How;

use crate::harness::Yeyak;
use crate::place::{PRICE, Place, Plan, browser, cancel, confirm, date, get, is, minor, nights};

type Stay = (NaiveDate, NaiveDate);

struct Scene {
    yeyak: Yeyak,
    place: Place,
    client: Client,
    booking: Booking,
}

impl Scene {
    /// Two nights that are paid, in a room of which there is one.
    async fn new() -> Self {
        Self::of(Plan::default()).await
    }

    async fn of(plan: Plan) -> Self {
        let yeyak = Yeyak::new().await;
        let place = yeyak.place(plan).await;
        let client = yeyak.member().await;
        let booking = place.confirmed(&yeyak, &client, nights(2, 2)).await;
        Self { yeyak, place, client, booking }
    }

    async fn quote(&self, stay: Stay) -> ChangeQuote {
        let id = self.booking.id.clone();
        let ask = QuoteChangeRequest { id, check_in_date: date(stay.0), check_out_date: date(stay.1) };
        self.client.bookings().quote_change(ask).await.expect("a quote")
    }

    async fn prepare_with(&self, quote: &ChangeQuote) -> Result<Payment, Error> {
        let (booking_id, change_quote_token) = (self.booking.id.clone(), quote.token.clone());
        let request = PreparePaymentRequest { booking_id, change_quote_token, ..Default::default() };
        self.client.payments().prepare_payment(request).await
    }

    /// An attempt to pay the move to a stay, and the provider's key.
    async fn ready(&self, stay: Stay) -> (Payment, String) {
        let attempt = self.prepare_with(&self.quote(stay).await).await.expect("prepares");
        let key = self.yeyak.press(&attempt.checkout_url, "pay").await.expect("a key");
        (attempt, key)
    }

    async fn booking(&self) -> Booking {
        get(&self.client, &self.booking.id).await
    }

    async fn state(&self, attempt: &Payment) -> Paid {
        let request = GetPaymentRequest { id: attempt.id.clone() };
        self.client.payments().get_payment(request).await.expect("a payment").state()
    }

    /// Whether somebody else gets a night.
    async fn is_free(&self, night: u64) -> bool {
        let quote = self.place.quote(&self.yeyak.member().await, nights(night, 1)).await;
        quote.is_ok()
    }

    /// The booking is as it was: its nights, its price, and nothing held beside.
    async fn is_as_it_was(&self) {
        let booking = self.booking().await;
        assert_eq!((booking.lines, booking.total), (self.booking.lines.clone(), self.booking.total.clone()));
        assert_eq!(minor(&booking.paid) - minor(&booking.refunded), 2 * PRICE);
        assert!(!self.is_free(2).await && !self.is_free(3).await);
        assert!(self.is_free(1).await && self.is_free(4).await);
    }

    /// The booking has four nights, and all of them are paid.
    async fn has_moved(&self) {
        let booking = self.booking().await;
        assert!(is(&booking, State::Confirmed));
        assert_eq!((minor(&booking.total), minor(&booking.paid)), (4 * PRICE, 4 * PRICE));
        for (night, free) in [(0, true), (1, false), (2, false), (3, false), (4, false), (5, true)] {
            assert_eq!(self.is_free(night).await, free, "{night}");
        }
    }

    async fn sound(&self) {
        for _ in 0..3 {
            self.yeyak.clock.advance(TimeDelta::minutes(1));
            self.yeyak.settle().await;
        }
        self.yeyak.check().await;
    }
}

/// What reaches beyond the booking on both sides.
fn longer() -> Stay {
    nights(1, 4)
}

#[tokio::test]
async fn a_move_to_dearer_dates_is_held_paid_and_then_done() {
    let scene = Scene::new().await;
    let quote = scene.quote(longer()).await;
    assert_eq!(minor(&quote.due), 2 * PRICE);
    let request =
        ChangeBookingRequest { id: scene.booking.id.clone(), quote_token: quote.token.clone(), ..Default::default() };
    let unpaid = scene.client.bookings().change_booking(request).await.expect_err("is to be paid");
    assert_eq!(unpaid.reason, ErrorReason::ActionBlocked);

    let attempt = scene.prepare_with(&quote).await.expect("prepares");
    assert!(attempt.for_change);
    assert_eq!(minor(&attempt.amount), 2 * PRICE);
    assert!(!scene.is_free(1).await && !scene.is_free(4).await, "held meanwhile");
    assert_eq!(scene.booking().await.lines, scene.booking.lines, "nothing has changed yet");
    let key = scene.yeyak.press(&attempt.checkout_url, "pay").await.expect("a key");
    confirm(&scene.client, &attempt, key).await.expect("confirms");

    scene.has_moved().await;
    scene.sound().await;
    cancel(&scene.client, &scene.booking().await).await.expect("cancels");
    scene.sound().await;
    assert_eq!(minor(&scene.booking().await.refunded), 4 * PRICE, "both payments go back");
}

/// Guards: the same quote has the same change, looked for in the transaction; the version of the attempt.
#[tokio::test(flavor = "multi_thread")]
async fn many_prepare_and_confirm_one_move() {
    let scene = Scene::new().await;
    let quote = scene.quote(longer()).await;
    let prepared = join_all((0..10).map(|_| scene.prepare_with(&quote))).await;
    let attempts: Vec<_> = prepared.into_iter().map(|attempt| attempt.expect("prepares")).collect();
    assert!(attempts.iter().all(|attempt| attempt.id == attempts[0].id), "{attempts:?}");
    let key = scene.yeyak.press(&attempts[0].checkout_url, "pay").await.expect("a key");

    let confirmed = join_all((0..10).map(|_| confirm(&scene.client, &attempts[0], key.clone()))).await;

    assert!(confirmed.iter().all(Result::is_ok), "{confirmed:?}");
    scene.sound().await;
    scene.has_moved().await;
}

#[tokio::test]
async fn another_quote_takes_the_place_of_the_first_and_its_nights() {
    let scene = Scene::new().await;
    let first = scene.prepare_with(&scene.quote(longer()).await).await.expect("prepares");

    let (second, key) = scene.ready(nights(2, 3)).await;

    assert_eq!((scene.state(&first).await, minor(&second.amount)), (Paid::Expired, PRICE));
    assert!(scene.is_free(1).await && !scene.is_free(4).await);
    confirm(&scene.client, &second, key).await.expect("confirms");
    assert_eq!(minor(&scene.booking().await.total), 3 * PRICE);
    scene.sound().await;
}

/// Guard: the booking is loaded and changed where the outcome is recorded. Wherever it ends, the reconciler goes on.
#[tokio::test]
async fn a_move_that_ends_at_any_step_is_completed_by_the_reconciler() {
    for point in ["payment.begun", "payment.asked", "payment.recorded"] {
        let scene = Scene::new().await;
        let (attempt, key) = scene.ready(longer()).await;
        scene.yeyak.platform.kit.crash.arm(point, How::Error);
        let (ours, _) = attempt.checkout_url.split_once("/pay/").expect("a pay page");
        let page = format!("{ours}/pay/return?paymentKey={key}&orderId={}&amount={}", attempt.id, 2 * PRICE);
        browser().get(page).send().await.expect("an answer");
        assert!(!scene.yeyak.platform.kit.crash.is_armed(point), "{point}");

        scene.sound().await;

        scene.has_moved().await;
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_keeps_the_nights_until_it_is_known() {
    let scene = Scene::new().await;
    let (attempt, key) = scene.ready(longer()).await;
    scene.yeyak.fault(&attempt, Fault::LoseAnswer { when: When::AfterCommit }).await;
    assert_eq!(confirm(&scene.client, &attempt, key).await.expect("unknown").state(), Paid::Reconciling);

    scene.yeyak.clock.advance(TimeDelta::hours(2));
    assert!(!scene.is_free(1).await && !scene.is_free(4).await);
    scene.sound().await;

    scene.has_moved().await;
}

#[tokio::test]
async fn a_declined_card_leaves_time_for_another_and_then_everything_as_it_was() {
    let scene = Scene::new().await;
    let (attempt, key) = scene.ready(longer()).await;
    scene.yeyak.fault(&attempt, Fault::Decline { code: "REJECT_CARD_COMPANY".into() }).await;
    assert_eq!(confirm(&scene.client, &attempt, key).await.expect("an answer").state(), Paid::Failed);
    assert!(!scene.is_free(1).await, "held for another card");
    let (second, _) = scene.ready(longer()).await;
    assert_ne!(second.id, attempt.id);

    // No job runs: the end counts at read, and for whoever wants the nights.
    scene.yeyak.clock.advance(TimeDelta::minutes(15));

    scene.is_as_it_was().await;
    scene.place.hold(&scene.yeyak.member().await, nights(4, 1)).await.expect("takes the night");
    scene.yeyak.check().await;
    scene.sound().await;
}

/// Guard: the time of the change is compared when its money is heard of.
#[tokio::test]
async fn money_that_comes_too_late_goes_back_and_nothing_has_moved() {
    for taken in [false, true] {
        let scene = Scene::new().await;
        let (attempt, key) = scene.ready(longer()).await;
        scene.yeyak.capture_behind_our_back(&attempt, &key, 2 * PRICE).await;
        scene.yeyak.clock.advance(TimeDelta::minutes(16));
        if taken {
            scene.place.hold(&scene.yeyak.member().await, nights(4, 1)).await.expect("takes a night");
            scene.yeyak.clock.advance(TimeDelta::minutes(16));
        }

        scene.sound().await;

        assert_eq!(scene.state(&attempt).await, Paid::Refunded, "{taken}");
        scene.is_as_it_was().await;
    }
}

#[tokio::test]
async fn a_booking_that_has_changed_since_gives_the_money_of_its_change_back() {
    let scene = Scene::new().await;
    let (attempt, key) = scene.ready(longer()).await;
    scene.yeyak.fault(&attempt, Fault::LoseAnswer { when: When::AfterCommit }).await;
    confirm(&scene.client, &attempt, key).await.expect("unknown");
    cancel(&scene.client, &scene.booking).await.expect("cancels meanwhile");

    scene.sound().await;

    let booking = scene.booking().await;
    assert!(is(&booking, State::Cancelled));
    assert_eq!((minor(&booking.paid), minor(&booking.refunded)), (2 * PRICE, 2 * PRICE));
    assert_eq!(scene.state(&attempt).await, Paid::Refunded);
    for night in 1..5 {
        assert!(scene.is_free(night).await, "{night}");
    }
}

/// Guard: the version of the booking that a change starts from.
#[tokio::test]
async fn a_price_that_is_given_back_meanwhile_is_not_forgotten() {
    let scene = Scene::new().await;
    let (attempt, key) = scene.ready(longer()).await;
    let request = ListPaymentsRequest { booking_id: scene.booking.id.clone(), ..Default::default() };
    let paid = scene.client.payments().list_payments(request).await.expect("lists").payments;
    // The two were made at one moment: their ids have no order.
    let first = paid.into_iter().find(|payment| payment.id != attempt.id).expect("paid");
    let amount = Some(Money { currency_code: "KRW".into(), minor_units: 50_000 });
    let request = RefundPaymentRequest { id: first.id, amount, reason: "소음".into(), ..Default::default() };
    scene.place.seller.payments().refund_payment(request).await.expect("gives back");

    let refused = confirm(&scene.client, &attempt, key).await.expect_err("another price");

    assert_eq!(refused.reason, ErrorReason::ActionBlocked);
    assert_eq!(minor(&scene.quote(longer()).await.due), 2 * PRICE + 50_000);
    scene.sound().await;
}

/// Guard: holds whose time is over are ended before an attempt is refused.
#[tokio::test]
async fn a_night_that_another_has_taken_is_refused_and_a_stale_hold_is_not_in_the_way() {
    let scene = Scene::new().await;
    let other = scene.yeyak.member().await;
    let quote = scene.quote(longer()).await;
    scene.place.hold(&other, nights(4, 1)).await.expect("holds");
    let taken = scene.prepare_with(&quote).await.expect_err("taken");
    assert_eq!((taken.reason, &*taken.metadata["dates"]), (ErrorReason::NightsTaken, "2026-04-05"));

    scene.yeyak.clock.advance(TimeDelta::minutes(15));
    let (attempt, key) = scene.ready(longer()).await;

    confirm(&scene.client, &attempt, key).await.expect("confirms");
    scene.has_moved().await;
    scene.sound().await;
}

/// Guard: a change that is prepared again takes the fee of the later quote.
#[tokio::test]
async fn a_fee_that_became_due_between_two_quotes_stays_due() {
    let scene = Scene::of(Plan { policy: Preset::KrLodging, ..Plan::default() }).await;
    let two_days_before = nights(2, 1).0 - Days::new(2);
    let before_midnight = two_days_before.and_hms_opt(23, 55, 0).expect("a time");
    let seoul = chrono_tz::Asia::Seoul.from_local_datetime(&before_midnight).single().expect("an instant");
    scene.yeyak.clock.set(seoul.to_utc());
    let early = scene.quote(nights(2, 4)).await;
    assert_eq!(minor(&early.fee_floor), 0, "everything would be refunded");
    let first = scene.prepare_with(&early).await.expect("prepares");
    scene.yeyak.clock.advance(TimeDelta::minutes(6));

    let (again, key) = scene.ready(nights(2, 4)).await;
    confirm(&scene.client, &again, key).await.expect("confirms");

    assert_eq!(again.id, first.id, "the same change");
    let ask = QuoteCancellationRequest { id: scene.booking.id.clone() };
    let quote = scene.client.bookings().quote_cancellation(ask).await.expect("a quote");
    assert_eq!(minor(&quote.fee_floor), 2 * PRICE / 5, "of two nights on the day before a Friday");
    scene.sound().await;
}

/// From a Friday to a Thursday: the terms are those of the quote, once it is paid.
#[tokio::test]
async fn a_move_that_is_paid_has_the_terms_of_its_quote() {
    let scene = Scene::of(Plan { policy: Preset::KrLodging, ..Plan::default() }).await;
    let quote = scene.quote(longer()).await;
    let attempt = scene.prepare_with(&quote).await.expect("prepares");
    assert_eq!(scene.booking().await.refund_tiers, scene.booking.refund_tiers, "not before it is paid");

    let key = scene.yeyak.press(&attempt.checkout_url, "pay").await.expect("a key");
    confirm(&scene.client, &attempt, key).await.expect("pays");

    assert_ne!(quote.refund_tiers, scene.booking.refund_tiers);
    assert_eq!(scene.booking().await.refund_tiers, quote.refund_tiers);
    scene.has_moved().await;
    scene.sound().await;
}
