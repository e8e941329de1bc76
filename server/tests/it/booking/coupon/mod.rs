//! Coupons at bookings: quoted, held with the nights, used when the booking is paid, given back as their policies say.

mod budget;
mod dates;
mod first;
mod hold;
mod kind;
mod late;

use chrono::NaiveDate;
use yeyak::proto::booking::v1::{
    Booking, BookingQuote, ChangeBookingRequest, PaymentMethod, QuoteBookingRequest, QuoteChangeRequest,
};
use yeyak::proto::common::v1::Money;
use yeyak::proto::coupon::v1::coupon_parameter::Value;
use yeyak::proto::coupon::v1::coupon_policy::{Issuing, Validity};
use yeyak::proto::coupon::v1::{
    Coupon, CouponParameter, CouponPolicy, CouponStacking, CouponTerm, CouponTexts, CreateCouponPolicyRequest,
    GetCouponRequest, GrantCouponRequest, UpdateCouponPolicyRequest, coupon,
};
use yeyak::proto::ledger::v1::GetAccountBalanceRequest;
use yeyak::{Client, Error};

use crate::harness::{Yeyak, id_of};
use crate::place::{Place, Plan, date, minor, nights, take};

/// From when, until when.
pub(super) type Stay = (NaiveDate, NaiveDate);

pub(super) fn money(minor_units: i64) -> Money {
    Money { currency_code: "KRW".into(), minor_units }
}

pub(super) fn won(minor_units: i64) -> Value {
    Value::Amount(money(minor_units))
}

pub(super) fn term(kind: &str, parameters: Vec<(&str, Value)>) -> CouponTerm {
    let parameters =
        parameters.into_iter().map(|(name, value)| CouponParameter { name: name.into(), value: Some(value) }).collect();
    CouponTerm { kind: kind.into(), parameters }
}

pub(super) fn amount_off(minor_units: i64) -> CouponPolicy {
    plain(term("FIXED_AMOUNT", vec![("amount", won(minor_units))]))
}

pub(super) fn percent_off(percent: i64) -> CouponPolicy {
    plain(term("PERCENT", vec![("percent", Value::Number(percent))]))
}

pub(super) fn plain(benefit: CouponTerm) -> CouponPolicy {
    CouponPolicy {
        name: "봄맞이 할인".into(),
        issuing: Issuing::Grant.into(),
        benefit: Some(benefit),
        validity: Some(Validity::ValidDays(90)),
        per_member_count: 100,
        ..Default::default()
    }
}

pub(super) fn of_group(policy: CouponPolicy, group: &str) -> CouponPolicy {
    CouponPolicy { stacking: Some(CouponStacking { group: group.into(), ..Default::default() }), ..policy }
}

/// A coupon of a new policy, given to a member.
pub(super) async fn give(keeper: &Client, member: &Client, policy: CouponPolicy) -> Coupon {
    let policy = create(keeper, policy).await;
    grant(keeper, member, &policy).await
}

pub(super) async fn create(keeper: &Client, policy: CouponPolicy) -> CouponPolicy {
    let create = CreateCouponPolicyRequest { coupon_policy: Some(policy), ..Default::default() };
    keeper.coupon_policies().create_coupon_policy(create).await.expect("creates")
}

pub(super) async fn grant(keeper: &Client, member: &Client, policy: &CouponPolicy) -> Coupon {
    let member_id = id_of(member).await;
    let grant = GrantCouponRequest { policy_id: policy.id.clone(), member_id, ..Default::default() };
    keeper.coupons().grant_coupon(grant).await.expect("grants")
}

pub(super) async fn look(member: &Client, coupon: &Coupon) -> Coupon {
    member.coupons().get_coupon(GetCouponRequest { id: coupon.id.clone() }).await.expect("a coupon")
}

pub(super) async fn state(member: &Client, coupon: &Coupon) -> coupon::State {
    look(member, coupon).await.state()
}

pub(super) fn ask(place: &Place, stay: Stay, coupons: &[&Coupon]) -> QuoteBookingRequest {
    QuoteBookingRequest {
        room_type_id: place.room_type_id.clone(),
        rate_plan_id: place.rate_plan_id.clone(),
        check_in_date: date(stay.0),
        check_out_date: date(stay.1),
        coupon_ids: coupons.iter().map(|coupon| coupon.id.clone()).collect(),
        ..Default::default()
    }
}

pub(super) async fn quote(place: &Place, member: &Client, coupons: &[&Coupon]) -> Result<BookingQuote, Error> {
    member.bookings().quote_booking(ask(place, nights(0, 2), coupons)).await
}

pub(super) async fn hold(place: &Place, member: &Client, coupons: &[&Coupon]) -> Result<Booking, Error> {
    let quote = quote(place, member, coupons).await?;
    member.bookings().create_booking(take(quote)).await
}

/// For who pays by transfer.
pub(super) fn for_transfers() -> CouponPolicy {
    let methods = Value::Texts(CouponTexts { values: vec!["TRANSFER".into()] });
    CouponPolicy { conditions: vec![term("PAYMENT_METHOD", vec![("methods", methods)])], ..amount_off(9_000) }
}

/// A booking that is to be paid by transfer, since its coupon asks for that.
pub(super) async fn hold_by_transfer(place: &Place, member: &Client, coupon: &Coupon) -> Booking {
    let transfer = PaymentMethod::Transfer.into();
    let ask = QuoteBookingRequest { payment_method: transfer, ..ask(place, nights(0, 2), &[coupon]) };
    let quote = member.bookings().quote_booking(ask).await.expect("quotes");
    member.bookings().create_booking(take(quote)).await.expect("holds")
}

pub(super) async fn balance(admin: &Client, account: &str) -> i64 {
    let ask = GetAccountBalanceRequest { account: account.into(), currency_code: "KRW".into() };
    let balance = admin.ledger().get_account_balance(ask).await.expect("a balance");
    minor(&balance.balance)
}

pub(super) struct Stage {
    pub(super) yeyak: Yeyak,
    pub(super) place: Place,
    pub(super) member: Client,
    pub(super) admin: Client,
}

pub(super) async fn stage(plan: Plan) -> Stage {
    staged(Yeyak::new().await, plan).await
}

pub(super) async fn staged(yeyak: Yeyak, plan: Plan) -> Stage {
    let place = yeyak.place(plan).await;
    let (member, admin) = (yeyak.member().await, yeyak.admin().await);
    Stage { yeyak, place, member, admin }
}

pub(super) async fn change(member: &Client, booking: &Booking, stay: Stay) -> Result<Booking, Error> {
    let ask = QuoteChangeRequest { id: booking.id.clone(), check_in_date: date(stay.0), check_out_date: date(stay.1) };
    let quote_token = member.bookings().quote_change(ask).await?.token;
    let request = ChangeBookingRequest { id: booking.id.clone(), quote_token, ..Default::default() };
    member.bookings().change_booking(request).await
}

pub(super) async fn set_budget(keeper: &Client, policy: &CouponPolicy, budget: i64) -> Result<CouponPolicy, Error> {
    let request = UpdateCouponPolicyRequest {
        coupon_policy: Some(CouponPolicy { budget: Some(money(budget)), etag: String::new(), ..policy.clone() }),
        update_mask: Some(prost_types::FieldMask { paths: vec!["budget".into()] }),
        ..Default::default()
    };
    keeper.coupon_policies().update_coupon_policy(request).await
}
