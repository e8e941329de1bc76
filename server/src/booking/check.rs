//! The promises of bookings, against their tables.

use std::collections::{HashMap, HashSet};

use chrono::TimeDelta;

use super::model::{Booking, State, due};
use super::{Bookings, store};
use crate::error::Error;
use crate::inventory::RoomNights;
use crate::kit::check::Violation;
use crate::kit::id::BookingId;
use crate::ledger::{self, Account, Cause};
use crate::payment::Kept;
use crate::point::apply::Had;

/// What is checked, in words.
pub const INVARIANTS: &[&str] = &[
    "a booking has its nights while it is live, and none once it has ended",
    "a booking's lines less its discounts and its points add up to its total",
    "a confirmed booking is paid, and gives back at most what was paid",
    "each version of a booking has its event",
    "no payment is under way for more than a day",
    "the ledger holds for a booking what was taken for it and is neither given back nor earned",
    "what a booking says was paid and given back is what its payments say",
    "what of a booking is the seller's is what the ledger has moved to them",
    "nights beside those of a booking are held for a change that is to be paid alone",
    "the points of a booking are set aside until it is paid, spent then, and come back as it says",
    "what the platform has paid a seller for the points of a booking is what the ledger has moved to them",
];
const SLICE: u64 = 500;
const STUCK: TimeDelta = TimeDelta::days(1);

/// What a booking is compared with.
struct Facts {
    held: HashMap<BookingId, RoomNights>,
    /// Those with a change that is to be paid.
    pending: HashSet<BookingId>,
    balances: HashMap<(String, String), i64>,
    /// What was moved to sellers, less than 0.
    earned: HashMap<(String, String), i64>,
    payments: HashMap<(BookingId, String), Kept>,
}

impl Bookings {
    /// Everything that is not as it must be.
    pub async fn check(&self) -> Result<Vec<Violation>, Error> {
        let conn = self.kit.db.read();
        let facts = Facts {
            held: self.inventory.rooms_by_booking().await?,
            pending: store::pending::all(conn).await?.into_iter().map(|pending| pending.booking).collect(),
            balances: self.ledger.booking_balances(&[]).await?,
            earned: self.ledger.booking_balances(&[Cause::CancellationFee, Cause::Earned, Cause::ClawBack]).await?,
            payments: self.payments.kept().await?,
        };
        let mut violations = Vec::new();
        let mut after = None;
        loop {
            let bookings = store::checked::slice(conn, &self.kit, after, SLICE).await?;
            let Some(last) = bookings.last() else { return Ok(violations) };
            after = Some(last.id);
            let events = store::checked::event_counts(conn, &bookings).await?;
            let ids: Vec<_> = bookings.iter().map(|booking| booking.id).collect();
            let points = self.points.of_bookings(&ids).await?;
            let names = ids.iter().map(BookingId::to_string).collect();
            let shares = ledger::amounts_of(conn, Cause::PointShare, names).await?;
            for booking in &bookings {
                let mut note = |invariant: usize, found: String| {
                    let found = format!("{found} ({})", booking.state.name());
                    violations.push(Violation::new(INVARIANTS[invariant], booking.id, found));
                };
                self.check_life(booking, &facts, &events, &mut note);
                check_money(booking, &facts, &mut note);
                let had = points.get(&booking.id).copied().unwrap_or_default();
                check_points(booking, booking.state_at(self.kit.clock.now()), had, &mut note);
                let share = shares.get(&booking.id.to_string()).copied().unwrap_or_default();
                if share != booking.point_share {
                    note(10, format!("{} by the booking, {share} by the ledger", booking.point_share));
                }
            }
        }
    }

    fn check_life(
        &self,
        booking: &Booking,
        facts: &Facts,
        events: &HashMap<BookingId, i64>,
        note: &mut impl FnMut(usize, String),
    ) {
        let RoomNights { own: rooms, pending } = facts.held.get(&booking.id).copied().unwrap_or_default();
        if pending > 0 && !facts.pending.contains(&booking.id) {
            note(8, format!("holds {pending} room nights"));
        }
        let of_line = |line: &super::model::Line| i64::from(line.rooms) * i64::from(line.nights.count());
        let wanted = if booking.state.occupies() { booking.lines.iter().map(of_line).sum() } else { 0 };
        if rooms != wanted {
            note(0, format!("has {rooms} room nights of {wanted}"));
        }
        let count = events.get(&booking.id).copied().unwrap_or_default();
        if count != booking.version {
            note(3, format!("{count} events for version {}", booking.version));
        }
        let stuck = booking.state == State::Paying && booking.update_time + STUCK < self.kit.clock.now();
        if stuck {
            note(4, format!("paying since {}", booking.update_time.to_rfc3339()));
        }
    }
}

fn check_money(booking: &Booking, facts: &Facts, note: &mut impl FnMut(usize, String)) {
    let costs = due(&booking.lines, &booking.discounts);
    let paid_by = booking.total.minor + booking.points;
    // Points come back by a move to other dates, which cost less then, and by a cancellation.
    let least = paid_by - booking.points_back;
    let agree = match booking.state {
        State::Cancelled => (least..=paid_by).contains(&costs),
        _ => costs == least,
    };
    if !agree {
        let (points, total) = (booking.points, booking.total.minor);
        note(1, format!("lines less discounts of {costs}, total of {total} and {points} points"));
    }
    let settled = matches!(booking.state, State::Confirmed | State::InUse | State::Completed | State::NoShow);
    let unpaid = matches!(booking.state, State::Requested | State::Held | State::Paying | State::Expired);
    let kept = booking.kept();
    if (settled && kept - booking.refund_due > booking.total.minor) || (unpaid && kept != 0) || kept < 0 {
        note(2, format!("paid {}, given back {}, total {}", booking.paid, booking.refunded, booking.total.minor));
    }
    let currency = booking.total.currency.to_string();
    let key = (Account::Booking(booking.id).to_string(), currency.clone());
    let paid = facts.payments.get(&(booking.id, currency)).copied().unwrap_or_default();
    let balance = facts.balances.get(&key).copied().unwrap_or_default();
    // Money that came late and waits for a decision or its way back is held for the booking too.
    let due = kept - booking.earned - booking.withheld + paid.beside;
    if balance != due {
        note(5, format!("{} holds {balance}, not {due}", key.0));
    }
    if kept != paid.counted {
        note(6, format!("{kept} by the booking, {} by its payments", paid.counted));
    }
    let earned = -facts.earned.get(&key).copied().unwrap_or_default();
    if earned != booking.earned {
        note(7, format!("{} by the booking, {earned} by the ledger", booking.earned));
    }
}

/// By where the booking is now: what it holds comes back by itself the moment that its time is over.
fn check_points(booking: &Booking, now: State, had: Had, note: &mut impl FnMut(usize, String)) {
    let (points, points_back) = (booking.points, booking.points_back);
    let agree = match now {
        State::Requested | State::Held | State::Paying | State::Reconciling => {
            had == Had { reserved: points, ..Had::default() }
        }
        State::Confirmed | State::InUse | State::Completed | State::NoShow => {
            had == Had { spent: points, given_back: points_back, ..Had::default() }
        }
        State::Expired => had.spent == 0 && (had.reserved == 0 || booking.state != State::Expired),
        State::Cancelled => had.reserved == 0 && had.given_back == points_back,
    };
    if !agree {
        note(9, format!("{had:?} of {points} points, of which {points_back} came back"));
    }
}
