//! What is found, what it costs, and which nights there are.

use crate::error::{Error, NotFound};
use crate::kit::date::{Date, Nights, local_date};
use crate::kit::page::PageKey;
use crate::stay::Stays;
use crate::stay::index::{Found, Key, Night, Priced, Query};
use crate::stay::model::{PropertyId, RatePlanId, RefundTerms, RoomTypeId, Wanted};

impl PageKey for Key {
    fn encode(&self) -> Vec<u8> {
        (self.rank, self.property.0).encode()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (rank, property) = PageKey::decode(bytes)?;
        Some(Self { rank, property: PropertyId(property) })
    }
}

impl Stays {
    /// The first day that is not past everywhere: today where days end last, at UTC-12.
    pub(super) fn earliest(&self) -> Date {
        local_date(chrono_tz::Etc::GMTPlus12, self.kit.clock.now())
    }

    /// The first night of a search that names none.
    pub(super) fn tomorrow(&self) -> Date {
        let today = local_date(chrono_tz::Asia::Seoul, self.kit.clock.now());
        today.succ_opt().unwrap_or(today)
    }

    /// Finds the properties that have the rooms on every night, each with its cheapest offer; and whether that may be out of
    /// date.
    pub(super) async fn search(&self, query: &Query) -> Result<(Found, bool), Error> {
        let (index, degraded) = self.catalogue.whole().await?;
        Ok((index.search(query, &*self.rooms, self.kit.clock.now()), degraded))
    }

    /// Prices a stay under one plan or all of them, each with what it would give back.
    pub(super) async fn price(
        &self,
        room_type: RoomTypeId,
        plan: Option<RatePlanId>,
        wanted: &Wanted,
    ) -> Result<Vec<(Priced, RefundTerms)>, Error> {
        let now = self.kit.clock.now();
        let index = self.catalogue.of_room_type(room_type).await?;
        let (listing, _) = index.room_type(room_type).ok_or_else(|| NotFound::new("room_type", room_type))?;
        let priced = index.price(room_type, plan, wanted, &*self.rooms, now);
        let priced = priced.ok_or_else(|| match plan {
            Some(plan) => NotFound::new("rate_plan", plan),
            None => NotFound::new("room_type", room_type),
        })?;
        let (zone, check_in) = (listing.details().zone, wanted.nights().check_in());
        let with_terms = |priced: Priced| {
            let terms = priced.policy.resolve(&self.season, zone, check_in, now);
            (priced, terms)
        };
        Ok(priced.into_iter().map(with_terms).collect())
    }

    /// The nights of a room type, for a guest to choose from.
    pub(super) async fn nights(&self, room_type: RoomTypeId, nights: Nights) -> Result<Vec<Night>, Error> {
        let index = self.catalogue.of_room_type(room_type).await?;
        let nights = index.nights(room_type, nights, &*self.rooms, self.kit.clock.now());
        nights.ok_or_else(|| NotFound::new("room_type", room_type).into())
    }
}
