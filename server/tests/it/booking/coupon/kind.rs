//! A kind that only this test knows, from the request that makes a policy of it to the booking that it made cheaper.

use yeyak::ErrorReason;
use yeyak::proto::booking::v1::QuoteBookingRequest;
use yeyak::proto::booking::v1::booking::State;
use yeyak::proto::coupon::v1::coupon_parameter::Value;
use yeyak::proto::coupon::v1::{CouponPolicy, CreateCouponPolicyRequest, ListCouponKindsRequest, coupon};
use yeyak_server::coupon::cart::Cart;
use yeyak_server::coupon::kind::benefit::OnTotal;
use yeyak_server::coupon::kind::condition::Gate;
use yeyak_server::coupon::kind::{Accepts, Benefit, Condition, Kind, Kinds, Meaning, Parameter, Refusal};
use yeyak_server::kit::date::Date;

use super::{ask, give, plain, quote, stage, staged, state, term};
use crate::harness::{Installation, Yeyak};
use crate::place::{PRICE, Plan, cancel, get, is, minor, nights, pay, take};

/// Takes a won off every full so many.
const TITHE: Kind = Kind {
    name: "TITHE",
    description: "Takes 1 off every full so many.",
    parameters: &[Parameter {
        name: "of",
        accepts: Accepts::Number { least: 2, most: 100 },
        required: true,
        meaning: "How many.",
    }],
    meaning: Meaning::Benefit(|values| Ok(Benefit::on_total(Tithe(values.number("of")?)))),
};
/// Holds where no line is of more than one night.
const ONE_NIGHT: Kind = Kind {
    name: "ONE_NIGHT",
    description: "The booking is of single nights.",
    parameters: &[],
    meaning: Meaning::Condition(|_| Ok(Condition::Gate(Box::new(OneNight)))),
};

#[derive(Debug)]
struct Tithe(i64);

impl OnTotal for Tithe {
    fn off(&self, left: i64) -> i64 {
        left / self.0
    }

    fn is_steady(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct OneNight;

impl Gate for OneNight {
    fn judge(&self, cart: &Cart, _: Date) -> Result<(), Refusal> {
        let single = cart.lines().iter().all(|line| line.units().len() <= 1);
        if single { Ok(()) } else { Err(Refusal::new("ONE_NIGHT", "the booking is of more than one night")) }
    }
}

fn tithe(of: i64) -> CouponPolicy {
    let conditions = vec![term("ONE_NIGHT", Vec::new())];
    CouponPolicy { conditions, ..plain(term("TITHE", vec![("of", Value::Number(of))])) }
}

/// Guard: nothing but the registry names a kind.
#[tokio::test]
async fn a_kind_that_only_a_test_knows_makes_a_booking_cheaper() {
    let kinds = Kinds::standard().with(TITHE).with(ONE_NIGHT);
    let installation = Installation::new(yeyak_services::on_production()).await;
    let start = "2026-03-02T03:00:00Z".parse().expect("an instant");
    let stage = staged(Yeyak::knowing(kinds, installation, start).await, Plan::default()).await;
    let listed = stage.member.coupon_policies().list_coupon_kinds(ListCouponKindsRequest::default()).await;
    let listed = listed.expect("lists").coupon_kinds;
    let told = listed.iter().find(|kind| kind.name == "TITHE").expect("is listed");
    assert_eq!(told.parameters[0].description, "How many. 2 to 100.");
    let create = CreateCouponPolicyRequest { coupon_policy: Some(tithe(1)), ..Default::default() };
    let refused = stage.admin.coupon_policies().create_coupon_policy(create).await.expect_err("1 is too few");
    assert_eq!(refused.violations[0].field, "coupon_policy.benefit.parameters[0].number");
    let coupon = give(&stage.admin, &stage.member, tithe(4)).await;

    let long = quote(&stage.place, &stage.member, &[&coupon]).await.expect_err("two nights");
    assert_eq!((long.reason, &*long.metadata["why"]), (ErrorReason::CouponNotApplicable, "ONE_NIGHT"));
    let best = QuoteBookingRequest { best_coupons: true, ..ask(&stage.place, nights(0, 1), &[]) };
    let best = stage.member.bookings().quote_booking(best).await.expect("quotes");
    assert_eq!((minor(&best.total), best.discounts.len()), (PRICE - PRICE / 4, 1));
    let booking = stage.member.bookings().create_booking(take(best)).await.expect("holds");
    pay(&stage.yeyak, &stage.member, &booking).await;

    assert!(is(&get(&stage.member, &booking.id).await, State::Confirmed));
    assert_eq!(state(&stage.member, &coupon).await, coupon::State::Used);
    cancel(&stage.member, &booking).await.expect("cancels");
    stage.yeyak.settle().await;
    assert_eq!(state(&stage.member, &coupon).await, coupon::State::Available);
    stage.yeyak.check().await;
}

#[tokio::test]
async fn a_kind_that_nobody_registered_is_refused_by_its_place() {
    let stage = stage(Plan::default()).await;

    let create = CreateCouponPolicyRequest { coupon_policy: Some(tithe(4)), ..Default::default() };
    let refused = stage.admin.coupon_policies().create_coupon_policy(create).await.expect_err("is not known");

    let fields: Vec<_> = refused.violations.iter().map(|violation| &*violation.field).collect();
    assert_eq!(fields, ["coupon_policy.benefit.kind", "coupon_policy.conditions[0].kind"]);
}
