//! The promises of bookings, against their tables.

use std::collections::HashMap;

use chrono::TimeDelta;

use super::model::{Booking, State};
use super::{Bookings, store};
use crate::error::Error;
use crate::kit::check::Violation;
use crate::kit::id::BookingId;
use crate::ledger::Account;

/// What is checked, in words.
pub const INVARIANTS: &[&str] = &[
    "a booking has its nights while it is live, and none once it has ended",
    "a booking's lines add up to its total",
    "a confirmed booking is paid, and gives back at most what was paid",
    "each version of a booking has its event",
    "no payment is under way for more than a day",
    "the ledger holds for a booking what was paid and is neither given back nor earned",
];
const SLICE: u64 = 500;
const STUCK: TimeDelta = TimeDelta::days(1);

impl Bookings {
    /// Everything that is not as it must be.
    pub async fn check(&self) -> Result<Vec<Violation>, Error> {
        let conn = self.kit.db.read();
        let held = self.inventory.rooms_by_booking().await?;
        let balances = self.ledger.booking_balances(&[]).await?;
        let mut violations = Vec::new();
        let mut after = None;
        loop {
            let bookings = store::slice(conn, &self.kit, after, SLICE).await?;
            let Some(last) = bookings.last() else { return Ok(violations) };
            after = Some(last.id);
            let events = store::event_counts(conn, &bookings).await?;
            for booking in &bookings {
                self.check_one(booking, &held, &balances, &events, &mut violations);
            }
        }
    }

    fn check_one(
        &self,
        booking: &Booking,
        held: &HashMap<BookingId, i64>,
        balances: &HashMap<(String, String), i64>,
        events: &HashMap<BookingId, i64>,
        violations: &mut Vec<Violation>,
    ) {
        let mut note = |invariant: usize, found: String| {
            let found = format!("{found} ({})", booking.state.name());
            violations.push(Violation::new(INVARIANTS[invariant], booking.id, found));
        };
        let rooms = held.get(&booking.id).copied().unwrap_or_default();
        let of_line = |line: &super::model::Line| i64::from(line.rooms) * i64::from(line.nights.count());
        let wanted = if booking.state.occupies() { booking.lines.iter().map(of_line).sum() } else { 0 };
        if rooms != wanted {
            note(0, format!("has {rooms} room nights of {wanted}"));
        }
        let lines: i64 = booking.lines.iter().map(|line| line.amount()).sum();
        if lines != booking.total.minor {
            note(1, format!("lines of {lines}, total of {}", booking.total.minor));
        }
        let settled = matches!(booking.state, State::Confirmed | State::InUse | State::Completed | State::NoShow);
        let unpaid = matches!(booking.state, State::Requested | State::Held | State::Paying | State::Expired);
        if (settled && booking.kept() > booking.total.minor) || (unpaid && booking.kept() != 0) || booking.kept() < 0 {
            note(2, format!("paid {}, given back {}, total {}", booking.paid, booking.refunded, booking.total.minor));
        }
        let count = events.get(&booking.id).copied().unwrap_or_default();
        if count != booking.version {
            note(3, format!("{count} events for version {}", booking.version));
        }
        let stuck = booking.state == State::Paying && booking.update_time + STUCK < self.kit.clock.now();
        if stuck {
            note(4, format!("paying since {}", booking.update_time.to_rfc3339()));
        }
        let account = Account::Booking(booking.id).to_string();
        let key = (account.clone(), booking.total.currency.to_string());
        let balance = balances.get(&key).copied().unwrap_or_default();
        let due = match booking.state {
            State::Completed => 0,
            _ => booking.kept() - booking.fee,
        };
        // Money that came late and waits for a decision or its way back is held for the booking too.
        if balance < due || (balance != due && settled) {
            note(5, format!("{account} holds {balance}, not {due}"));
        }
    }
}
