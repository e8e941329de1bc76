//! What a booking has earned, while its price and its dates change.

use super::{Cause, Lot, NewLot, Purse, Subject, expiry_moved};
use crate::kit::clock::Time;
use crate::kit::date::Tz;
use crate::kit::id::{BookingId, Ids};

impl Lot {
    pub(super) fn is_earned_by(&self, booking: BookingId) -> bool {
        self.booking == Some(booking) && self.cause == Cause::Earn.name()
    }
}

impl Purse {
    /// What a booking has earned and was not taken back, of lots that are loaded.
    pub(in crate::point) fn earned_by(&self, booking: BookingId) -> i64 {
        let lots = self.lots.iter().filter(|lot| lot.is_earned_by(booking));
        lots.map(|lot| lot.points - lot.clawed).sum()
    }

    /// Points come for an amount that is paid above another, which has given its own: they are the first to be taken back.
    pub(in crate::point) fn add_above(&mut self, ids: &Ids, new: &NewLot, above: i64, subject: &Subject) {
        self.add(ids, new, subject);
        self.lots.last_mut().expect("it was just added").above = above;
    }

    /// What a booking has earned and can't be spent yet is pending until another moment, and good for as many days from then.
    pub(in crate::point) fn put_off(&mut self, booking: BookingId, until: Time, zone: Tz) {
        let pending = |lot: &&mut Lot| lot.is_earned_by(booking) && lot.pending && lot.remaining > 0;
        for lot in self.lots.iter_mut().filter(pending) {
            lot.expire_time = expiry_moved(zone, lot.expire_time, (lot.available_time, until));
            lot.available_time = until;
        }
    }
}
