//! Bookings can be paid for.

use async_trait::async_trait;

use super::create::stale;
use super::error::BookingError;
use super::life::COUPONS;
use super::model::{Booking, Event, Method, State};
use super::{Bookings, store};
use crate::coupon::CouponError;
use crate::coupon::apply::Holder;
use crate::error::Error;
use crate::inventory::InventoryError;
use crate::kit::caller::{Actor, Member};
use crate::kit::id::{BookingId, MemberId};
use crate::kit::money::Money;
use crate::kit::tx::Tx;
use crate::ledger::{self, Account, Cause, Transfer};
use crate::payment::payable::{Bill, Parties, Payable, Purpose, Received, Taken};
use crate::payment::{PaymentError, RefundId};
use crate::point::PointError;
use crate::stay::LatePayment;

#[async_trait]
impl Payable for Bookings {
    async fn point_version(&self, payer: MemberId) -> Result<i64, Error> {
        self.points.version(payer).await
    }

    async fn bill(&self, payer: &Member, id: BookingId, change_quote: Option<&str>) -> Result<Bill, Error> {
        if let Some(quote) = change_quote {
            return self.bill_of_change(payer, id, quote).await;
        }
        let booking = self.own(payer.id, id).await?;
        self.decide(&booking, Event::BeginPayment)?;
        Ok(Bill {
            booking: id,
            change: None,
            payer: booking.member,
            seller: booking.seller,
            amount: booking.total,
            name: format!("{}, {} ~ {}", booking.property_name, booking.check_in(), booking.check_out()),
            expire_time: booking.hold_limit_time,
        })
    }

    async fn lock(&self, tx: &Tx, booking: BookingId) -> Result<(), Error> {
        store::lock(tx, booking).await
    }

    async fn parties(&self, id: BookingId) -> Result<Option<Parties>, Error> {
        let found = store::find(self.kit.db.read(), &self.kit, id).await?;
        Ok(found.map(|booking| Parties { member: booking.member, seller: booking.seller }))
    }

    async fn set_aside(&self, tx: &Tx, bill: Bill, change_quote: Option<&str>) -> Result<Bill, Error> {
        match change_quote {
            Some(quote) => self.set_change_aside(tx, bill, quote).await,
            None => Ok(bill),
        }
    }

    async fn make_way(&self, refused: &Error) -> Result<bool, Error> {
        let stale = stale(refused);
        for booking in &stale {
            self.expire(*booking).await?;
        }
        Ok(!stale.is_empty())
    }

    async fn begin(&self, tx: &Tx, purpose: Purpose, amount: Money, actor: &Actor) -> Result<(), Error> {
        let id = purpose.booking;
        if let Some(change) = purpose.change {
            return self.begin_change(tx, id, change, amount).await;
        }
        let before = self.load_in(tx, id).await?;
        if matches!(before.state, State::Paying) {
            return Ok(());
        }
        let after = self.decide(&before, Event::BeginPayment)?;
        // A change of dates has another price than the attempt that was prepared before it.
        if before.total != amount {
            return Err(BookingError::PriceChanged { expected: amount, quoted: before.total }.into());
        }
        let after = Booking { expire_time: Some(self.kit.clock.now() + self.settings.paying), ..after };
        self.put(tx, &before, &after, Event::BeginPayment, actor).await?;
        // From here on the nights are kept until the provider's answer is final.
        self.extend_holds(tx, &before, None, actor).await
    }

    async fn received(&self, tx: &Tx, purpose: Purpose, taken: Taken<'_>, actor: &Actor) -> Result<Received, Error> {
        let (id, amount) = (purpose.booking, taken.amount);
        let before = self.load_in(tx, id).await?;
        // Words that mean none of the ways that terms can ask for are none of them either.
        let wrong = before.method.is_some_and(|method| Method::of_provider(taken.method) != Some(method));
        if let Some(change) = purpose.change {
            if wrong && amount.minor > 0 {
                self.change_not_paid(tx, id, change).await?;
                return Ok(Received::WrongMethod);
            }
            return self.change_paid(tx, &before, change, amount, actor).await;
        }
        let now = self.kit.clock.now();
        let state = before.state_at(now);
        let payable = state.on(Event::Capture).is_some() && before.total == amount && before.paid == 0;
        if payable && wrong && amount.minor > 0 {
            self.failed(tx, purpose, actor).await?;
            return Ok(Received::WrongMethod);
        }
        if payable {
            self.confirm(tx, &before, amount, Event::Capture, actor).await?;
            self.use_holds(tx, &before, actor).await?;
            self.earn_points(tx, &before, amount, actor).await?;
            return Ok(Received::Accepted);
        }
        // Paid before by another attempt, or never to be had again: this money goes back.
        if state != State::Expired || before.paid > 0 || before.total != amount {
            return Ok(Received::GiveBack);
        }
        // In time it would not have paid either.
        if wrong && amount.minor > 0 {
            return Ok(Received::WrongMethod);
        }
        match before.late_payment {
            LatePayment::Refund => Ok(Received::GiveBack),
            // For a stay that is over it came too late, whoever would decide.
            _ if before.blocked(Event::AcceptLate, now).is_some() => Ok(Received::GiveBack),
            LatePayment::Manual => Ok(Received::Undecided { until: before.departure() }),
            LatePayment::AcceptIfAvailable => {
                let expired = self.expired_in_turn(tx, &before).await?;
                match self.take_again(tx, &expired, amount, actor).await {
                    Ok(()) => Ok(Received::Accepted),
                    Err(error) if is_gone(&error) => {
                        // The nights may be there, and a coupon not.
                        self.inventory.release(tx, id).await?;
                        Ok(Received::GiveBack)
                    }
                    Err(error) => Err(error),
                }
            }
        }
    }

    async fn failed(&self, tx: &Tx, purpose: Purpose, actor: &Actor) -> Result<(), Error> {
        let id = purpose.booking;
        if let Some(change) = purpose.change {
            return self.change_not_paid(tx, id, change).await;
        }
        let before = self.load_in(tx, id).await?;
        if before.state != State::Paying {
            return Ok(());
        }
        let after = self.decide(&before, Event::PaymentFailed)?;
        let now = self.kit.clock.now();
        // Time for another card, within the hold's absolute life.
        let expire_time = Some((now + self.settings.hold).min(before.hold_limit_time.max(now)));
        let after = Booking { expire_time, ..after };
        self.put(tx, &before, &after, Event::PaymentFailed, actor).await?;
        self.extend_holds(tx, &before, expire_time, actor).await
    }

    async fn accept_late(&self, tx: &Tx, id: BookingId, amount: Money, actor: &Actor) -> Result<(), Error> {
        let before = self.load_in(tx, id).await?;
        let before = self.expired_in_turn(tx, &before).await?;
        self.decide(&before, Event::AcceptLate)?;
        self.take_again(tx, &before, amount, actor).await
    }

    async fn given_back(
        &self,
        tx: &Tx,
        id: BookingId,
        refund: RefundId,
        amount: Money,
        actor: &Actor,
    ) -> Result<Money, Error> {
        let before = self.load_in(tx, id).await?;
        let most = before.kept() - before.withheld;
        if amount.minor > most {
            let refundable = before.money(most);
            return Err(PaymentError::RefundTooLarge { subject: id.to_string(), refundable }.into());
        }
        let withheld = self.withhold(tx, &before, amount, actor).await?;
        // What the booking holds goes first; what is the seller's already is taken from them.
        let clawed_back = (amount.minor - (most - before.earned)).max(0);
        let after = Booking {
            refunded: before.refunded + amount.minor - withheld.minor,
            withheld: before.withheld + withheld.minor,
            earned: before.earned - clawed_back,
            // What was refused before is what goes first.
            refund_due: (before.refund_due - amount.minor).max(0),
            ..before.clone()
        };
        self.note(tx, &before, after.clone(), "refund", actor).await?;
        self.claw_back(tx, &before, refund, clawed_back).await?;
        self.claw_share_back(tx, &before, &after, refund).await?;
        self.keep_withheld(tx, &before, refund, withheld).await?;
        Ok(before.money(amount.minor - withheld.minor))
    }

    async fn refund_failed(&self, tx: &Tx, id: BookingId, amount: Money, actor: &Actor) -> Result<(), Error> {
        let before = self.load_in(tx, id).await?;
        let after = Booking {
            refunded: before.refunded - amount.minor,
            refund_due: before.refund_due + amount.minor,
            ..before.clone()
        };
        self.note(tx, &before, after, "refund failed", actor).await
    }
}

impl Bookings {
    /// Writes what has become of a booking's money, which moves it nowhere.
    async fn note(&self, tx: &Tx, before: &Booking, after: Booking, cause: &str, actor: &Actor) -> Result<(), Error> {
        let after = Booking { version: before.version + 1, update_time: self.kit.clock.now(), ..after };
        store::update(tx, before, &after).await?;
        self.announce(tx, Some(before.state), &after, cause, actor).await
    }

    /// Moves what a refund takes of a seller's earnings back to the booking, from where it goes to the payer.
    async fn claw_back(&self, tx: &Tx, booking: &Booking, refund: RefundId, minor: i64) -> Result<(), Error> {
        if minor == 0 {
            return Ok(());
        }
        let transfer = Transfer {
            debit: Account::Seller(booking.seller),
            credit: Account::Booking(booking.id),
            amount: booking.money(minor),
            cause: Cause::ClawBack,
            cause_id: refund.to_string(),
            booking: Some(booking.id),
        };
        ledger::transfer(tx, &self.kit, &transfer).await
    }

    /// What the platform has paid a seller of its coupons goes back with what the seller gives back of the price.
    async fn claw_share_back(&self, tx: &Tx, before: &Booking, after: &Booking, refund: RefundId) -> Result<(), Error> {
        let had_share = matches!(before.state, State::Completed | State::NoShow);
        let back = before.platform_share(before.earned) - after.platform_share(after.earned);
        if !had_share || back <= 0 {
            return Ok(());
        }
        let transfer = Transfer {
            debit: Account::Seller(before.seller),
            credit: Account::Platform(COUPONS.to_owned()),
            amount: before.money(back),
            cause: Cause::CouponShareBack,
            cause_id: refund.to_string(),
            booking: Some(before.id),
        };
        ledger::transfer(tx, &self.kit, &transfer).await
    }

    async fn confirm(
        &self,
        tx: &Tx,
        before: &Booking,
        amount: Money,
        event: Event,
        actor: &Actor,
    ) -> Result<(), Error> {
        let now = self.kit.clock.now();
        let after = Booking {
            state: State::Confirmed,
            version: before.version + 1,
            paid: before.paid + amount.minor,
            expire_time: None,
            update_time: now,
            ..before.clone()
        };
        self.put(tx, before, &after, event, actor).await?;
        self.inventory.sell(tx, before.id).await
    }

    /// Writes down that the hold is over, whatever becomes of money that came late for it: in its member's turn where it has coupons,
    /// which may be for a first booking.
    async fn expired_in_turn(&self, tx: &Tx, booking: &Booking) -> Result<Booking, Error> {
        // Behind the lock of a booking that has expired, which nobody waits for who has the turn; and before all others.
        if !booking.discounts.is_empty() {
            tx.take_turn(booking.member.0).await?;
        }
        self.expire_in(tx, booking.id).await?;
        self.load_in(tx, booking.id).await
    }

    /// An expired booking takes its nights again, if they are free.
    async fn take_again(&self, tx: &Tx, before: &Booking, amount: Money, actor: &Actor) -> Result<(), Error> {
        self.points.may_take_again(tx, before.member, before.points).await?;
        // Another may have become the first meanwhile.
        self.may_be_first(tx, before).await?;
        let lines = self.wanted(tx, &before.lines).await?;
        self.evicting_in(tx, || self.inventory.hold(tx, before.id, &lines, None)).await?;
        let (booking, member, currency) = (before.id, before.member, before.total.currency);
        let holder = Holder { booking, member, currency, until: None };
        self.evicting_in(tx, || self.coupons.take_again(tx, holder, &before.discounts, actor)).await?;
        if let Err(refused) = self.points.take_again(tx, (booking, member), before.points, actor).await {
            // They were there a moment ago: the coupons that were taken since are let go of with all that was written.
            let gone = matches!(refused.fault(), Some(PointError::NotEnough { .. }));
            return Err(if gone { Error::lost(before.id) } else { refused });
        }
        self.confirm(tx, before, amount, Event::AcceptLate, actor).await?;
        self.earn_points(tx, before, amount, actor).await
    }
}

/// Whether what an expired booking had is another's by now: its nights, its coupons, or their budget; or its points are spent, or it
/// is no first booking any more.
fn is_gone(refused: &Error) -> bool {
    let nights = matches!(refused.fault(), Some(InventoryError::NightsTaken { .. }));
    let coupons = matches!(
        refused.fault(),
        Some(CouponError::NotAvailable { .. } | CouponError::NotApplicable { .. } | CouponError::BudgetSpent(_))
    );
    let points = matches!(refused.fault(), Some(PointError::NotEnough { .. }));
    nights || coupons || points
}
