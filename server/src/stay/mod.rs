//! Stays: properties, their room types and rate plans, the calendar of prices and restrictions, search and price.
//!
//! Promises:
//! - a night is a date at the property, and a stay is the half-open run of its nights;
//! - every night of a stay is checked and priced, and a refusal names each night and restriction at once;
//! - the nights of a price add up to its total, to the won;
//! - what a search finds has a price and free rooms on every night, as of the memory that it answers from;
//! - refund tiers never rise as check-in comes closer, and a booking keeps those that it was made under.

pub mod index;
pub mod model;
mod offer;

pub use self::model::{PropertyId, RatePlanId, RoomTypeId};
pub use self::offer::{LatePayment, StayOffer};
