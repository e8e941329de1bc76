//! What was earned by something that was given back.

use super::*;

/// The exploit: earned, spent elsewhere, and what earned it given back.
#[test]
fn what_was_earned_and_spent_is_taken_back_as_the_policy_says() {
    let outcomes = [
        (ClawBack::Negative, ClawedBack { taken: 30, owed: 70, ..ClawedBack::default() }),
        (ClawBack::FromRefund, ClawedBack { taken: 30, withheld: 40, written_off: 30, ..ClawedBack::default() }),
        (ClawBack::WriteOff, ClawedBack { taken: 30, written_off: 70, ..ClawedBack::default() }),
    ];
    for (policy, expected) in outcomes {
        let mut stage = Stage::new();
        stage.earn_later(100, 0, 100, &of(1));
        stage.spend(70).expect("is there");

        let clawed = stage.claw_back(1, Part::Whole, policy, 40);

        assert_eq!(clawed, expected);
        assert_eq!(stage.purse.wallet.available, 0);
        let again = stage.claw_back(1, Part::Whole, policy, 40);
        assert_eq!(again, ClawedBack::default(), "once more takes nothing");
        stage.earn(100, 100);
        assert_eq!(stage.purse.wallet.available, 100 - expected.owed, "what is owed is paid first");
        stage.check();
    }
}

/// The exploit: earned, spent elsewhere, what earned it given back, and then the spending undone.
#[test]
fn what_was_written_off_is_taken_when_it_comes_back() {
    for (policy, left) in [(ClawBack::Negative, 0), (ClawBack::FromRefund, 40), (ClawBack::WriteOff, 0)] {
        // To its lot, or in place of what has expired of it.
        for (hours, grace) in [(0, None), (100, Some(50))] {
            let mut stage = Stage::new();
            stage.earn_later(100, 0, 100, &of(1));
            let spent = stage.spend(70).expect("is there");
            stage.claw_back(1, Part::Whole, policy, 40);
            stage.wait(hours);

            let halves = [35, 35].map(|half| stage.give_back(spent.id, half, grace).restored);

            assert_eq!(halves, if grace.is_none() { [35, 35] } else { [0, 0] });
            assert_eq!((stage.purse.wallet.available, stage.purse.wallet.owed), (left, 0), "{policy:?}");
            stage.check();
            stage.earn(10, 100);
            assert_eq!(stage.purse.wallet.available, left + 10, "once");
            stage.check();
        }
    }
}

/// Guards: what is owed is paid first of what comes back, what was written off is of what was spent, and it makes no difference
/// which of them comes back first.
#[test]
fn what_was_written_off_and_what_was_set_aside_are_taken_once_in_either_order() {
    for is_spent_first in [false, true] {
        let mut stage = Stage::new();
        stage.earn_later(100, 0, 100, &of(1));
        let spent = stage.spend(50).expect("is there");
        stage.reserve(50, 5).expect("is there");
        let clawed = stage.claw_back(1, Part::Whole, ClawBack::WriteOff, 0);
        assert_eq!((clawed.owed, clawed.written_off), (50, 50));

        if is_spent_first {
            stage.give_back(spent.id, 50, None);
        }
        let wallet = stage.wait(5);
        assert_eq!((wallet.available, wallet.reserved, wallet.owed), (0, 0, 0));
        stage.earn(10, 100);
        assert_eq!(stage.purse.wallet.available, 10, "nothing else is theirs to pay");

        stage.give_back(spent.id, 50, None);
        assert_eq!(stage.purse.wallet.available, 10);
        stage.check();
    }
}

/// The exploit: set aside for something that is never paid while what earned it is given back.
#[test]
fn what_was_earned_and_is_only_set_aside_is_not_written_off() {
    let outcomes = [
        (ClawBack::WriteOff, ClawedBack { taken: 30, owed: 50, written_off: 20, ..ClawedBack::default() }),
        (ClawBack::FromRefund, ClawedBack { taken: 30, owed: 30, withheld: 40, written_off: 0 }),
    ];
    for (policy, expected) in outcomes {
        let mut stage = Stage::new();
        stage.earn_later(100, 0, 100, &of(1));
        stage.earn_later(10, 0, 100, &of(2));
        stage.spend(30).expect("is there");
        stage.reserve(50, 5).expect("is there");

        let clawed = stage.claw_back(1, Part::Whole, policy, 40);

        assert_eq!(clawed, expected);
        let twice = stage.claw_back(2, Part::Whole, policy, 0);
        assert_eq!(twice.owed, (50 - expected.owed).min(10), "what is set aside pays once");
        stage.check();
        let wallet = stage.wait(5);
        assert_eq!((wallet.available, wallet.reserved, wallet.owed), (50 - expected.owed - twice.owed, 0, 0));
        stage.check();
    }
}

#[test]
fn a_part_that_was_given_back_takes_its_part_of_what_was_earned() {
    let mut stage = Stage::new();
    stage.earn_later(100, 50, 100, &of(1));
    let left = |minor| Part::Above(Money::won(minor));

    let mut claw = |part| stage.claw_back(1, part, ClawBack::WriteOff, 0).taken;

    assert_eq!(claw(left(6_550)), 35, "65 points are for 6,550 of 10,000");
    assert_eq!(claw(left(6_550)), 0);
    assert_eq!(claw(left(8_000)), 0, "what was taken back is not given again");
    assert_eq!(claw(Part::Whole), 65);
    assert_eq!(stage.purse.wallet.pending, 0);
    stage.check();
}

/// Guard: nobody has spent what expired, whether that is on record or just found.
#[test]
fn what_has_expired_of_what_was_earned_is_not_taken_back() {
    for recorded in [true, false] {
        let mut stage = Stage::new();
        stage.earn_later(100, 0, 24, &of(1));
        stage.earn(500, 100);
        stage.spend(30).expect("is there");
        match recorded {
            true => _ = stage.wait(24),
            false => stage.hours += 24,
        }

        let half = stage.claw_back(1, Part::Above(Money::won(8_000)), ClawBack::Negative, 0);
        let whole = stage.claw_back(1, Part::Whole, ClawBack::Negative, 0);

        assert_eq!((half.taken, half.owed), (0, 0), "more than 20 have expired");
        assert_eq!(whole, ClawedBack { taken: 30, ..ClawedBack::default() });
        assert_eq!(stage.purse.wallet.available, 470);
        assert_eq!(stage.claw_back(1, Part::Whole, ClawBack::Negative, 0), ClawedBack::default());
        stage.check();
    }
}

/// Guard: what is taken back makes room under the cap of its month; what is written off does not, nor what another month earned.
#[test]
fn what_is_taken_back_in_its_month_may_be_earned_again() {
    let month = month_number(Tz::UTC, start());
    for (policy, days, left) in [(ClawBack::Negative, 0, 0), (ClawBack::WriteOff, 0, 70), (ClawBack::Negative, 31, 40)]
    {
        let mut stage = Stage::new();
        stage.step(|_, purse| purse.wallet.earnings.add(month, 100));
        stage.earn_later(100, 0, 2_000, &of(1));
        stage.spend(70).expect("is there");
        if days > 0 {
            stage.wait(days * 24);
            stage.step(|_, purse| purse.wallet.earnings.add(month + 1, 40));
        }

        stage.claw_back(1, Part::Whole, policy, 0);

        assert_eq!(stage.purse.wallet.earnings.points, left);
    }
}
