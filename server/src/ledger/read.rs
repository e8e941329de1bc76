//! What is read from the ledger.

use std::collections::HashMap;

use super::model::{Account, Balance, Cause, Recorded};
use super::{Ledger, store};
use crate::error::Error;
use crate::kit::money::Currency;
use crate::kit::page::Page;

impl Ledger {
    /// What an account holds in a currency; an account without movements holds 0.
    pub async fn balance(&self, account: &Account, currency: Currency) -> Result<Balance, Error> {
        store::balance(self.kit.db.read(), account, currency).await
    }

    pub(super) async fn list(&self, account: Option<&Account>, page: &Page) -> Result<(Vec<Recorded>, String), Error> {
        let transfers = store::transfers(self.kit.db.read(), account, page).await?;
        Ok(page.cut(&self.kit.keys, transfers, |transfer| transfer.id.0))
    }

    /// What each booking's account holds, by account and currency; by these causes alone, when some are given.
    pub async fn booking_balances(&self, causes: &[Cause]) -> Result<HashMap<(String, String), i64>, Error> {
        let mut balances = HashMap::new();
        for (credits, sign) in [(true, 1), (false, -1)] {
            for total in store::booking_totals(self.kit.db.read(), credits, causes).await? {
                *balances.entry((total.account, total.currency)).or_default() += sign * total.total;
            }
        }
        Ok(balances)
    }
}
