//! Changing what a seller says of a room type.

use chrono::Days;

use super::create::finish;
use crate::error::{Error, NotFound};
use crate::kit::caller::Seller;
use crate::kit::date::{Date, local_date};
use crate::kit::idempotency::{Record, Reply, RequestKey};
use crate::kit::money::Money;
use crate::kit::tx::Tx;
use crate::stay::calendar::month::month_of;
use crate::stay::model::{RoomChange, RoomDraft, RoomType, RoomTypeId};
use crate::stay::{Part, Stays, check_etag, store};

/// Asks for changes of a room type.
#[derive(Clone, Debug)]
pub(super) struct UpdateRoomType {
    pub(super) id: RoomTypeId,
    pub(super) etag: Option<String>,
    pub(super) changes: Vec<RoomChange>,
}

impl Stays {
    /// Changes a room type. Another number of rooms holds for every night for which the calendar sets none; refused when more
    /// are held and sold in one of them.
    pub(super) async fn update_room_type(
        &self,
        seller: &Seller,
        command: &UpdateRoomType,
        key: &RequestKey,
    ) -> Result<Reply<RoomType>, Error> {
        let load = async |id| self.own_room_type(seller, RoomTypeId(id)).await;
        self.kit
            .requests
            .once(seller.id.0, "UpdateRoomType", key, load, async |record| {
                self.making_way(async || self.change_recorded(seller, command, &record).await).await
            })
            .await
    }

    async fn change_recorded(
        &self,
        seller: &Seller,
        command: &UpdateRoomType,
        record: &Record,
    ) -> Result<RoomType, Error> {
        self.kit
            .db
            .write(async |tx| {
                let room_type = self.change_room_type(&tx, seller, command).await?;
                record.put(&tx, room_type.id.0).await?;
                Ok(room_type)
            })
            .await
    }

    async fn change_room_type(&self, tx: &Tx, seller: &Seller, command: &UpdateRoomType) -> Result<RoomType, Error> {
        let mut room_type = self.touch_room_type(tx, seller, command.id, Part::RoomType).await?;
        check_etag(room_type.id, command.etag.as_deref(), room_type.version)?;
        let fee = room_type.about.occupancy.extra_guest_fee();
        let fee = fee.map(|fee| Money::new(room_type.currency, fee.minor()));
        let mut draft = RoomDraft::of(&room_type.about, fee);
        command.changes.iter().for_each(|change| draft.apply(change.clone()));
        let rooms_before = room_type.about.room_count;
        room_type.about = finish(draft, room_type.currency)?;
        room_type.version += 1;
        room_type.update_time = self.kit.clock.now();
        store::room_type::update(tx, &room_type).await?;
        if room_type.about.room_count != rooms_before {
            self.follow_room_count(tx, &room_type).await?;
        }
        Ok(room_type)
    }

    /// Nights that someone has held or booked count for themselves: those that the calendar doesn't set follow the room type.
    async fn follow_room_count(&self, tx: &Tx, room_type: &RoomType) -> Result<(), Error> {
        let from = local_date(chrono_tz::UTC, self.kit.clock.now()) - Days::new(1);
        let counted = self.rooms.counted(tx, room_type.id, from).await?;
        let (Some(first), Some(last)) = (counted.iter().min(), counted.iter().max()) else { return Ok(()) };
        let months = store::calendar::rules(&**tx, room_type.id, (month_of(*first), month_of(*last))).await?;
        let is_set =
            |date: &Date| months.get(&month_of(*date)).is_some_and(|month| month.day(*date).room_count.is_some());
        let following: Vec<_> = counted.iter().copied().filter(|date| !is_set(date)).collect();
        self.rooms.set_rooms(tx, room_type.id, &following, room_type.about.room_count).await
    }

    /// Begins a change of a room type, or of what is below it: see [`Stays::touch`].
    pub(in crate::stay) async fn touch_room_type(
        &self,
        tx: &Tx,
        seller: &Seller,
        id: RoomTypeId,
        part: Part,
    ) -> Result<RoomType, Error> {
        let not_found = || Error::from(NotFound::new("room_type", id));
        let known = store::room_type::get_of(&**tx, seller.id, id).await?.ok_or_else(not_found)?;
        self.touch(tx, seller, known.property, part).await?;
        // As it is now that nobody else can change it.
        store::room_type::get_of(&**tx, seller.id, id).await?.ok_or_else(not_found)
    }
}
