//! The promises of inventory, against its tables.

use std::collections::HashMap;

use super::Inventory;
use super::store;
use crate::error::Error;
use crate::kit::check::Violation;
use crate::kit::id::BookingId;

/// What is checked, in words.
pub const INVARIANTS: &[&str] = &[
    "held + sold never exceeds the rooms that there are, in any night",
    "what a night counts as held and sold is what holds say",
];

impl Inventory {
    /// Everything that is not as it must be.
    pub async fn check(&self) -> Result<Vec<Violation>, Error> {
        let conn = self.kit.db.read();
        let mut sums = HashMap::new();
        for (room_type, hold) in store::all_holds(conn).await? {
            for date in hold.nights.dates() {
                let sum: &mut (i64, i64) = sums.entry((room_type, date)).or_default();
                if hold.sold { sum.1 += hold.rooms } else { sum.0 += hold.rooms }
            }
        }
        let mut violations = Vec::new();
        let mut note = |invariant: usize, subject: String, found: String| {
            violations.push(Violation::new(INVARIANTS[invariant], subject, found));
        };
        for (room_type, night) in store::all_nights(conn).await? {
            let subject = format!("{room_type} {}", night.date);
            if night.left() < 0 {
                note(0, subject.clone(), format!("{} held, {} sold of {}", night.held, night.sold, night.total));
            }
            let (held, sold) = sums.remove(&(room_type, night.date)).unwrap_or_default();
            if (held, sold) != (night.held, night.sold) {
                note(1, subject, format!("counts {} and {}, holds say {held} and {sold}", night.held, night.sold));
            }
        }
        for ((room_type, date), (held, sold)) in sums {
            note(1, format!("{room_type} {date}"), format!("counts nothing, holds say {held} and {sold}"));
        }
        Ok(violations)
    }
}

/// The room nights of a booking.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RoomNights {
    /// What it has.
    pub own: i64,
    /// What it holds beside that, for a change that is not paid.
    pub pending: i64,
}

impl Inventory {
    /// How many room nights each booking has.
    pub async fn rooms_by_booking(&self) -> Result<HashMap<BookingId, RoomNights>, Error> {
        let conn = self.kit.db.read();
        let mut rooms: HashMap<_, RoomNights> = HashMap::new();
        for (_, hold) in store::all_holds(conn).await? {
            let of = rooms.entry(hold.booking).or_default();
            let pending = hold.line >= i64::from(super::PENDING_LINE);
            *(if pending { &mut of.pending } else { &mut of.own }) += hold.rooms * i64::from(hold.nights.count());
        }
        Ok(rooms)
    }
}
