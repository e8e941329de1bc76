//! What tests of coupons begin with: a seller who keeps policies, and what is asked of them.

use futures::future::join_all;
use yeyak::proto::common::v1::Money;
use yeyak::proto::coupon::v1::coupon_parameter::Value;
use yeyak::proto::coupon::v1::coupon_policy::{Issuing, Validity};
use yeyak::proto::coupon::v1::{
    Coupon, CouponParameter, CouponPolicy, CouponReceipt, CouponTerm, CreateCouponPolicyRequest,
    EndCouponPolicyRequest, GetCouponPolicyReportRequest, GetCouponPolicyRequest, GiftCouponRequest,
    GrantCouponRequest, ListCouponsRequest, PauseCouponPolicyRequest, ResumeCouponPolicyRequest, RevokeCouponRequest,
    UpdateCouponPolicyRequest,
};
use yeyak::{Client, Error, ErrorReason};

use crate::harness::{Yeyak, id_of};

pub(crate) fn won(minor_units: i64) -> Money {
    Money { currency_code: "KRW".into(), minor_units }
}

/// 5,000 won off, good for 30 days, issued in some way.
pub(crate) fn terms(issuing: Issuing) -> CouponPolicy {
    let amount = CouponParameter { name: "amount".into(), value: Some(Value::Amount(won(5_000))) };
    CouponPolicy {
        name: "봄맞이 할인".into(),
        issuing: issuing.into(),
        benefit: Some(CouponTerm { kind: "FIXED_AMOUNT".into(), parameters: vec![amount] }),
        validity: Some(Validity::ValidDays(30)),
        ..Default::default()
    }
}

pub(crate) fn instant(text: &str) -> Option<prost_types::Timestamp> {
    let time: chrono::DateTime<chrono::Utc> = text.parse().expect("an instant");
    Some(prost_types::Timestamp { seconds: time.timestamp(), nanos: 0 })
}

pub(crate) async fn create(keeper: &Client, policy: CouponPolicy) -> Result<CouponPolicy, Error> {
    let request = CreateCouponPolicyRequest { coupon_policy: Some(policy), ..Default::default() };
    keeper.coupon_policies().create_coupon_policy(request).await
}

pub(crate) async fn policy(keeper: &Client, policy: CouponPolicy) -> CouponPolicy {
    create(keeper, policy).await.expect("creates")
}

pub(crate) async fn get(client: &Client, id: &str) -> Result<CouponPolicy, Error> {
    client.coupon_policies().get_coupon_policy(GetCouponPolicyRequest { id: id.to_owned() }).await
}

pub(crate) async fn update(keeper: &Client, policy: CouponPolicy, fields: &[&str]) -> Result<CouponPolicy, Error> {
    let paths = fields.iter().map(|field| (*field).to_owned()).collect();
    let request = UpdateCouponPolicyRequest {
        coupon_policy: Some(policy),
        update_mask: Some(prost_types::FieldMask { paths }),
        ..Default::default()
    };
    keeper.coupon_policies().update_coupon_policy(request).await
}

pub(crate) async fn pause(keeper: &Client, id: &str) -> Result<CouponPolicy, Error> {
    let request = PauseCouponPolicyRequest { id: id.to_owned(), ..Default::default() };
    keeper.coupon_policies().pause_coupon_policy(request).await
}

pub(crate) async fn resume(keeper: &Client, id: &str) -> Result<CouponPolicy, Error> {
    let request = ResumeCouponPolicyRequest { id: id.to_owned(), ..Default::default() };
    keeper.coupon_policies().resume_coupon_policy(request).await
}

pub(crate) async fn end(keeper: &Client, id: &str) -> Result<CouponPolicy, Error> {
    let request = EndCouponPolicyRequest { id: id.to_owned(), ..Default::default() };
    keeper.coupon_policies().end_coupon_policy(request).await
}

pub(crate) async fn grant(keeper: &Client, policy: &str, member: &str) -> Result<Coupon, Error> {
    let request =
        GrantCouponRequest { policy_id: policy.to_owned(), member_id: member.to_owned(), ..Default::default() };
    keeper.coupons().grant_coupon(request).await
}

pub(crate) async fn gift(giver: &Client, coupon: &str, recipient: &str) -> Result<Coupon, Error> {
    let request = GiftCouponRequest { id: coupon.to_owned(), recipient_id: recipient.to_owned(), ..Default::default() };
    giver.coupons().gift_coupon(request).await
}

/// Takes back the issue of a coupon, whose receipt has the same letters.
pub(crate) async fn revoke(keeper: &Client, coupon: &str) -> Result<CouponReceipt, Error> {
    let receipt_id = coupon.replace("coupon_", "receipt_");
    let request = RevokeCouponRequest { receipt_id, reason: "실수".into(), ..Default::default() };
    keeper.coupons().revoke_coupon(request).await
}

pub(crate) async fn coupons(client: &Client) -> Vec<Coupon> {
    client.coupons().list_coupons(ListCouponsRequest::default()).await.expect("lists").coupons
}

/// The coupons of a policy, its receipts, and whether they agree.
pub(crate) async fn counted(keeper: &Client, policy: &str) -> (i64, i64, bool) {
    let request = GetCouponPolicyReportRequest { id: policy.to_owned() };
    let report = keeper.coupon_policies().get_coupon_policy_report(request).await.expect("reports");
    (report.coupon_count, report.receipt_count, report.consistent)
}

/// Clients of new members, with their ids.
pub(crate) async fn crowd(yeyak: &Yeyak, count: usize) -> Vec<(Client, String)> {
    let member = |_| async {
        let client = yeyak.member().await;
        let id = id_of(&client).await;
        (client, id)
    };
    join_all((0..count).map(member)).await
}

pub(crate) fn won_by<T>(outcomes: &[Result<T, Error>]) -> usize {
    outcomes.iter().filter(|outcome| outcome.is_ok()).count()
}

/// Every refusal is for this reason.
pub(crate) fn others_are<T>(outcomes: &[Result<T, Error>], reason: ErrorReason) {
    for refused in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        assert_eq!(refused.reason, reason, "{refused:?}");
    }
}

pub(crate) fn refused<T: std::fmt::Debug>(outcome: Result<T, Error>) -> ErrorReason {
    outcome.expect_err("is refused").reason
}
