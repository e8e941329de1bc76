//! What a booking needs to know of a stay, as it is at this moment.

use super::model::{PropertyId, RatePlanId, RefundTerms, Region, RoomTypeId, StayPrice, Wanted};
use crate::kit::date::Tz;
use crate::kit::id::MemberId;

/// A stay that can be booked, with its price.
#[derive(Clone, Debug)]
pub struct StayOffer {
    /// Where.
    pub property: PropertyId,
    /// Its name.
    pub property_name: String,
    /// In which region.
    pub region: Region,
    /// Who sells.
    pub seller: MemberId,
    /// Where its days begin.
    pub zone: Tz,
    /// Which rooms.
    pub room_type: RoomTypeId,
    /// Their name.
    pub room_type_name: String,
    /// How many rooms the type has in a night that nobody has touched.
    pub room_count: u32,
    /// On which terms.
    pub rate_plan: RatePlanId,
    /// What is wanted.
    pub wanted: Wanted,
    /// What it costs.
    pub price: StayPrice,
    /// What a cancellation gives back.
    pub terms: RefundTerms,
    /// Whether the seller is asked first.
    pub needs_approval: bool,
    /// What becomes of a payment that comes too late.
    pub late_payment: LatePayment,
}

/// What becomes of a payment that comes when its booking's hold has ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LatePayment {
    /// The booking takes its rooms again, if they are still free; else the money goes back.
    AcceptIfAvailable,
    /// The money goes back.
    Refund,
    /// The seller decides.
    Manual,
}
