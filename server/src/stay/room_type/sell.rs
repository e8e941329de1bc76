//! Putting a room type on sale, and taking it off.

use crate::error::Error;
use crate::kit::caller::Seller;
use crate::kit::idempotency::{Reply, RequestKey};
use crate::stay::model::{RoomType, RoomTypeId, SaleState};
use crate::stay::{Part, Stays, store};

impl Stays {
    /// Opens or closes a room type; one that is in the state already stays as it is. Bookings made before stand.
    pub(super) async fn sell_room_type(
        &self,
        seller: &Seller,
        id: RoomTypeId,
        state: SaleState,
        key: &RequestKey,
    ) -> Result<Reply<RoomType>, Error> {
        let method = match state {
            SaleState::Open => "OpenRoomType",
            SaleState::Closed => "CloseRoomType",
        };
        let load = async |id| self.own_room_type(seller, RoomTypeId(id)).await;
        self.kit
            .requests
            .once(seller.id.0, method, key, load, async |record| {
                self.kit
                    .db
                    .write(async |tx| {
                        let mut room_type = self.touch_room_type(&tx, seller, id, Part::RoomType).await?;
                        if room_type.state != state {
                            room_type.state = state;
                            room_type.version += 1;
                            room_type.update_time = self.kit.clock.now();
                            store::room_type::update(&tx, &room_type).await?;
                        }
                        record.put(&tx, id.0).await?;
                        Ok(room_type)
                    })
                    .await
            })
            .await
    }
}
