//! What can be paid for. Bookings are; payments know no more of them than this.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::error::Error;
use crate::kit::caller::{Actor, Member};
use crate::kit::clock::Time;
use crate::kit::id::{BookingId, ChangeId, MemberId};
use crate::kit::money::Money;
use crate::kit::tx::Tx;
use crate::payment::RefundId;

/// What there is to pay.
#[derive(Clone, Debug)]
pub struct Bill {
    /// For what.
    pub booking: BookingId,
    /// For which move of it to other dates, if for one.
    pub change: Option<ChangeId>,
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

/// What an attempt pays.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Purpose {
    /// Which booking.
    pub booking: BookingId,
    /// Which move of it to other dates; none for the booking itself.
    pub change: Option<ChangeId>,
}

/// Money that a provider took.
#[derive(Clone, Copy, Debug)]
pub struct Taken<'a> {
    /// How much.
    pub amount: Money,
    /// How it was paid, in the provider's words; empty where there is nothing to say.
    pub method: &'a str,
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
    /// It was paid in another way than the booking's terms ask for: it goes back, and the booking waits for another attempt, as
    /// long as its hold lasts.
    WrongMethod,
    /// The seller decides, as long as it can be taken.
    Undecided {
        /// Until when that is.
        until: Time,
    },
}

/// What can be paid for. Each change happens in the transaction that records why.
#[async_trait]
pub trait Payable: Debug + Send + Sync + 'static {
    /// The version of a payer's points that has all that was done with them for what was paid until now; 0 for one who has none.
    async fn point_version(&self, payer: MemberId) -> Result<i64, Error>;

    /// What there is to pay for a booking of this payer now, or for a move of it to the dates of a quote. What can't be paid
    /// now is refused with the reason; a foreign booking is NOT_FOUND.
    async fn bill(&self, payer: &Member, booking: BookingId, change_quote: Option<&str>) -> Result<Bill, Error>;

    /// An attempt to pay a bill begins: what it is for is set aside until it expires. Gives the bill as it stands then, which
    /// names the same change for the same quote.
    async fn set_aside(&self, tx: &Tx, bill: Bill, change_quote: Option<&str>) -> Result<Bill, Error>;

    /// Ends the holds whose time is over that a refusal of [`Payable::set_aside`] tells of; whether there were any, so that
    /// another try may succeed. To be called behind the transaction that was refused.
    async fn make_way(&self, refused: &Error) -> Result<bool, Error>;

    /// Locks a booking until the transaction ends: what is then read of it and of its payments is what is decided on.
    async fn lock(&self, tx: &Tx, booking: BookingId) -> Result<(), Error>;

    /// Who may see the payments of a booking.
    async fn parties(&self, booking: BookingId) -> Result<Option<Parties>, Error>;

    /// A provider is about to be asked for the money: from here on the booking keeps what it holds. Refused once its hold
    /// has ended; nothing for a booking whose payment is under way already.
    async fn begin(&self, tx: &Tx, purpose: Purpose, amount: Money, actor: &Actor) -> Result<(), Error>;

    /// A provider has taken the money, in a way that it has its own words for, whenever that may be heard of. Called once for
    /// each payment.
    async fn received(&self, tx: &Tx, purpose: Purpose, taken: Taken<'_>, actor: &Actor) -> Result<Received, Error>;

    /// No money was taken, for good: the booking waits for another attempt, as long as its hold lasts.
    async fn failed(&self, tx: &Tx, purpose: Purpose, actor: &Actor) -> Result<(), Error>;

    /// The seller takes money that came late: the booking takes its nights again and is confirmed, or this is refused.
    async fn accept_late(&self, tx: &Tx, booking: BookingId, amount: Money, actor: &Actor) -> Result<(), Error>;

    /// Money is to go back beyond what a cancellation gave: the booking's sum of refunds grows. Gives what of it goes back: the
    /// rest is withheld. Only for payments that were accepted.
    async fn given_back(
        &self,
        tx: &Tx,
        booking: BookingId,
        refund: RefundId,
        amount: Money,
        actor: &Actor,
    ) -> Result<Money, Error>;

    /// A provider refused, for good, to give back what was decided to go back: it counts no more as given back, and is still
    /// due to the payer. Only for payments that were accepted; called once for each refund.
    async fn refund_failed(&self, tx: &Tx, booking: BookingId, amount: Money, actor: &Actor) -> Result<(), Error>;
}
