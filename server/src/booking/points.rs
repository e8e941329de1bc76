//! The points of bookings: what they are paid by, what they earn, and what the platform pays sellers for them.

use super::Bookings;
use super::model::Booking;
use crate::error::Error;
use crate::kit::caller::Actor;
use crate::kit::id::MemberId;
use crate::kit::money::{Currency, Money};
use crate::kit::tx::Tx;
use crate::ledger::{self, Account, Cause, Transfer};
use crate::payment::RefundId;
use crate::point::Part;

/// What the platform pays points from.
const POINTS: &str = "points";

impl Bookings {
    /// The version of its member's wallet that has all that was done with the points of a booking; 0 for others, and for one that has
    /// moved none.
    pub(super) async fn point_version(&self, viewer: MemberId, booking: &Booking) -> Result<i64, Error> {
        // One that was only made moves what it uses, and nothing else.
        let moves_points = booking.points > 0 || booking.version > 1;
        match viewer == booking.member && moves_points {
            true => self.points.version(viewer).await,
            false => Ok(0),
        }
    }

    /// A booking that is paid earns its member points: of the money alone, to be spent once the stay is over.
    pub(super) async fn earn_points(
        &self,
        tx: &Tx,
        booking: &Booking,
        money: Money,
        actor: &Actor,
    ) -> Result<(), Error> {
        if money.currency != Currency::KRW {
            return Ok(());
        }
        let whose = (booking.id, booking.member);
        self.points.earn_pending(tx, whose, money, booking.end(), actor).await.map(drop)
    }

    /// A booking has ended before it was paid: the points that it holds come back.
    pub(super) async fn release_points(&self, tx: &Tx, before: &Booking, actor: &Actor) -> Result<(), Error> {
        match before.points {
            0 => Ok(()),
            _ => self.points.release(tx, before.id, actor).await.map(drop),
        }
    }

    /// What becomes of the points of a booking that is cancelled: those that it only held come back, of those that it has spent so
    /// many, and what it has earned is taken back. That is pending until the stay is over: nothing of it can be spent.
    pub(super) async fn cancel_points(
        &self,
        tx: &Tx,
        before: &Booking,
        points: i64,
        actor: &Actor,
    ) -> Result<(), Error> {
        self.release_points(tx, before, actor).await?;
        self.points.refund(tx, before.id, points, "", actor).await?;
        self.points.claw_back(tx, before.id, Part::Whole, before.money(0), actor).await.map(drop)
    }

    /// What becomes of the points of a booking that moves to other dates: those that it needs no more come back; what it has earned
    /// moves with it, and only what it costs less or more takes some back or earns others.
    pub(super) async fn change_points(
        &self,
        tx: &Tx,
        before: &Booking,
        after: &Booking,
        actor: &Actor,
    ) -> Result<(), Error> {
        if !before.is_settled() {
            // It never holds more than before: other dates that cost more cost money.
            if after.points < before.points {
                self.points.reduce(tx, before.id, after.points, actor).await?;
            }
            return Ok(());
        }
        self.points.refund(tx, before.id, after.points_back - before.points_back, "", actor).await?;
        let (was, is) = (before.unearned(), after.unearned());
        if after.total.currency != Currency::KRW || (was, before.end()) == (is, after.end()) {
            return Ok(());
        }
        let whose = (after.id, after.member);
        self.points.move_earned(tx, whose, (before.money(was), after.money(is)), after.end(), actor).await
    }

    /// Takes back what a booking has earned by money that goes back, and gives what of that money is withheld.
    pub(super) async fn withhold(
        &self,
        tx: &Tx,
        before: &Booking,
        refund: Money,
        actor: &Actor,
    ) -> Result<Money, Error> {
        // What was refused before goes back no second time.
        let still_due = (before.refund_due - refund.minor).max(0);
        let left = before.kept() - before.withheld - still_due - refund.minor;
        let part = Part::Above(before.money(left.max(0)));
        let clawed = self.points.claw_back(tx, before.id, part, refund, actor).await?;
        Ok(before.money(clawed.withheld))
    }

    /// What was withheld is the platform's, which gave the points.
    pub(super) async fn keep_withheld(
        &self,
        tx: &Tx,
        booking: &Booking,
        refund: RefundId,
        withheld: Money,
    ) -> Result<(), Error> {
        if withheld.minor == 0 {
            return Ok(());
        }
        let transfer = Transfer {
            debit: Account::Booking(booking.id),
            credit: Account::Platform(POINTS.to_owned()),
            amount: withheld,
            cause: Cause::PointsWithheld,
            cause_id: refund.to_string(),
            booking: Some(booking.id),
        };
        ledger::transfer(tx, &self.kit, &transfer).await
    }

    /// The platform pays the seller for the points that a booking was paid by and that did not come back.
    pub(super) async fn earn_point_share(&self, tx: &Tx, booking: &Booking) -> Result<(), Error> {
        if booking.point_share == 0 {
            return Ok(());
        }
        let transfer = Transfer {
            debit: Account::Platform(POINTS.to_owned()),
            credit: Account::Seller(booking.seller),
            amount: booking.money(booking.point_share),
            cause: Cause::PointShare,
            cause_id: booking.id.to_string(),
            booking: Some(booking.id),
        };
        ledger::transfer(tx, &self.kit, &transfer).await
    }
}
