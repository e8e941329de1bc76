//! Points at bookings: quoted, set aside with the nights, spent when the booking is paid, given back first; and what it earns.

use chrono::{NaiveDate, TimeDelta};
use futures::future::join_all;
use yeyak::proto::booking::v1::booking::State;
use yeyak::proto::booking::v1::{
    Booking, BookingQuote, CancelSellerBookingRequest, ChangeBookingRequest, ChangeQuote, QuoteBookingRequest,
    QuoteCancellationRequest, QuoteChangeRequest,
};
use yeyak::proto::common::v1::Money;
use yeyak::proto::ledger::v1::GetAccountBalanceRequest;
use yeyak::proto::payment::v1::{ListPaymentsRequest, Payment, PreparePaymentRequest, RefundPaymentRequest};
use yeyak::proto::point::v1::earn_points_request::Amount;
use yeyak::proto::point::v1::point_policy::ClawBack;
use yeyak::proto::point::v1::{
    EarnPointsRequest, ListPointLotsRequest, PointLot, PointPolicy, PointSpending, SpendPointsRequest,
    UpdatePointPolicyRequest,
};
use yeyak::proto::stay::v1::cancellation_policy::Preset;
use yeyak::proto::stay::v1::property::LatePaymentPolicy;
use yeyak::{Client, Error, ErrorReason};
use yeyak_server::backend::provider::simulator::Fault;
use yeyak_server::kit::clock::Clock;
use yeyak_server::kit::crash::How;

use crate::harness::{Yeyak, id_of};
use crate::place::{Place, Plan, cancel, confirm, date, get, is, minor, nights, pay, prepare, take};
use crate::point::desk::{balance, stamp, told};

pub(super) struct Stage {
    pub(super) yeyak: Yeyak,
    pub(super) place: Place,
    pub(super) member: Client,
    pub(super) admin: Client,
    id: String,
}

/// A member with 50,000 points, and a place that costs 200,000 for two nights.
pub(super) async fn stage(plan: Plan) -> Stage {
    let yeyak = Yeyak::new().await;
    let place = yeyak.place(plan).await;
    let (member, admin) = (yeyak.member().await, yeyak.admin().await);
    let id = id_of(&member).await;
    let stage = Stage { yeyak, place, member, admin, id };
    stage.earn(50_000).await;
    stage
}

impl Stage {
    pub(super) async fn earn(&self, points: i64) {
        let (member_id, amount) = (self.id.clone(), Some(Amount::Points(points)));
        let earn = EarnPointsRequest { member_id, amount, ..Default::default() };
        self.admin.points().earn_points(earn).await.expect("earns");
    }

    /// Points that are good for some time.
    pub(super) async fn earn_for(&self, points: i64, time: TimeDelta) {
        let (member_id, amount) = (self.id.clone(), Some(Amount::Points(points)));
        let expire_time = stamp(self.yeyak.clock.now() + time);
        let earn = EarnPointsRequest { member_id, amount, expire_time, ..Default::default() };
        self.admin.points().earn_points(earn).await.expect("earns");
    }

    pub(super) async fn spend(&self, points: i64) -> Result<PointSpending, Error> {
        let spend = SpendPointsRequest { member_id: self.id.clone(), points, ..Default::default() };
        self.admin.points().spend_points(spend).await
    }

    pub(super) async fn claw_back(&self, claw_back: ClawBack) {
        self.policy(PointPolicy { claw_back: claw_back.into(), ..Default::default() }, &["claw_back"]).await;
    }

    pub(super) async fn policy(&self, policy: PointPolicy, fields: &[&str]) {
        let paths = fields.iter().map(|field| (*field).to_owned()).collect();
        let update_mask = Some(prost_types::FieldMask { paths });
        let update = UpdatePointPolicyRequest { point_policy: Some(policy), update_mask, ..Default::default() };
        self.admin.point_policies().update_point_policy(update).await.expect("changes");
    }

    pub(super) async fn quote(&self, points: i64) -> Result<BookingQuote, Error> {
        let (from, to) = nights(0, 2);
        let ask = QuoteBookingRequest {
            room_type_id: self.place.room_type_id.clone(),
            rate_plan_id: self.place.rate_plan_id.clone(),
            check_in_date: date(from),
            check_out_date: date(to),
            points,
            ..Default::default()
        };
        self.member.bookings().quote_booking(ask).await
    }

    pub(super) async fn hold(&self, points: i64) -> Booking {
        let quote = self.quote(points).await.expect("quotes");
        self.member.bookings().create_booking(take(quote)).await.expect("holds")
    }

    pub(super) async fn paid(&self, points: i64) -> Booking {
        let booking = self.hold(points).await;
        pay(&self.yeyak, &self.member, &booking).await;
        self.look(&booking).await
    }

    pub(super) async fn look(&self, booking: &Booking) -> Booking {
        get(&self.member, &booking.id).await
    }

    /// Available, pending and reserved.
    pub(super) async fn has(&self) -> (i64, i64, i64) {
        let balance = balance(&self.member).await;
        (balance.available_points, balance.pending_points, balance.reserved_points)
    }

    /// What is left of what a booking has earned.
    pub(super) async fn earned(&self, booking: &Booking) -> Vec<PointLot> {
        let lots = self.member.points().list_point_lots(ListPointLotsRequest::default()).await.expect("lists").lots;
        lots.into_iter().filter(|lot| lot.booking_id == booking.id).collect()
    }

    pub(super) async fn ledger(&self, account: &str) -> i64 {
        let ask = GetAccountBalanceRequest { account: account.into(), currency_code: "KRW".into() };
        minor(&self.admin.ledger().get_account_balance(ask).await.expect("a balance").balance)
    }

    pub(super) async fn seller_has(&self) -> i64 {
        self.ledger(&format!("seller:{}", id_of(&self.place.seller).await)).await
    }

    pub(super) async fn quote_change(&self, booking: &Booking, stay: (NaiveDate, NaiveDate)) -> ChangeQuote {
        let (check_in_date, check_out_date) = (date(stay.0), date(stay.1));
        let ask = QuoteChangeRequest { id: booking.id.clone(), check_in_date, check_out_date };
        self.member.bookings().quote_change(ask).await.expect("quotes")
    }

    pub(super) async fn change(&self, booking: &Booking, stay: (NaiveDate, NaiveDate)) -> Booking {
        let quote_token = self.quote_change(booking, stay).await.token;
        let change = ChangeBookingRequest { id: booking.id.clone(), quote_token, ..Default::default() };
        self.member.bookings().change_booking(change).await.expect("moves")
    }

    /// Moves a paid booking to dates that cost more, which are paid first.
    pub(super) async fn change_dearer(&self, booking: &Booking, stay: (NaiveDate, NaiveDate)) -> Booking {
        let change_quote_token = self.quote_change(booking, stay).await.token;
        let booking_id = booking.id.clone();
        let prepare = PreparePaymentRequest { booking_id, change_quote_token, ..Default::default() };
        let payment = self.member.payments().prepare_payment(prepare).await.expect("prepares");
        let key = self.yeyak.press(&payment.checkout_url, "pay").await.expect("a key");
        confirm(&self.member, &payment, key).await.expect("confirms");
        self.look(booking).await
    }

    pub(super) async fn refund(&self, booking: &Booking, won: i64) -> Result<Payment, Error> {
        let request = ListPaymentsRequest { booking_id: booking.id.clone(), ..Default::default() };
        let payment = self.member.payments().list_payments(request).await.expect("lists").payments.remove(0);
        let amount = Some(Money { currency_code: "KRW".into(), minor_units: won });
        let refund = RefundPaymentRequest { id: payment.id, amount, reason: "소음".into(), ..Default::default() };
        self.place.seller.payments().refund_payment(refund).await
    }

    pub(super) async fn holds(&self) {
        self.yeyak.settle().await;
        self.yeyak.check().await;
    }
}

#[tokio::test]
async fn points_are_quoted_set_aside_spent_and_given_back() {
    let stage = stage(Plan::default()).await;

    let quote = stage.quote(30_000).await.expect("quotes");
    assert_eq!((minor(&quote.total), quote.points, quote.usable_points), (170_000, 30_000, 50_000));
    let booking = stage.member.bookings().create_booking(take(quote)).await.expect("holds");
    assert_eq!((minor(&booking.total), booking.points), (170_000, 30_000));
    assert_eq!(stage.has().await, (20_000, 0, 30_000));
    let paid = pay(&stage.yeyak, &stage.member, &booking).await;
    assert_eq!(minor(&paid.amount), 170_000);
    // Of the money alone, once the stay is over.
    assert_eq!(stage.has().await, (20_000, 1_700, 0));
    let earned = stage.earned(&booking).await;
    assert_eq!(told(earned[0].available_time.as_ref()), "2026-04-03T03:00:00+00:00");
    stage.holds().await;

    let cancelled = cancel(&stage.member, &stage.look(&booking).await).await.expect("cancels");

    assert_eq!((minor(&cancelled.refunded), cancelled.refunded_points), (170_000, 30_000));
    assert_eq!(stage.has().await, (50_000, 0, 0));
    stage.holds().await;
}

#[tokio::test]
async fn more_points_than_there_are_or_can_be_used_are_refused() {
    let stage = stage(Plan::default()).await;
    let too_many = stage.quote(50_001).await.expect_err("there are fewer");
    assert_eq!((too_many.reason, &*too_many.metadata["available"]), (ErrorReason::PointsNotEnough, "50000"));
    stage.earn(500_000).await;
    let too_many = stage.quote(200_001).await.expect_err("it costs less");
    assert_eq!((too_many.reason, &*too_many.metadata["usable"]), (ErrorReason::PointsNotUsable, "200000"));
    assert_eq!(stage.quote(0).await.expect("quotes").usable_points, 200_000);
    let negative = stage.quote(-1).await.expect_err("is refused");
    assert_eq!(negative.reason, ErrorReason::InvalidFields);
    let quote = stage.quote(200_000).await.expect("quotes");
    stage.spend(400_000).await.expect("spends elsewhere");

    let gone = stage.member.bookings().create_booking(take(quote)).await.expect_err("they are gone");

    assert_eq!(gone.reason, ErrorReason::PointsNotEnough);
    assert_eq!(stage.has().await, (150_000, 0, 0));
    stage.holds().await;
}

#[tokio::test]
async fn a_booking_that_points_pay_whole_confirms_at_once() {
    let stage = stage(Plan { policy: Preset::Flexible, ..Plan::default() }).await;
    stage.earn(150_000).await;

    let booking = stage.hold(200_000).await;

    assert!(is(&booking, State::Confirmed));
    assert_eq!((minor(&booking.total), stage.has().await), (0, (0, 0, 0)), "and it earns nothing");
    stage.holds().await;
    stage.yeyak.clock.advance(TimeDelta::days(60));
    stage.holds().await;
    assert_eq!(stage.seller_has().await, 200_000, "the platform pays the seller");
    assert_eq!(stage.ledger("platform:points").await, -200_000);
}

/// Guard: the lock of the wallet, in the transaction of the booking.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_points_are_held_by_exactly_one_of_ten_bookings() {
    let stage = stage(Plan { rooms: 20, ..Plan::default() }).await;
    let mut quotes = Vec::new();
    for _ in 0..10 {
        quotes.push(stage.quote(50_000).await.expect("quotes"));
    }

    let outcomes = join_all(quotes.into_iter().map(|quote| {
        let member = stage.member.clone();
        tokio::spawn(async move { member.bookings().create_booking(take(quote)).await })
    }))
    .await;

    let outcomes: Vec<_> = outcomes.into_iter().map(|outcome| outcome.expect("no panic")).collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    for refused in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        assert_eq!(refused.reason, ErrorReason::PointsNotEnough, "{refused:?}");
    }
    stage.holds().await;
}

/// Guard: what is set aside comes back when its time is over, whoever looks. No job runs.
#[tokio::test]
async fn points_of_a_hold_that_is_over_are_used_elsewhere_with_every_job_stopped() {
    let stage = stage(Plan { rooms: 2, ..Plan::default() }).await;
    let first = stage.hold(50_000).await;
    assert_eq!(stage.quote(1).await.expect_err("they are held").reason, ErrorReason::PointsNotEnough);

    stage.yeyak.clock.advance(TimeDelta::hours(2));

    assert_eq!(stage.has().await, (50_000, 0, 0));
    let second = stage.hold(50_000).await;
    stage.yeyak.check().await;
    pay(&stage.yeyak, &stage.member, &second).await;
    assert!(is(&stage.look(&first).await, State::Expired));
    stage.holds().await;
    assert_eq!(stage.has().await, (0, 1_500, 0));
}

#[tokio::test]
async fn what_is_not_paid_comes_back_once_however_it_ends() {
    let stage = stage(Plan { rooms: 9, ..Plan::default() }).await;
    let cancelled = stage.hold(30_000).await;
    let expired = stage.hold(20_000).await;
    assert_eq!(stage.has().await, (0, 0, 50_000));

    let ask = QuoteCancellationRequest { id: cancelled.id.clone() };
    assert_eq!(stage.member.bookings().quote_cancellation(ask).await.expect("quotes").points, 30_000);
    cancel(&stage.member, &cancelled).await.expect("cancels");
    assert_eq!(stage.has().await, (30_000, 0, 20_000));
    stage.yeyak.clock.advance(TimeDelta::hours(2));
    for _ in 0..3 {
        stage.yeyak.settle().await;
    }

    assert!(is(&stage.look(&expired).await, State::Expired));
    assert_eq!(stage.has().await, (50_000, 0, 0));
    stage.holds().await;
}

#[tokio::test]
async fn a_fee_is_paid_by_money_first_and_points_come_back_first() {
    for (points, money_fee, point_fee) in [(30_000, 100_000, 0), (150_000, 50_000, 50_000)] {
        let stage = stage(Plan { policy: Preset::Moderate, ..Plan::default() }).await;
        stage.earn(100_000).await;
        let booking = stage.paid(points).await;
        // Moderate keeps half of the price by then.
        stage.yeyak.clock.set("2026-03-28T03:00:00Z".parse().expect("an instant"));
        let ask = QuoteCancellationRequest { id: booking.id.clone() };
        let quote = stage.member.bookings().quote_cancellation(ask).await.expect("quotes");
        println!("{quote:?}");
        assert_eq!((minor(&quote.fee), quote.fee_points), (money_fee, point_fee));
        assert_eq!((minor(&quote.refund), quote.points), (200_000 - points - money_fee, points - point_fee));

        let cancelled = cancel(&stage.member, &booking).await.expect("cancels");

        let how = cancelled.cancellation.expect("says how");
        assert_eq!((minor(&how.fee), how.points, how.fee_points), (money_fee, points - point_fee, point_fee));
        assert_eq!(stage.has().await, (150_000 - point_fee, 0, 0));
        assert_eq!(stage.seller_has().await, 100_000, "whatever it was paid by");
        stage.holds().await;
    }
}

#[tokio::test]
async fn a_seller_who_cancels_gives_everything_back() {
    let stage = stage(Plan { policy: Preset::Strict, ..Plan::default() }).await;
    let booking = stage.paid(30_000).await;

    let cancel = CancelSellerBookingRequest { id: booking.id.clone(), reason: "공사".into(), ..Default::default() };
    stage.place.seller.bookings().cancel_seller_booking(cancel).await.expect("cancels");

    assert_eq!((minor(&stage.look(&booking).await.refunded), stage.has().await), (170_000, (50_000, 0, 0)));
    stage.holds().await;
}

/// The exploit: earned by a stay, spent, and the stay given back.
#[tokio::test]
async fn late_money_takes_the_points_again_or_goes_back() {
    for elsewhere in [0, 25_000] {
        let late = Plan { rooms: 9, late: LatePaymentPolicy::AcceptIfAvailable, ..Plan::default() };
        let stage = stage(late).await;
        let booking = stage.hold(30_000).await;
        let payment = prepare(&stage.member, &booking).await;
        let key = stage.yeyak.press(&payment.checkout_url, "pay").await.expect("a key");
        stage.yeyak.capture_behind_our_back(&payment, &key, 170_000).await;
        stage.yeyak.clock.advance(TimeDelta::minutes(16));
        stage.spend(elsewhere.max(1)).await.expect("is the member's again");

        stage.yeyak.settle().await;

        let booking = stage.look(&booking).await;
        let (state, paid) = if elsewhere == 0 { (State::Confirmed, 170_000) } else { (State::Expired, 0) };
        assert_eq!((booking.state(), minor(&booking.paid)), (state, paid));
        let has = if elsewhere == 0 { (19_999, 1_700, 0) } else { (25_000, 0, 0) };
        assert_eq!(stage.has().await, has);
        stage.holds().await;
    }
}

#[tokio::test]
async fn a_payment_that_fails_leaves_the_points_held_for_another_attempt() {
    let stage = stage(Plan::default()).await;
    let booking = stage.hold(30_000).await;
    let payment = prepare(&stage.member, &booking).await;
    let key = stage.yeyak.press(&payment.checkout_url, "pay").await.expect("a key");
    stage.yeyak.fault(&payment, Fault::Decline { code: "REJECT_CARD_PAYMENT".into() }).await;

    _ = confirm(&stage.member, &payment, key).await;

    assert!(is(&stage.look(&booking).await, State::Held));
    assert_eq!(stage.has().await, (20_000, 0, 30_000));
    stage.yeyak.check().await;
    pay(&stage.yeyak, &stage.member, &booking).await;
    assert_eq!(stage.has().await, (20_000, 1_700, 0));
    stage.holds().await;
}

/// Between the steps of a payment: what is held is kept, spent once the outcome is known, and once.
#[tokio::test]
async fn a_payment_that_ends_half_way_spends_the_points_once() {
    for point in ["payment.begun", "payment.asked", "payment.recorded"] {
        let stage = stage(Plan::default()).await;
        let booking = stage.hold(30_000).await;
        let payment = prepare(&stage.member, &booking).await;
        let key = stage.yeyak.press(&payment.checkout_url, "pay").await.expect("a key");
        stage.yeyak.platform.kit.crash.arm(point, How::Error);
        _ = confirm(&stage.member, &payment, key).await;
        assert!(!stage.yeyak.platform.kit.crash.is_armed(point), "nothing came to {point}");

        for _ in 0..4 {
            stage.yeyak.clock.advance(TimeDelta::minutes(3));
            stage.yeyak.settle().await;
        }

        assert!(is(&stage.look(&booking).await, State::Confirmed), "{point}");
        assert_eq!(stage.has().await, (20_000, 1_700, 0), "{point}");
        stage.holds().await;
    }
}
