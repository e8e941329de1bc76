//! What guests and sellers read.

use std::net::IpAddr;
use std::num::NonZeroU32;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::model::Booking;
use super::store::{self, Of};
use super::{Bookings, code};
use crate::backend::rate::Who;
use crate::error::{Error, NotFound};
use crate::kit::caller::Member;
use crate::kit::id::BookingId;
use crate::kit::page::Page;
use crate::layer::rate::RateLimited;

const LOOK_UPS_A_MINUTE: NonZeroU32 = NonZeroU32::new(10).expect("10 is not 0");

/// Counts look-ups by code, which anyone may try.
#[derive(Debug)]
pub(super) struct LookUps {
    addresses: DefaultKeyedRateLimiter<Option<Who>>,
}

impl Default for LookUps {
    fn default() -> Self {
        Self { addresses: RateLimiter::keyed(Quota::per_minute(LOOK_UPS_A_MINUTE)) }
    }
}

impl LookUps {
    fn check(&self, peer: Option<IpAddr>) -> Result<(), Error> {
        let counted = self.addresses.check_key(&peer.map(Who::at));
        counted.map_err(|until| RateLimited { wait: until.wait_time_from(DefaultClock::default().now()) }.into())
    }
}

impl Bookings {
    /// Forgets addresses that have been silent long enough to look up as many bookings as ever.
    pub fn tidy_look_ups(&self) {
        self.look_ups.addresses.retain_recent();
    }

    /// A booking of the caller, as its guest or as its seller.
    pub(super) async fn get(&self, caller: &Member, id: BookingId) -> Result<Booking, Error> {
        let found = store::find(self.kit.db.read(), &self.kit, id).await?;
        let theirs = |booking: &Booking| booking.member == caller.id || booking.seller == caller.id;
        Ok(found.filter(theirs).ok_or_else(|| NotFound::new("booking", id))?)
    }

    /// A page of bookings, newest first.
    pub(super) async fn list(&self, of: Of, page: &Page) -> Result<(Vec<Booking>, String), Error> {
        let found = store::list(self.kit.db.read(), &self.kit, of, page).await?;
        Ok(page.cut(&self.kit.keys, found, |booking| booking.id.0))
    }

    /// A booking, for whoever has both its code and its guest's address. What is wrong with either is not told.
    pub(super) async fn look_up(&self, typed: &str, email: &str, peer: Option<IpAddr>) -> Result<Booking, Error> {
        self.look_ups.check(peer)?;
        let found = match code::read(typed) {
            Some(code) => store::find_by_code(self.kit.db.read(), &self.kit, &code, email).await?,
            None => None,
        };
        Ok(found.ok_or_else(|| NotFound::new("booking", typed.chars().take(20).collect::<String>()))?)
    }
}
