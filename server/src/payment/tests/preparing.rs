//! Beginning attempts.

use std::collections::HashSet;

use chrono::TimeDelta;
use futures::future::join_all;

use super::stage::Stage;
use crate::backend::provider::simulator::Fault;
use crate::error::ErrorReason;
use crate::kit::caller::Actor;
use crate::kit::money::{Currency, Money};
use crate::payment::model::State;
use crate::payment::payable::Parties;

/// Guard: the unique index over open attempts.
#[tokio::test]
async fn one_attempt_of_a_booking_waits_however_many_are_asked_for() {
    let stage = Stage::new().await;
    let booking = stage.booking().await;

    let views = join_all((0..20).map(|_| stage.try_prepare(booking))).await;

    let made: HashSet<_> = views.iter().map(|view| view.as_ref().unwrap().payment.id).collect();
    assert_eq!(made.len(), 1);
}

#[tokio::test]
async fn an_attempt_of_another_amount_or_of_the_past_makes_way() {
    let stage = Stage::new().await;
    let booking = stage.booking().await;
    let first = stage.prepare(booking).await;
    assert_eq!(stage.prepare(booking).await, first);

    stage.bookings.bill.lock().unwrap().amount = Money::won(2000);
    let second = stage.prepare(booking).await;
    stage.yeyak.clock.advance(TimeDelta::minutes(15));
    stage.bookings.bill.lock().unwrap().expire_time += TimeDelta::minutes(15);
    let third = stage.prepare(booking).await;

    assert_eq!([first, second, third].iter().collect::<HashSet<_>>().len(), 3);
    assert_eq!((stage.state(first).await, stage.state(second).await), (State::Expired, State::Expired));
    assert_eq!(stage.view(third).await.payment.amount, Money::won(2000));
}

#[tokio::test]
async fn a_booking_has_ten_attempts_and_each_change_ten_of_its_own() {
    let stage = Stage::new().await;
    let booking = stage.booking().await;
    for _ in 0..10 {
        let id = stage.prepare(booking).await;
        let key = stage.agree(id).await;
        stage.script(id, Fault::Decline { code: "REJECT_CARD_COMPANY".to_owned() }).await;
        assert_eq!(stage.confirm(id, &key).await.unwrap().state, State::Failed);
    }

    let refused = stage.try_prepare(booking).await.unwrap_err();

    assert_eq!(refused.reason(), ErrorReason::TooManyAttempts);
    stage.bookings.bill.lock().unwrap().change = Some(stage.change());
    let id = stage.prepare(booking).await;
    let key = stage.agree(id).await;
    assert_eq!(stage.confirm(id, &key).await.unwrap().state, State::Captured);
}

#[tokio::test]
async fn a_booking_has_a_hundred_attempts_in_all() {
    let stage = Stage::new().await;
    let booking = stage.booking().await;
    for _ in 0..100 {
        stage.bookings.bill.lock().unwrap().change = Some(stage.change());
        stage.prepare(booking).await;
    }
    stage.bookings.bill.lock().unwrap().change = Some(stage.change());

    let refused = stage.try_prepare(booking).await.unwrap_err();

    assert_eq!(refused.reason(), ErrorReason::TooManyAttempts);
}

#[tokio::test]
async fn an_attempt_under_way_lets_no_other_begin() {
    let stage = Stage::new().await;
    let booking = stage.booking().await;
    let id = stage.prepare(booking).await;
    let key = stage.agree(id).await;
    stage.yeyak.kit.crash.arm("payment.begun", crate::kit::crash::How::Error);
    stage.confirm(id, &key).await.unwrap_err();

    let refused = stage.try_prepare(booking).await.unwrap_err();

    assert_eq!(refused.reason(), ErrorReason::PaymentNotReady);
}

#[tokio::test]
async fn an_attempt_that_nobody_paid_expires_after_the_provider_was_asked() {
    let stage = Stage::new().await;
    let booking = stage.booking().await;
    let id = stage.prepare(booking).await;

    stage.reconcile_after(TimeDelta::minutes(15)).await;

    let stored = stage.payments.payment(id).await.unwrap();
    assert_eq!(stored.state, State::Expired);
    assert_eq!(stage.left(booking).await.failed, 0, "the booking was not asked to wait");
}

#[tokio::test]
async fn nothing_to_pay_is_a_payment_of_nothing() {
    let stage = Stage::new().await;
    let booking = stage.booking().await;
    let parties = Parties { member: stage.payer.id, seller: stage.seller.id };
    let actor = Actor::job("test");
    let nothing = async |tx| stage.payments.nothing_to_pay(&tx, booking, parties, Currency::KRW, &actor).await;

    let id = stage.yeyak.db.write(nothing).await.unwrap();

    let view = stage.view(id).await;
    assert_eq!((view.state, &*view.payment.provider, &*view.checkout_url), (State::Captured, "none", ""));
    assert_eq!(stage.confirm(id, "").await.unwrap().state, State::Captured);
    stage.assert_sound().await;
}

#[tokio::test]
async fn a_bill_of_nothing_is_confirmed_without_a_provider() {
    let stage = Stage::new().await;
    stage.bookings.bill.lock().unwrap().amount = Money::won(0);
    let booking = stage.booking().await;
    let id = stage.prepare(booking).await;

    assert_eq!(stage.confirm(id, "").await.unwrap().state, State::Captured);

    assert_eq!((stage.left(booking).await.received, stage.held(booking).await), (1, 0));
    stage.assert_sound().await;
}
