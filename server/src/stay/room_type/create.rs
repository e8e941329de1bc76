//! Creating a room type.

use std::slice;

use crate::error::Error;
use crate::kit::caller::Seller;
use crate::kit::idempotency::{Reply, RequestKey};
use crate::kit::money::{Currency, Money};
use crate::kit::tx::Tx;
use crate::kit::violation::Violations;
use crate::stay::model::{NotOccupancy, PropertyId, RoomAbout, RoomDraft, RoomType, RoomTypeId, SaleState};
use crate::stay::{Part, StayError, Stays, store};

/// The most room types of a property.
const LIMIT: u64 = 50;

/// Asks for a room type.
#[derive(Clone, Debug)]
pub(super) struct CreateRoomType {
    pub(super) property: PropertyId,
    pub(super) draft: RoomDraft,
}

impl Stays {
    /// Creates a room type, open for sale on nights that have a price.
    pub(super) async fn create_room_type(
        &self,
        seller: &Seller,
        command: &CreateRoomType,
        key: &RequestKey,
    ) -> Result<Reply<RoomType>, Error> {
        let load = async |id| self.own_room_type(seller, RoomTypeId(id)).await;
        self.kit
            .requests
            .once(seller.id.0, "CreateRoomType", key, load, async |record| {
                let id = RoomTypeId::new(&self.kit.ids, self.kit.clock.now());
                self.kit
                    .db
                    .write(async |tx| {
                        let room_type = self.add_room_type(&tx, seller, id, command).await?;
                        record.put(&tx, id.0).await?;
                        Ok(room_type)
                    })
                    .await
            })
            .await
    }

    async fn add_room_type(
        &self,
        tx: &Tx,
        seller: &Seller,
        id: RoomTypeId,
        command: &CreateRoomType,
    ) -> Result<RoomType, Error> {
        let property = self.touch(tx, seller, command.property, Part::RoomType).await?;
        if store::room_type::count(&**tx, property.id).await? >= LIMIT {
            return Err(StayError::LimitReached { limit: "room types", maximum: LIMIT }.into());
        }
        let now = self.kit.clock.now();
        let room_type = RoomType {
            id,
            property: property.id,
            seller: seller.id,
            about: finish(command.draft.clone(), property.currency)?,
            currency: property.currency,
            state: SaleState::Open,
            version: 1,
            create_time: now,
            update_time: now,
        };
        store::room_type::insert_many(tx, slice::from_ref(&room_type)).await?;
        Ok(room_type)
    }
}

/// Checks what only fits together, or with the property.
pub(super) fn finish(draft: RoomDraft, currency: Currency) -> Result<RoomAbout, Error> {
    if let Some(Money { currency: given, .. }) = draft.extra_guest_fee.filter(|fee| fee.currency != currency) {
        let field = "room_type.extra_guest_fee".to_owned();
        return Err(StayError::CurrencyMismatch { field, expected: currency, given }.into());
    }
    let mut violations = Violations::new();
    let about = draft.finish();
    let field = match about {
        Err(NotOccupancy::Base) => "room_type.base_occupancy",
        _ => "room_type.max_occupancy",
    };
    let about = violations.take(field, about);
    violations.finish(about)
}
