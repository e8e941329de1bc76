//! Quoting a stay.

use super::model::Line;
use super::token::{self, BookingQuote, QuotedLine, QuotedTerms};
use super::{Bookings, convert};
use crate::error::Error;
use crate::kit::caller::Member;
use crate::kit::clock::Time;
use crate::stay::model::{RefundTerms, Wanted};
use crate::stay::{RatePlanId, RoomTypeId, StayOffer};

/// Asks for the price of a stay.
#[derive(Clone, Copy, Debug)]
pub(super) struct AskQuote {
    pub(super) room_type: RoomTypeId,
    pub(super) rate_plan: RatePlanId,
    pub(super) wanted: Wanted,
}

/// A signed price.
#[derive(Clone, Debug)]
pub(super) struct Quoted {
    pub(super) token: String,
    pub(super) line: Line,
    pub(super) offer: StayOffer,
    pub(super) terms: RefundTerms,
    pub(super) expire_time: Time,
}

impl Bookings {
    /// Prices a stay and signs the price.
    pub(super) async fn quote(&self, caller: &Member, ask: AskQuote) -> Result<Quoted, Error> {
        let offer = self.stays.offer(ask.room_type, ask.rate_plan, ask.wanted).await?;
        let line = line_of(&offer);
        let expire_time = self.kit.clock.now() + self.settings.quote;
        let quote = BookingQuote {
            member: caller.id,
            seller: offer.seller,
            property: offer.property,
            property_name: offer.property_name.clone(),
            zone: offer.zone.name().to_owned(),
            currency: offer.price.total.currency.to_string(),
            line: QuotedLine::from(&line),
            terms: QuotedTerms::from(&offer.terms),
            needs_approval: offer.needs_approval,
            late_payment: offer.late_payment.into(),
            expire_time,
        };
        let token = token::seal(&self.kit, &quote)?;
        Ok(Quoted { token, line, terms: offer.terms.clone(), offer, expire_time })
    }
}

/// The line that an offer becomes.
pub(super) fn line_of(offer: &StayOffer) -> Line {
    let wanted = &offer.wanted;
    Line {
        room_type: offer.room_type,
        room_type_name: offer.room_type_name.clone(),
        rate_plan: offer.rate_plan,
        nights: wanted.nights(),
        rooms: wanted.rooms(),
        adults: wanted.guests().adults(),
        children: wanted.guests().children(),
        prices: offer.price.nights.iter().map(convert::night_total).collect(),
    }
}
