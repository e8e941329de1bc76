//! The promises of the ledger, compared with its table.

use std::collections::HashMap;

use super::{Ledger, store};
use crate::error::Error;
use crate::kit::check::Violation;

const MOVES: &str = "every movement of the ledger moves more than nothing, from one account to another";
const ONE_CURRENCY: &str = "a booking is paid in one currency";
const NOT_BELOW: &str = "no booking gives more than was paid for it";

impl Ledger {
    /// The promises that [`Ledger::check`] compares with the table.
    pub const INVARIANTS: [&str; 3] = [MOVES, ONE_CURRENCY, NOT_BELOW];

    /// Whatever of the ledger is not as it must be. That its sides are equal is so by construction: a row names both.
    pub async fn check(&self) -> Result<Vec<Violation>, Error> {
        let unsound = store::unsound(self.kit.db.read()).await?;
        let mut found: Vec<_> = unsound
            .into_iter()
            .map(|row| Violation::new(MOVES, row.id, format!("{} from {} to {}", row.amount, row.debit, row.credit)))
            .collect();
        let mut currencies: HashMap<String, Vec<String>> = HashMap::new();
        for ((account, currency), balance) in self.booking_balances(&[]).await? {
            if balance < 0 {
                found.push(Violation::new(NOT_BELOW, &account, format!("{balance} {currency}")));
            }
            if balance != 0 {
                currencies.entry(account).or_default().push(currency);
            }
        }
        for (account, held) in currencies.into_iter().filter(|(_, held)| held.len() > 1) {
            found.push(Violation::new(ONE_CURRENCY, account, held.join(", ")));
        }
        Ok(found)
    }
}
