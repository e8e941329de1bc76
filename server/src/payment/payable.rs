//! What can be paid for. Bookings are; payments know no more of them than this.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::error::Error;
use crate::kit::caller::{Actor, Member};
use crate::kit::clock::Time;
use crate::kit::id::{BookingId, MemberId};
use crate::kit::money::Money;
use crate::kit::tx::Tx;

/// What there is to pay.
#[derive(Clone, Debug)]
pub struct Bill {
    /// For what.
    pub booking: BookingId,
    /// By whom.
    pub payer: MemberId,
    /// To whom.
    pub seller: MemberId,
    /// How much.
    pub amount: Money,
    /// What the payer reads on the pay page.
    pub name: String,
    /// Until when it may be paid.
    pub expire_time: Time,
}

/// Who may see the payments of a booking.
#[derive(Clone, Copy, Debug)]
pub struct Parties {
    /// Who booked.
    pub member: MemberId,
    /// Who sells.
    pub seller: MemberId,
}

/// What becomes of money that a provider took.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Received {
    /// It pays the booking.
    Accepted,
    /// The booking can't take it: it goes back.
    GiveBack,
    /// The seller decides.
    Undecided,
}

/// What can be paid for. Each change happens in the transaction that records why.
#[async_trait]
pub trait Payable: Debug + Send + Sync + 'static {
    /// What there is to pay for a booking of this payer now. A booking that can't be paid now is refused with the reason;
    /// a foreign one is NOT_FOUND.
    async fn bill(&self, payer: &Member, booking: BookingId) -> Result<Bill, Error>;

    /// Who may see the payments of a booking.
    async fn parties(&self, booking: BookingId) -> Result<Option<Parties>, Error>;

    /// A provider is about to be asked for the money: from here on the booking keeps what it holds. Refused once its hold
    /// has ended; nothing for a booking whose payment is under way already.
    async fn begin(&self, tx: &Tx, booking: BookingId, amount: Money, actor: &Actor) -> Result<(), Error>;

    /// A provider has taken the money, whenever that may be heard of. Called once for each payment.
    async fn received(&self, tx: &Tx, booking: BookingId, amount: Money, actor: &Actor) -> Result<Received, Error>;

    /// No money was taken, for good: the booking waits for another attempt, as long as its hold lasts.
    async fn failed(&self, tx: &Tx, booking: BookingId, actor: &Actor) -> Result<(), Error>;

    /// The seller takes money that came late: the booking takes its nights again and is confirmed, or this is refused.
    async fn accept_late(&self, tx: &Tx, booking: BookingId, amount: Money, actor: &Actor) -> Result<(), Error>;

    /// Money was decided to go back beyond what a cancellation gave: the booking's sum of refunds grows.
    async fn given_back(&self, tx: &Tx, booking: BookingId, amount: Money, actor: &Actor) -> Result<(), Error>;
}
