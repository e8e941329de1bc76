//! Bookings can be paid for.

use async_trait::async_trait;

use super::error::BookingError;
use super::model::{Booking, Event, State};
use super::{Bookings, store};
use crate::error::Error;
use crate::inventory::InventoryError;
use crate::kit::caller::{Actor, Member};
use crate::kit::id::BookingId;
use crate::kit::money::Money;
use crate::kit::tx::Tx;
use crate::payment::payable::{Bill, Parties, Payable, Received};
use crate::stay::LatePayment;

#[async_trait]
impl Payable for Bookings {
    async fn bill(&self, payer: &Member, id: BookingId) -> Result<Bill, Error> {
        let booking = self.own(payer.id, id).await?;
        self.decide(&booking, Event::BeginPayment)?;
        Ok(Bill {
            booking: id,
            payer: booking.member,
            seller: booking.seller,
            amount: booking.total,
            name: format!("{}, {} ~ {}", booking.property_name, booking.check_in(), booking.check_out()),
            expire_time: booking.hold_limit_time,
        })
    }

    async fn parties(&self, id: BookingId) -> Result<Option<Parties>, Error> {
        let found = store::find(self.kit.db.read(), &self.kit, id).await?;
        Ok(found.map(|booking| Parties { member: booking.member, seller: booking.seller }))
    }

    async fn begin(&self, tx: &Tx, id: BookingId, amount: Money, actor: &Actor) -> Result<(), Error> {
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
        self.inventory.extend(tx, id, None).await
    }

    async fn received(&self, tx: &Tx, id: BookingId, amount: Money, actor: &Actor) -> Result<Received, Error> {
        let before = self.load_in(tx, id).await?;
        let now = self.kit.clock.now();
        let state = before.state_at(now);
        let payable = state.on(Event::Capture).is_some() && before.total == amount && before.paid == 0;
        if payable {
            self.confirm(tx, &before, amount, Event::Capture, actor).await?;
            return Ok(Received::Accepted);
        }
        // Paid before by another attempt, or never to be had again: this money goes back.
        if state != State::Expired || before.paid > 0 || before.total != amount {
            return Ok(Received::GiveBack);
        }
        match before.late_payment {
            LatePayment::Refund => Ok(Received::GiveBack),
            LatePayment::Manual => Ok(Received::Undecided),
            LatePayment::AcceptIfAvailable => {
                // Written down first: whatever becomes of the money, the hold is over.
                self.expire_in(tx, id).await?;
                let expired = self.load_in(tx, id).await?;
                match self.take_again(tx, &expired, amount, actor).await {
                    Ok(()) => Ok(Received::Accepted),
                    Err(error) if matches!(error.fault(), Some(InventoryError::NightsTaken { .. })) => {
                        Ok(Received::GiveBack)
                    }
                    Err(error) => Err(error),
                }
            }
        }
    }

    async fn failed(&self, tx: &Tx, id: BookingId, actor: &Actor) -> Result<(), Error> {
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
        self.inventory.extend(tx, id, expire_time).await
    }

    async fn accept_late(&self, tx: &Tx, id: BookingId, amount: Money, actor: &Actor) -> Result<(), Error> {
        self.expire_in(tx, id).await?;
        let before = self.load_in(tx, id).await?;
        self.decide(&before, Event::AcceptLate)?;
        self.take_again(tx, &before, amount, actor).await
    }

    async fn given_back(&self, tx: &Tx, id: BookingId, amount: Money, actor: &Actor) -> Result<(), Error> {
        let before = self.load_in(tx, id).await?;
        // What the seller has earned, or keeps as a fee, is no longer the booking's to give.
        let held = if before.state == State::Completed { 0 } else { before.kept() - before.fee };
        if amount.minor > held {
            return Err(BookingError::Blocked {
                booking: id,
                action: "refund",
                state: before.state,
                why: format!("the booking holds {}; the rest is the seller's", before.money(held)),
            }
            .into());
        }
        let after = Booking {
            refunded: before.refunded + amount.minor,
            version: before.version + 1,
            update_time: self.kit.clock.now(),
            ..before.clone()
        };
        store::update(tx, &before, &after).await?;
        self.announce(tx, Some(before.state), &after, "refund", actor).await
    }
}

impl Bookings {
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
            cancellation: None,
            update_time: now,
            ..before.clone()
        };
        self.put(tx, before, &after, event, actor).await?;
        self.inventory.sell(tx, before.id).await
    }

    /// An expired booking takes its nights again, if they are free.
    async fn take_again(&self, tx: &Tx, before: &Booking, amount: Money, actor: &Actor) -> Result<(), Error> {
        let lines = self.wanted(tx, &before.lines).await?;
        if let Err(refused) = self.inventory.hold(tx, before.id, &lines, None).await {
            let Some(InventoryError::NightsTaken { stale, .. }) = refused.fault() else { return Err(refused) };
            if stale.is_empty() {
                return Err(refused);
            }
            for hold in stale {
                self.expire_in(tx, hold.booking).await?;
            }
            self.inventory.hold(tx, before.id, &lines, None).await?;
        }
        self.confirm(tx, before, amount, Event::AcceptLate, actor).await
    }
}
