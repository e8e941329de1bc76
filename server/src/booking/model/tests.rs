//! Where bookings may move.

use super::*;

#[test]
fn final_states_are_left_by_late_money_for_what_expired_alone() {
    let events = [
        Event::Approve,
        Event::Decline,
        Event::Extend,
        Event::BeginPayment,
        Event::PaymentFailed,
        Event::Capture,
        Event::Expire,
        Event::Cancel,
        Event::Change,
        Event::CheckIn,
        Event::MarkNoShow,
        Event::Complete,
    ];
    for state in State::ALL.into_iter().filter(|state| state.is_final()) {
        assert!(events.iter().all(|event| state.on(*event).is_none()), "{}", state.name());
    }
    let taken = State::ALL.into_iter().filter(|state| state.on(Event::AcceptLate).is_some());
    assert_eq!(taken.collect::<Vec<_>>(), [State::Expired], "who has cancelled does not come");
    for state in State::ALL {
        assert_eq!(State::of_name(state.name()), Some(state));
    }
}

#[test]
fn what_is_being_paid_neither_expires_nor_is_cancelled() {
    for event in [Event::Expire, Event::Cancel, Event::Change] {
        assert_eq!(State::Paying.on(event), None);
        assert_eq!(State::Reconciling.on(event), None);
    }
}
