//! Stays: properties, their room types and rate plans, the calendar of prices and restrictions, search and price.
//!
//! Promises:
//! - a night is a date at the property, and a stay is the half-open run of its nights;
//! - every night of a stay is checked and priced, and a refusal names each night and restriction at once;
//! - the nights of a price add up to its total, to the won;
//! - what a search finds has a price and free rooms on every night, as of the memory that it answers from;
//! - a search that begins after a change was answered finds what it changed;
//! - refund tiers never rise as check-in comes closer, and a booking keeps those that it was made under;
//! - a seller sees and changes what is their own, and nobody learns of what another keeps back.
//!
//! Every change of a property or of anything below it locks the property's row first and counts its revision, so that the parts
//! of a property never change past each other, and whoever holds an older reading knows.

mod bulk;
mod calendar;
mod catalogue;
mod convert;
mod entity;
mod error;
mod holidays;
pub mod index;
mod load;
pub mod model;
mod offer;
mod property;
mod rate_plan;
mod room_type;
mod rooms;
mod search;
mod store;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use yeyak_proto::yeyak::stay::v1::PropertyChanged;
pub use yeyak_proto::yeyak::stay::v1::property_changed::Part;

pub use self::bulk::{NewPlan, NewProperty, NewRoom};
pub use self::calendar::NightRules;
use self::catalogue::Catalogue;
pub use self::error::StayError;
pub use self::index::Availability;
use self::model::{Property, Season};
pub use self::model::{PropertyId, RatePlanId, RoomTypeId};
pub use self::offer::{LatePayment, StayOffer};
pub use self::rooms::Rooms;
use crate::backend::bus::Bus;
use crate::error::{Error, NotFound};
use crate::kit::Kit;
use crate::kit::caller::{Caller, Seller};
use crate::kit::id::MemberId;
use crate::kit::outbox::Cause;
use crate::kit::request::check_etag;
use crate::kit::tx::Tx;

/// What can be stayed in.
#[derive(Clone, Debug)]
pub struct Stays {
    kit: Kit,
    catalogue: Catalogue,
    rooms: Arc<dyn Rooms>,
    season: Arc<Season>,
}

impl Stays {
    /// Kept in the kit's database, with rooms counted by inventory; changes are told to other processes over the bus.
    pub fn new(kit: Kit, rooms: Arc<dyn Rooms>, bus: Arc<dyn Bus>) -> Self {
        let season = Arc::new(Season::korean(holidays::korean()));
        Self { catalogue: Catalogue::new(kit.clone(), rooms.clone(), bus), rooms, season, kit }
    }

    /// Keeps the search index in step with the tables until the server stops; the first thing that it does is fill it.
    pub async fn keep_index(&self, stop: CancellationToken) {
        self.catalogue.run(stop).await;
    }

    /// Waits until every property is in the search index.
    pub async fn warm(&self) -> Result<(), Error> {
        self.catalogue.fill().await
    }

    /// When stays are in demand.
    pub fn season(&self) -> &Season {
        &self.season
    }

    /// Whether there is anything to find.
    pub async fn is_empty(&self) -> Result<bool, Error> {
        Ok(!store::property::is_any_listed(self.kit.db.read()).await?)
    }

    /// How many properties a seller has.
    pub async fn property_count(&self, seller: MemberId) -> Result<u64, Error> {
        store::property::count(self.kit.db.read(), seller).await
    }

    /// Begins a change of a property or of what is below it: locks it, counts the change, and has it announced and read again
    /// once the transaction commits.
    async fn touch(&self, tx: &Tx, seller: &Seller, id: PropertyId, part: Part) -> Result<Property, Error> {
        let touched = store::property::touch(tx, seller.id, id, self.kit.clock.now()).await?;
        let property = touched.ok_or_else(|| NotFound::new("property", id))?;
        self.announce(tx, seller, &property, part);
        Ok(property)
    }

    fn announce(&self, tx: &Tx, seller: &Seller, property: &Property, part: Part) {
        let event = PropertyChanged {
            property_id: property.id.to_string(),
            seller_id: property.seller.to_string(),
            part: part.into(),
        };
        let actor = seller.actor();
        let cause = Cause { aggregate: property.id.0, version: property.revision, actor: &actor };
        self.kit.outbox.put(tx, cause, &event);
        self.catalogue.changes_with(tx, property.id);
    }
}

/// The member who reads, when there is one: sellers see what of their own is kept back.
fn reader(caller: &Caller) -> Option<MemberId> {
    caller.known().map(|member| member.id)
}
