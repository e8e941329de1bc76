//! What the coupons of a policy take off together.

use futures::future::join_all;
use yeyak::ErrorReason;
use yeyak::proto::common::v1::Money;
use yeyak::proto::coupon::v1::CouponPolicy;

use super::{Stage, amount_off, create, grant, hold, quote, set_budget, stage};
use crate::place::{Plan, cancel, take};

/// Guard: the condition on the sum in the statement that counts (`store::held::count`).
#[tokio::test(flavor = "multi_thread")]
async fn the_rest_of_a_budget_goes_to_exactly_one() {
    let Stage { yeyak, place, member: _, admin } = stage(Plan { rooms: 30, ..Plan::default() }).await;
    let budget = Some(Money { currency_code: "KRW".into(), minor_units: 30_000 });
    let policy = create(&admin, CouponPolicy { budget, ..amount_off(20_000) }).await;
    let mut quotes = Vec::new();
    for _ in 0..10 {
        let member = yeyak.member().await;
        let coupon = grant(&admin, &member, &policy).await;
        quotes.push((member.clone(), quote(&place, &member, &[&coupon]).await.expect("quotes")));
    }

    let outcomes = join_all(quotes.into_iter().map(|(member, quote)| {
        tokio::spawn(async move { (member.bookings().create_booking(take(quote)).await, member) })
    }))
    .await;

    let (mut held, mut spent) = (Vec::new(), 0);
    for outcome in outcomes {
        match outcome.expect("no panic") {
            (Ok(booking), member) => held.push((booking, member)),
            (Err(refused), _) => {
                assert_eq!(refused.reason, ErrorReason::CouponBudgetSpent, "{refused:?}");
                spent += 1;
            }
        }
    }
    assert_eq!((held.len(), spent), (1, 9));
    // And what one gives back, another may use.
    let (booking, member) = held.pop().expect("one");
    cancel(&member, &booking).await.expect("cancels");
    let other = yeyak.member().await;
    let coupon = grant(&admin, &other, &policy).await;
    hold(&place, &other, &[&coupon]).await.expect("holds");
    yeyak.check().await;
}

/// Guard: what is taken off is counted without a budget too, without which a booking from before there was one could never end.
#[tokio::test]
async fn a_budget_that_is_set_later_bears_what_was_taken_off_before() {
    let Stage { yeyak, place, member, admin } = stage(Plan { rooms: 30, ..Plan::default() }).await;
    let policy = create(&admin, amount_off(20_000)).await;
    let coupons = [grant(&admin, &member, &policy).await, grant(&admin, &member, &policy).await];
    let before = hold(&place, &member, &[&coupons[0]]).await.expect("holds");

    let too_small = set_budget(&admin, &policy, 19_999).await.expect_err("20,000 won are used");
    assert_eq!((too_small.reason, &*too_small.metadata["budget_used"]), (ErrorReason::CouponBudgetTooSmall, "20000"));
    set_budget(&admin, &policy, 30_000).await.expect("sets a budget");

    let refused = hold(&place, &member, &[&coupons[1]]).await.expect_err("10,000 won are left");
    assert_eq!((refused.reason, &*refused.metadata["why"]), (ErrorReason::CouponNotApplicable, "BUDGET_SPENT"));
    cancel(&member, &before).await.expect("ends");
    hold(&place, &member, &[&coupons[1]]).await.expect("the budget is free again");
    yeyak.check().await;
}
