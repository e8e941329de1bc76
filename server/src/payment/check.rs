//! The promises of payments, compared with their tables and the ledger.

use std::collections::{HashMap, HashSet};

use super::model::Payment;
use super::{Payments, store};
use crate::error::Error;
use crate::kit::check::Violation;
use crate::kit::id::BookingId;
use crate::ledger::{self, Account, Cause, Ledger};

const BALANCED: &str = "what was captured for a booking and not given back is what the ledger holds for it";
const REFUNDS: &str =
    "the refunds of a payment add up to what it says was given back, and never exceed what was captured";
const RESOLVED: &str = "no payment's outcome stays unknown";
const RECORDED: &str = "every capture is in the ledger";

const BATCH: u64 = 500;

/// What was captured for a booking and not given back.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Kept {
    /// By payments that the booking counts.
    pub counted: i64,
    /// By payments that it does not: too late, or of another amount than was asked for.
    pub beside: i64,
}

impl Payments {
    /// The promises that [`Payments::check`] compares with the tables.
    pub const INVARIANTS: [&str; 4] = [BALANCED, REFUNDS, RESOLVED, RECORDED];

    /// Whatever of the payments is not as it must be.
    pub async fn check(&self) -> Result<Vec<Violation>, Error> {
        let mut found = Vec::new();
        let mut expected: HashMap<(String, String), i64> = HashMap::new();
        let mut after = None;
        loop {
            let batch = store::captured_after(self.kit.db.read(), after, BATCH).await?;
            let Some(last) = batch.last() else { break };
            after = Some(last.id);
            self.check_refunds(&batch, &mut found).await?;
            self.check_captures(&batch, &mut found).await?;
            for payment in &batch {
                let account = Account::Booking(payment.booking).to_string();
                let held = expected.entry((account, payment.captured.currency.to_string())).or_default();
                *held += payment.captured.minor - payment.refunded.minor;
            }
        }
        self.check_balances(expected, &mut found).await?;
        let before = self.kit.clock.now() - self.settings.alarm;
        for payment in store::unknown_since(self.kit.db.read(), before).await? {
            let since = payment.confirm_time.unwrap_or(payment.update_time);
            let words = format!("{} since {since}", payment.state.as_str());
            found.push(Violation::new(RESOLVED, payment.id, words));
        }
        Ok(found)
    }

    /// What payments hold of each booking, by currency: what the booking counts as paid, and what only waits for its way back.
    pub async fn kept(&self) -> Result<HashMap<(BookingId, String), Kept>, Error> {
        let mut all: HashMap<_, Kept> = HashMap::new();
        for row in store::kept(self.kit.db.read()).await? {
            let kept = all.entry((BookingId(row.booking_id), row.currency)).or_default();
            *(if row.counted { &mut kept.counted } else { &mut kept.beside }) += row.total;
        }
        Ok(all)
    }

    async fn check_refunds(&self, batch: &[Payment], found: &mut Vec<Violation>) -> Result<(), Error> {
        let sums = store::refund_sums(self.kit.db.read(), batch.iter().map(|payment| payment.id)).await?;
        for payment in batch {
            let sum = sums.get(&payment.id).copied().unwrap_or(0);
            if sum != payment.refunded.minor || sum > payment.captured.minor {
                let words = format!("refunds of {sum}, {} said, {} captured", payment.refunded, payment.captured);
                found.push(Violation::new(REFUNDS, payment.id, words));
            }
        }
        Ok(())
    }

    async fn check_captures(&self, batch: &[Payment], found: &mut Vec<Violation>) -> Result<(), Error> {
        let ids: Vec<_> = batch.iter().map(|payment| payment.id.to_string()).collect();
        let recorded = ledger::amounts_of(self.kit.db.read(), Cause::Capture, ids).await?;
        for payment in batch {
            let amount = recorded.get(&payment.id.to_string()).copied();
            if amount != Some(payment.captured.minor) {
                let words = format!("{} captured, {amount:?} recorded", payment.captured);
                found.push(Violation::new(RECORDED, payment.id, words));
            }
        }
        Ok(())
    }

    async fn check_balances(
        &self,
        mut expected: HashMap<(String, String), i64>,
        found: &mut Vec<Violation>,
    ) -> Result<(), Error> {
        // What other domains move on, such as earnings, is theirs to answer for.
        let ours = [Cause::Capture, Cause::Refund, Cause::RefundFailed];
        let balances = Ledger::new(self.kit.clone()).booking_balances(&ours).await?;
        let accounts: HashSet<_> = expected.keys().chain(balances.keys()).cloned().collect();
        for key in accounts {
            let held = expected.remove(&key).unwrap_or(0);
            let balance = balances.get(&key).copied().unwrap_or(0);
            if held != balance {
                let words = format!("{held} {} by the payments, {balance} by the ledger", key.1);
                found.push(Violation::new(BALANCED, key.0, words));
            }
        }
        Ok(())
    }
}
