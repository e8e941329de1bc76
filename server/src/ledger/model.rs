//! Accounts and movements.

use std::fmt;
use std::str::FromStr;

use crate::kit::clock::Time;
use crate::kit::id::{BookingId, MemberId};
use crate::kit::money::Money;

crate::typed_id!(
    /// The id of a movement.
    TransferId,
    "transfer"
);

/// Where money is.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Account {
    /// Outside, at a payment provider: what it took and has not given back is a debt, below 0.
    Provider(String),
    /// Paid for a booking.
    Booking(BookingId),
    /// On its way back to a payer.
    Refunds(String),
    /// What the platform itself pays for: below 0, that much was spent.
    Platform(String),
    /// Owed to a seller; below 0, owed by them.
    Seller(MemberId),
    /// A member's points; below 0, owed by them.
    Points(MemberId),
    /// A member's points that are set aside.
    HeldPoints(MemberId),
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Provider(name) => write!(f, "provider:{name}"),
            Self::Booking(id) => write!(f, "booking:{id}"),
            Self::Refunds(provider) => write!(f, "refunds:{provider}"),
            Self::Platform(purpose) => write!(f, "platform:{purpose}"),
            Self::Seller(id) => write!(f, "seller:{id}"),
            Self::Points(id) => write!(f, "points:{id}"),
            Self::HeldPoints(id) => write!(f, "held:{id}"),
        }
    }
}

/// A string that names no account.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "must be `provider:…`, `refunds:…`, `platform:…`, `booking:booking_…`, or `seller:`, `points:` or `held:member_…`"
)]
pub struct NotAnAccount;

impl FromStr for Account {
    type Err = NotAnAccount;

    fn from_str(text: &str) -> Result<Self, NotAnAccount> {
        let (kind, name) = text.split_once(':').ok_or(NotAnAccount)?;
        let word = (1..=40).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase());
        match kind {
            "provider" if word => Ok(Self::Provider(name.to_owned())),
            "refunds" if word => Ok(Self::Refunds(name.to_owned())),
            "platform" if word => Ok(Self::Platform(name.to_owned())),
            "booking" => name.parse().map(Self::Booking).map_err(|_| NotAnAccount),
            "seller" => name.parse().map(Self::Seller).map_err(|_| NotAnAccount),
            "points" => name.parse().map(Self::Points).map_err(|_| NotAnAccount),
            "held" => name.parse().map(Self::HeldPoints).map_err(|_| NotAnAccount),
            _ => Err(NotAnAccount),
        }
    }
}

/// Why money moved.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cause {
    /// A provider took it for a booking.
    Capture,
    /// It was decided to go back.
    Refund,
    /// It is back.
    RefundDone,
    /// The provider refused to give it back.
    RefundFailed,
    /// A cancelled booking keeps it for its seller.
    CancellationFee,
    /// A booking was used.
    Earned,
    /// A seller gives back, for a booking, what was theirs already.
    ClawBack,
    /// The platform pays a seller what its coupons took off a booking that was used.
    CouponShare,
    /// What of that goes back with the price.
    CouponShareBack,
    /// The platform pays a seller for the points that a booking was paid by.
    PointShare,
    /// Money of a refund that the platform keeps for points that were earned by it and spent.
    PointsWithheld,
    /// Points moved; their movement says why, in this word.
    Points(&'static str),
}

impl Cause {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Capture => "CAPTURE",
            Self::Refund => "REFUND",
            Self::RefundDone => "REFUND_DONE",
            Self::RefundFailed => "REFUND_FAILED",
            Self::CancellationFee => "CANCELLATION_FEE",
            Self::Earned => "EARNED",
            Self::ClawBack => "CLAW_BACK",
            Self::CouponShare => "COUPON_SHARE",
            Self::CouponShareBack => "COUPON_SHARE_BACK",
            Self::PointShare => "POINT_SHARE",
            Self::PointsWithheld => "POINTS_WITHHELD",
            Self::Points(why) => why,
        }
    }
}

/// A movement to be recorded.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// The account it leaves.
    pub debit: Account,
    /// The account it reaches.
    pub credit: Account,
    /// How much; more than 0.
    pub amount: Money,
    /// Why.
    pub cause: Cause,
    /// What caused it, such as `payment_…`: with the cause it is unique.
    pub cause_id: String,
    /// The booking it is about.
    pub booking: Option<BookingId>,
}

/// A movement on record.
#[derive(Clone, Debug)]
pub(super) struct Recorded {
    pub(super) id: TransferId,
    pub(super) debit: String,
    pub(super) credit: String,
    pub(super) amount: Money,
    pub(super) cause: String,
    pub(super) cause_id: String,
    pub(super) create_time: Time,
}

/// What an account holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Balance {
    /// What was credited less what was debited.
    pub amount: Money,
    /// How many movements there are, on either side.
    pub transfer_count: i64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::id::Ids;

    #[test]
    fn an_account_reads_back() {
        let ids = Ids::seeded(1);
        let accounts = [
            Account::Provider("simulator".to_owned()),
            Account::Refunds("toss".to_owned()),
            Account::Platform("coupons".to_owned()),
            Account::Booking(BookingId::new(&ids, Time::UNIX_EPOCH)),
            Account::Seller(MemberId::new(&ids, Time::UNIX_EPOCH)),
            Account::Points(MemberId::new(&ids, Time::UNIX_EPOCH)),
            Account::HeldPoints(MemberId::new(&ids, Time::UNIX_EPOCH)),
        ];
        for account in accounts {
            assert_eq!(account.to_string().parse(), Ok(account));
        }
        for wrong in ["", "provider:", "provider:a b", "seller:booking_01h455vb4pex5vsknk084sn02q", "bank:kakao"] {
            assert_eq!(wrong.parse::<Account>(), Err(NotAnAccount), "{wrong}");
        }
    }
}
