//! What inventory refuses.

use crate::error::{ErrorReason, Fault, NAMED, listed};
use crate::kit::date::Date;
use crate::stay::RoomTypeId;

use super::model::StaleHold;

/// Why nights could not be had.
#[derive(Clone, Debug, thiserror::Error)]
pub enum InventoryError {
    /// Some nights have too few rooms left.
    #[error("{} taken; choose other dates or another room", nights(dates))]
    NightsTaken {
        /// Of which room type.
        room_type: RoomTypeId,
        /// Which nights.
        dates: Vec<Date>,
        /// Holds on them whose time is over: once their bookings are expired, another try may succeed.
        stale: Vec<StaleHold>,
    },
    /// More rooms are held and sold than would be for sale.
    #[error("{taken} rooms are held or sold in the night of {date}; offer at least as many")]
    RoomsSold {
        /// Of which room type.
        room_type: RoomTypeId,
        /// Which night.
        date: Date,
        /// How many are held and sold.
        taken: i64,
        /// Holds on such nights whose time is over: once their bookings are expired, another try may succeed.
        stale: Vec<StaleHold>,
    },
}

fn nights(dates: &[Date]) -> String {
    match dates {
        [one] => format!("the night of {one} is"),
        all => format!("the nights of {} are", listed(all, ", ")),
    }
}

impl Fault for InventoryError {
    fn reason(&self) -> ErrorReason {
        match self {
            Self::NightsTaken { .. } => ErrorReason::NightsTaken,
            Self::RoomsSold { .. } => ErrorReason::RoomsSold,
        }
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::NightsTaken { room_type, dates, .. } => {
                let dates: Vec<_> = dates.iter().take(NAMED).map(Date::to_string).collect();
                vec![("room_type_id", room_type.to_string()), ("dates", dates.join(","))]
            }
            Self::RoomsSold { room_type, date, taken, .. } => {
                vec![
                    ("room_type_id", room_type.to_string()),
                    ("date", date.to_string()),
                    ("taken_count", taken.to_string()),
                ]
            }
        }
    }
}
