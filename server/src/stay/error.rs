//! What stays refuse.

use super::model::{PropertyId, RatePlanId, Refusal, RoomTypeId, refusals_in_short};
use crate::error::{ErrorReason, Fault, listed};
use crate::kit::money::Currency;

/// Why something about a property, its rooms or a stay was refused.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StayError {
    /// A stay breaks restrictions.
    #[error("the stay can't be had: {}", listed(refusals, "; "))]
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

#[cfg(test)]
mod tests {
    use chrono::Days;
    use tonic::Status;
    use tonic::body::Body;

    use super::*;
    use crate::kit::clock::Time;
    use crate::kit::id::Ids;
    use crate::stay::model::Restriction;

    /// Guard: how much an error tells. gRPC core may refuse more than 8 KiB of headers.
    #[test]
    fn a_year_of_refused_nights_fits_into_an_answer() {
        let (ids, now) = (Ids::seeded(1), Time::UNIX_EPOCH);
        let first = now.date_naive();
        let refusals: Vec<_> = (0..365)
            .map(|night| Refusal { date: first + Days::new(night), restriction: Restriction::NoPrice })
            .collect();
        let (room_type, rate_plan) = (RoomTypeId::new(&ids, now), RatePlanId::new(&ids, now));
        let refused = StayError::Refused { room_type, rate_plan, refusals };

        let answer = Status::from(crate::error::Error::from(refused)).into_http::<Body>();

        let size: usize = answer.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
        assert!(size < 8192, "{size}");
    }
}
