//! Holding nights: all or none.

use super::Inventory;
use super::error::InventoryError;
use super::model::{Hold, StaleHold};
use super::store;
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::date::{Date, Nights};
use crate::kit::id::BookingId;
use crate::kit::tx::Tx;
use crate::stay::RoomTypeId;

/// Nights that a booking wants.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Which line of the booking they are.
    pub line: u16,
    /// Rooms of which type.
    pub room_type: RoomTypeId,
    /// Which nights.
    pub nights: Nights,
    /// How many rooms in each.
    pub rooms: u16,
    /// How many rooms the type has in a night that nobody has touched.
    pub room_count: u32,
}

impl Inventory {
    /// Holds every night that is wanted, or none, until `expire_time`. Refused with the nights that have too few rooms, and
    /// with the holds on them whose time is over; whoever goes on with the transaction holds nothing by it then.
    pub async fn hold(
        &self,
        tx: &Tx,
        booking: BookingId,
        wanted: &[Wanted],
        expire_time: Option<Time>,
    ) -> Result<(), Error> {
        let mut wanted = wanted.to_vec();
        wanted.sort_by_key(|line| (line.room_type, line.nights.check_in()));
        for (done, line) in wanted.iter().enumerate() {
            let (room_type, nights, rooms) = (line.room_type, line.nights, i64::from(line.rooms));
            let taken = store::take(tx, room_type, nights, rooms, i64::from(line.room_count)).await?;
            let full: Vec<_> = nights.dates().filter(|date| !taken.contains(date)).collect();
            if !full.is_empty() {
                store::give(tx, room_type, &taken, rooms).await?;
                for line in &wanted[..done] {
                    self.let_go(tx, booking, line).await?;
                }
                return Err(self.refusal(tx, line, full).await?);
            }
            let hold = Hold { booking, line: i64::from(line.line), nights, rooms, sold: false, expire_time };
            store::insert_hold(tx, room_type, &hold).await?;
            self.free.changes_with(tx, room_type);
        }
        Ok(())
    }

    async fn let_go(&self, tx: &Tx, booking: BookingId, line: &Wanted) -> Result<(), Error> {
        store::delete_hold(tx, booking, line.line).await?;
        store::shift(tx, line.room_type, line.nights, -i64::from(line.rooms), 0).await
    }

    async fn refusal(&self, tx: &Tx, line: &Wanted, dates: Vec<Date>) -> Result<Error, Error> {
        let now = self.kit.clock.now();
        let nights = (line.nights.check_in(), line.nights.check_out());
        let stale = store::stale_holds(&**tx, line.room_type, nights, now).await?;
        let stale = stale.into_iter().map(|hold| StaleHold { booking: hold.booking }).collect();
        Ok(InventoryError::NightsTaken { room_type: line.room_type, dates, stale }.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::Harness;

    /// Guard: what was taken before the refusal is given back by it.
    #[tokio::test]
    async fn a_transaction_that_goes_on_after_a_refusal_holds_nothing_by_it() {
        let yeyak = Harness::new().await;
        let inventory = Inventory::new(yeyak.kit.clone());
        let date = |text: &str| text.parse::<Date>().expect("a date");
        let (first, middle, last) = (date("2026-05-01"), date("2026-05-02"), date("2026-05-03"));
        let now = yeyak.kit.clock.now();
        let mut room_types = [RoomTypeId::new(&yeyak.kit.ids, now), RoomTypeId::new(&yeyak.kit.ids, now)];
        room_types.sort();
        let line = |line: u16, room_type, check_in, check_out| {
            let nights = Nights::between(check_in, check_out).expect("a stay");
            Wanted { line, room_type, nights, rooms: 1, room_count: 1 }
        };
        let [one, other] = [1, 2].map(|_| BookingId::new(&yeyak.kit.ids, now));
        let hold = async |booking, wanted: &[Wanted]| {
            // Goes on, whatever became of it.
            yeyak.db.write(async |tx| Ok(inventory.hold(&tx, booking, wanted, None).await)).await.expect("commits")
        };
        hold(one, &[line(0, room_types[1], middle, last)]).await.expect("is free");

        let both = [line(0, room_types[0], first, last), line(1, room_types[1], first, last)];
        let refused = hold(other, &both).await.expect_err("its last night is full");

        let Some(InventoryError::NightsTaken { dates, .. }) = refused.fault() else { panic!("{refused}") };
        assert_eq!(*dates, [middle]);
        let left = [line(0, room_types[0], first, last), line(1, room_types[1], first, middle)];
        hold(other, &left).await.expect("nothing of it is held");
    }

    /// Guard: two dates, where a stay could not be so long.
    #[tokio::test]
    async fn rooms_that_are_taken_more_than_a_year_apart_are_not_taken_away() {
        let yeyak = Harness::new().await;
        let inventory = Inventory::new(yeyak.kit.clone());
        let now = yeyak.kit.clock.now();
        let room_type = RoomTypeId::new(&yeyak.kit.ids, now);
        let dates = ["2026-05-02", "2027-06-05"].map(|text| text.parse::<Date>().expect("a date"));
        for date in dates {
            let nights = Nights::between(date, date.succ_opt().expect("a day")).expect("a stay");
            let wanted = Wanted { line: 0, room_type, nights, rooms: 1, room_count: 1 };
            let booking = BookingId::new(&yeyak.kit.ids, now);
            yeyak.db.write(async |tx| inventory.hold(&tx, booking, &[wanted], None).await).await.expect("is free");
        }

        let refused = yeyak.db.write(async |tx| inventory.set_rooms(&tx, room_type, &dates, 0).await).await;

        let refused = refused.expect_err("they are taken");
        assert!(matches!(refused.fault(), Some(InventoryError::RoomsSold { .. })), "{refused}");
    }
}
