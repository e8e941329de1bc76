//! What stays refuse.

use super::model::{PropertyId, RatePlanId, Refusal, RoomTypeId, refusals_in_short};
use crate::error::{ErrorReason, Fault};
use crate::kit::money::Currency;

/// Why something about a property, its rooms or a stay was refused.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StayError {
    /// A stay breaks restrictions.
    #[error("the stay can't be had: {}", sentences(refusals))]
    Refused {
        /// Of which room type.
        room_type: RoomTypeId,
        /// Under which rate plan.
        rate_plan: RatePlanId,
        /// Every reason, in order of date.
        refusals: Vec<Refusal>,
    },
    /// A property lacks what everyone must see of it.
    #[error("{property} can't be for sale without {}", missing.join(", "))]
    Incomplete {
        /// Which property.
        property: PropertyId,
        /// What it lacks, by field or resource.
        missing: Vec<&'static str>,
    },
    /// There are as many as there may be.
    #[error("there are {maximum} {limit} already, and there can't be more")]
    LimitReached {
        /// Of what.
        limit: &'static str,
        /// How many there may be.
        maximum: u64,
    },
    /// An amount is in another currency than its property.
    #[error("`{field}` must be in {expected}, the currency of the property, not in {given}")]
    CurrencyMismatch {
        /// Which amount.
        field: String,
        /// The currency of the property.
        expected: Currency,
        /// That of the amount.
        given: Currency,
    },
}

fn sentences(refusals: &[Refusal]) -> String {
    let all: Vec<_> = refusals.iter().map(Refusal::to_string).collect();
    all.join("; ")
}

impl Fault for StayError {
    fn reason(&self) -> ErrorReason {
        match self {
            Self::Refused { .. } => ErrorReason::StayRefused,
            Self::Incomplete { .. } => ErrorReason::ListingIncomplete,
            Self::LimitReached { .. } => ErrorReason::CatalogueLimitReached,
            Self::CurrencyMismatch { .. } => ErrorReason::CurrencyMismatch,
        }
    }

    fn metadata(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Refused { room_type, rate_plan, refusals } => vec![
                ("room_type_id", room_type.to_string()),
                ("rate_plan_id", rate_plan.to_string()),
                ("refusals", refusals_in_short(refusals)),
            ],
            Self::Incomplete { property, missing } => {
                vec![("property_id", property.to_string()), ("missing", missing.join(", "))]
            }
            Self::LimitReached { limit, maximum } => {
                vec![("limit", (*limit).to_owned()), ("maximum", maximum.to_string())]
            }
            Self::CurrencyMismatch { field, expected, given } => {
                vec![("field", field.clone()), ("expected", expected.to_string()), ("given", given.to_string())]
            }
        }
    }
}
