//! Bookings: quoted, held, paid, used, and given back.
//!
//! Promises:
//! - a booking has all of its nights or none, and they are its own until it ends;
//! - it costs what its quote said, to the won, and gives back what its terms say, as they were quoted for its dates;
//! - it has the coupons and the points of its quote, and nobody else has them, from when it is made until it ends;
//! - its state moves along one table of transitions, each a compare-and-set with an event;
//! - a hold that has ended blocks nobody and can't be paid, with every job stopped;
//! - money that comes too late is never lost: it pays, goes back, or waits for the seller;
//! - a move to dearer dates happens when it is paid, or not at all.

mod cancel;
mod change;
mod check;
mod code;
mod convert;
mod create;
mod entity;
mod error;
mod expire;
mod follow;
mod life;
mod model;
mod pay;
mod pending;
mod points;
mod quote;
mod read;
mod rpc;
mod store;
mod token;
mod transition;
mod watch;

use std::sync::Arc;

use chrono::TimeDelta;

pub use self::check::INVARIANTS;
pub use self::error::BookingError;
pub use self::expire::ExpireJob;
pub use self::model::State;
use crate::backend::bus::Bus;
use crate::coupon::Coupons;
use crate::inventory::Inventory;
use crate::kit::Kit;
use crate::ledger::Ledger;
use crate::payment::Payments;
use crate::point::Points;
use crate::stay::Stays;

/// What can be set.
#[derive(Clone, Copy, Debug)]
pub struct BookingSettings {
    /// How long nights are held for a booking that is not paid.
    pub hold: TimeDelta,
    /// How long at most, however often it is extended.
    pub longest_hold: TimeDelta,
    /// How long a quote is honoured.
    pub quote: TimeDelta,
    /// How many unpaid bookings a member may hold.
    pub holds_per_member: u64,
    /// How long a seller may take to answer a request to book.
    pub request: TimeDelta,
    /// How long a provider is waited for before a payment reads RECONCILING.
    pub paying: TimeDelta,
}

/// What bookings are made of.
#[derive(Clone, Debug)]
pub struct Parts {
    /// What can be stayed in.
    pub stays: Stays,
    /// The rooms of each night.
    pub inventory: Inventory,
    /// What pays bookings.
    pub payments: Payments,
    /// What takes something off them.
    pub coupons: Coupons,
    /// What pays them beside money.
    pub points: Points,
}

/// The bookings of this installation.
#[derive(Clone, Debug)]
pub struct Bookings {
    kit: Kit,
    settings: BookingSettings,
    stays: Stays,
    inventory: Inventory,
    payments: Payments,
    coupons: Coupons,
    points: Points,
    ledger: Ledger,
    bus: Arc<dyn Bus>,
    look_ups: Arc<read::LookUps>,
}

impl Bookings {
    /// Bookings of what these sell, whose news goes over this bus.
    pub fn new(kit: Kit, settings: BookingSettings, parts: Parts, bus: Arc<dyn Bus>) -> Self {
        let ledger = Ledger::new(kit.clone());
        let Parts { stays, inventory, payments, coupons, points } = parts;
        let look_ups = Arc::default();
        let bookings = Self { kit, settings, stays, inventory, payments, coupons, points, ledger, bus, look_ups };
        bookings.payments.pays_for(Arc::new(bookings.clone()));
        bookings.inventory.held.by(Arc::new(bookings.clone()));
        bookings.coupons.held.by(Arc::new(bookings.clone()));
        bookings
    }
}
