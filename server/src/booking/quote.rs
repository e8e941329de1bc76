//! Quoting a stay.

use std::num::NonZeroU16;

use super::model::{Booking, Line, Method, due};
use super::token::{self, BookingQuote, QuotedLine, QuotedTerms};
use super::{Bookings, convert};
use crate::coupon::apply::{Choice, Discount, Offered};
use crate::coupon::cart::{self, Cart, Subject, Unit};
use crate::error::Error;
use crate::kit::caller::Member;
use crate::kit::clock::Time;
use crate::kit::id::MemberId;
use crate::kit::money::{Currency, Money};
use crate::point::PointError;
use crate::stay::model::{RefundTerms, Wanted};
use crate::stay::{RatePlanId, RoomTypeId, StayOffer};

/// Asks for the price of a stay.
#[derive(Clone, Debug)]
pub(super) struct AskQuote {
    pub(super) room_type: RoomTypeId,
    pub(super) rate_plan: RatePlanId,
    pub(super) wanted: Wanted,
    pub(super) coupons: Choice,
    pub(super) method: Option<Method>,
    pub(super) points: i64,
}

/// A signed price.
#[derive(Clone, Debug)]
pub(super) struct Quoted {
    pub(super) token: String,
    pub(super) line: Line,
    pub(super) offer: StayOffer,
    pub(super) coupons: Offered,
    pub(super) points: i64,
    pub(super) usable_points: i64,
    pub(super) total: Money,
    pub(super) terms: RefundTerms,
    pub(super) expire_time: Time,
}

impl Bookings {
    /// Prices a stay and signs the price.
    pub(super) async fn quote(&self, caller: &Member, ask: AskQuote) -> Result<Quoted, Error> {
        let offer = self.stays.offer(ask.room_type, ask.rate_plan, ask.wanted).await?;
        let line = line_of(&offer);
        let candidates = self.coupons.candidates(caller.id, offer.seller, &ask.coupons).await?;
        let coupons = match candidates.is_empty() {
            true => Offered::default(),
            false => {
                let cart = self.cart(caller.id, &offer, &line, ask.method).await?;
                self.coupons.offer(candidates, cart, &ask.coupons).await?
            }
        };
        let price = Money::new(offer.price.total.currency, due(std::slice::from_ref(&line), &coupons.discounts));
        let usable_points = self.usable_points(caller.id, price, ask.points).await?;
        let total = Money { minor: price.minor - ask.points, ..price };
        let expire_time = self.kit.clock.now() + self.settings.quote;
        let mut nonce = [0; 8];
        self.kit.ids.fill(&mut nonce);
        let quote = BookingQuote {
            member: caller.id,
            seller: offer.seller,
            property: offer.property,
            property_name: offer.property_name.clone(),
            zone: offer.zone.name().to_owned(),
            currency: offer.price.total.currency.to_string(),
            line: QuotedLine::from(&line),
            discounts: coupons.discounts.clone(),
            points: ask.points,
            method: ask.method,
            terms: QuotedTerms::from(&offer.terms),
            needs_approval: offer.needs_approval,
            late_payment: offer.late_payment.into(),
            expire_time,
            nonce: u64::from_le_bytes(nonce),
        };
        let token = token::seal(&self.kit, &quote)?;
        let (points, terms) = (ask.points, offer.terms.clone());
        Ok(Quoted { token, line, coupons, points, usable_points, total, terms, offer, expire_time })
    }

    /// How many points a member can use for a price. Fewer than they want are refused.
    async fn usable_points(&self, member: MemberId, price: Money, wanted: i64) -> Result<i64, Error> {
        let most = if price.currency == Currency::KRW { price.minor.max(0) } else { 0 };
        if wanted > most {
            return Err(PointError::NotUsable { usable: most }.into());
        }
        let available = self.points.available(member, wanted).await?;
        match wanted > available {
            true => Err(PointError::NotEnough { available, wanted }.into()),
            false => Ok(most.min(available)),
        }
    }

    /// What the coupons of a booking take off it at other dates, whatever has become of them since it has them.
    pub(super) async fn discounts_again(&self, booking: &Booking, offer: &StayOffer) -> Result<Vec<Discount>, Error> {
        if booking.discounts.is_empty() {
            return Ok(Vec::new());
        }
        let mut cart = self.cart(booking.member, offer, &line_of(offer), booking.method).await?;
        // It is judged as when it was booked.
        cart.now = booking.create_time;
        cart.member.has_booked = true;
        self.coupons.offer_again(&booking.discounts, &cart).await
    }

    /// What coupons are judged against.
    async fn cart(
        &self,
        member: MemberId,
        offer: &StayOffer,
        line: &Line,
        method: Option<Method>,
    ) -> Result<Cart, Error> {
        let rooms = NonZeroU16::new(line.rooms).ok_or_else(|| Error::internal("a stay has a room"))?;
        let nights: Vec<_> = line.nights.dates().zip(line.prices.iter().copied()).collect();
        let subject = Subject::Nights {
            property: offer.property.0,
            region: offer.region.code().to_owned(),
            room_type: offer.room_type.0,
        };
        let line = cart::Line::new(offer.seller, subject, Unit::of_rooms(rooms, &nights));
        let mut cart =
            Cart::new(offer.price.total.currency, self.kit.clock.now(), vec![line]).map_err(Error::internal)?;
        cart.member.first_booking = self.is_first(self.kit.db.read(), member, None).await?;
        cart.member.tier = self.points.tier(member).await?;
        cart.payment_method = method.map(|method| method.name().to_owned());
        Ok(cart)
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
