//! Quotes as signed tokens: honoured to the won, and stored only when used, by what tells them apart.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::BookingError;
use super::model::{Line, Method};
use crate::coupon::apply::Discount;
use crate::error::Error;
use crate::kit::Kit;
use crate::kit::clock::Time;
use crate::kit::date::{Date, Nights};
use crate::kit::id::{BookingId, MemberId};
use crate::kit::keyring::Purpose;
use crate::stay::model::{RefundTerms, RefundTier, RefundTiers};
use crate::stay::{LatePayment, PropertyId, RatePlanId, RoomTypeId};

const MAC: usize = 32;
/// A year of nights takes some 6,000 characters.
const LONGEST: usize = 65_536;

/// What tells a token from every other: its signature.
pub(super) type Tag = [u8; MAC];

/// What kind of quote a token is: one is never taken for another.
pub(super) trait Quote: DeserializeOwned + Serialize {
    const KIND: &'static str;
    fn expire_time(&self) -> Time;
    fn member(&self) -> MemberId;
}

/// The price of a new booking.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct BookingQuote {
    pub(super) member: MemberId,
    pub(super) seller: MemberId,
    pub(super) property: PropertyId,
    pub(super) property_name: String,
    pub(super) zone: String,
    pub(super) currency: String,
    pub(super) line: QuotedLine,
    pub(super) discounts: Vec<Discount>,
    #[serde(default)]
    pub(super) points: i64,
    pub(super) method: Option<Method>,
    pub(super) terms: QuotedTerms,
    pub(super) needs_approval: bool,
    pub(super) late_payment: QuotedLatePayment,
    pub(super) expire_time: Time,
    /// By chance, so that two quotes for the same at the same moment are two.
    #[serde(default)]
    pub(super) nonce: u64,
}

/// What a cancellation gives back.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) struct CancellationQuote {
    pub(super) member: MemberId,
    pub(super) booking: BookingId,
    pub(super) version: i64,
    pub(super) refund: i64,
    pub(super) fee: i64,
    #[serde(default)]
    pub(super) points: i64,
    #[serde(default)]
    pub(super) fee_points: i64,
    pub(super) expire_time: Time,
}

/// The price of other dates.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct ChangeQuote {
    pub(super) member: MemberId,
    pub(super) booking: BookingId,
    pub(super) version: i64,
    pub(super) line: QuotedLine,
    pub(super) discounts: Vec<Discount>,
    /// None of a quote that an earlier release has given: the booking keeps the terms that it has.
    #[serde(default)]
    pub(super) terms: Option<QuotedTerms>,
    pub(super) fee_floor: i64,
    pub(super) expire_time: Time,
}

/// A line, as a token carries it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct QuotedLine {
    pub(super) room_type: RoomTypeId,
    pub(super) room_type_name: String,
    pub(super) rate_plan: RatePlanId,
    pub(super) check_in: Date,
    pub(super) check_out: Date,
    pub(super) rooms: u16,
    pub(super) adults: u16,
    pub(super) children: u16,
    pub(super) prices: Vec<i64>,
}

/// Terms, as tokens and tables carry them.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct QuotedTerms {
    tiers: Vec<(u16, u8)>,
    full_until: Option<Time>,
}

/// A late payment policy, as tokens and tables carry it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum QuotedLatePayment {
    AcceptIfAvailable,
    Refund,
    Manual,
}

impl From<&Line> for QuotedLine {
    fn from(line: &Line) -> Self {
        Self {
            room_type: line.room_type,
            room_type_name: line.room_type_name.clone(),
            rate_plan: line.rate_plan,
            check_in: line.nights.check_in(),
            check_out: line.nights.check_out(),
            rooms: line.rooms,
            adults: line.adults,
            children: line.children,
            prices: line.prices.clone(),
        }
    }
}

impl QuotedLine {
    pub(super) fn line(self) -> Result<Line, Error> {
        Ok(Line {
            nights: Nights::between(self.check_in, self.check_out).map_err(Error::internal)?,
            room_type: self.room_type,
            room_type_name: self.room_type_name,
            rate_plan: self.rate_plan,
            rooms: self.rooms,
            adults: self.adults,
            children: self.children,
            prices: self.prices,
        })
    }
}

impl From<&RefundTerms> for QuotedTerms {
    fn from(terms: &RefundTerms) -> Self {
        let tiers = terms.tiers.as_slice().iter().map(|tier| (tier.days_before, tier.percent)).collect();
        Self { tiers, full_until: terms.full_until }
    }
}

impl QuotedTerms {
    pub(super) fn terms(self) -> Result<RefundTerms, Error> {
        let tiers = self.tiers.into_iter().map(|(days_before, percent)| RefundTier { days_before, percent }).collect();
        let tiers = RefundTiers::new(tiers).map_err(|error| Error::internal(error.to_string()))?;
        Ok(RefundTerms { tiers, full_until: self.full_until })
    }
}

impl From<LatePayment> for QuotedLatePayment {
    fn from(policy: LatePayment) -> Self {
        match policy {
            LatePayment::AcceptIfAvailable => Self::AcceptIfAvailable,
            LatePayment::Refund => Self::Refund,
            LatePayment::Manual => Self::Manual,
        }
    }
}

impl From<QuotedLatePayment> for LatePayment {
    fn from(policy: QuotedLatePayment) -> Self {
        match policy {
            QuotedLatePayment::AcceptIfAvailable => Self::AcceptIfAvailable,
            QuotedLatePayment::Refund => Self::Refund,
            QuotedLatePayment::Manual => Self::Manual,
        }
    }
}

macro_rules! quote {
    ($name:ident, $kind:literal) => {
        impl Quote for $name {
            const KIND: &'static str = $kind;

            fn expire_time(&self) -> Time {
                self.expire_time
            }

            fn member(&self) -> MemberId {
                self.member
            }
        }
    };
}

quote!(BookingQuote, "booking");
quote!(CancellationQuote, "cancellation");
quote!(ChangeQuote, "change");

/// Signs a quote.
pub(super) fn seal<Q: Quote>(kit: &Kit, quote: &Q) -> Result<String, Error> {
    let body = serde_json::to_vec(quote).map_err(Error::internal)?;
    let mac = kit.keys.mac(Purpose::Quote, &message::<Q>(&body));
    Ok(URL_SAFE_NO_PAD.encode([&mac[..], &body].concat()))
}

/// Reads a quote that we signed for this member, while it is honoured.
pub(super) fn open<Q: Quote>(kit: &Kit, member: MemberId, token: &str) -> Result<Q, Error> {
    open_tagged(kit, member, token).map(|(quote, _)| quote)
}

/// The same, with what tells it from every other.
pub(super) fn open_tagged<Q: Quote>(kit: &Kit, member: MemberId, token: &str) -> Result<(Q, Tag), Error> {
    let invalid = BookingError::QuoteInvalid;
    if token.len() > LONGEST {
        return Err(invalid("it is longer than any of ours").into());
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| invalid("it is not one of ours"))?;
    let (mac, body) = bytes.split_first_chunk::<MAC>().ok_or(invalid("it is not one of ours"))?;
    if !kit.keys.verify(Purpose::Quote, &message::<Q>(body), mac) {
        return Err(invalid("it is not one of ours").into());
    }
    // Signed by an earlier release whose quotes looked different.
    let quote: Q = serde_json::from_slice(body).map_err(|_| invalid("it is of an earlier release"))?;
    if quote.member() != member {
        return Err(invalid("it was given to another member").into());
    }
    match kit.clock.now() < quote.expire_time() {
        true => Ok((quote, *mac)),
        false => Err(BookingError::QuoteExpired(quote.expire_time()).into()),
    }
}

fn message<Q: Quote>(body: &[u8]) -> Vec<u8> {
    [Q::KIND.as_bytes(), b"\n", body].concat()
}
