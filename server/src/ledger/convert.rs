//! Requests to commands, with every violation at once; and answers.

use yeyak_proto::yeyak::ledger::v1 as pb;

use super::model::{Account, Balance, Recorded};
use crate::error::Error;
use crate::kit::money::Currency;
use crate::kit::proto_time;
use crate::kit::violation::Violations;

/// The account that a list is limited to, if any.
pub(super) fn account_filter(request: &pb::ListTransfersRequest) -> Result<Option<Account>, Error> {
    let mut violations = Violations::new();
    if request.account.is_empty() {
        return Ok(None);
    }
    let account = violations.take("account", request.account.parse::<Account>());
    violations.finish(account).map(Some)
}

pub(super) fn account_and_currency(request: &pb::GetAccountBalanceRequest) -> Result<(Account, Currency), Error> {
    let mut violations = Violations::new();
    let account = violations.take("account", request.account.parse::<Account>());
    let code = if request.currency_code.is_empty() { "KRW" } else { &request.currency_code };
    let currency = violations.take("currency_code", code.parse::<Currency>());
    violations.finish(account.zip(currency))
}

impl From<Recorded> for pb::Transfer {
    fn from(recorded: Recorded) -> Self {
        Self {
            id: recorded.id.to_string(),
            debit_account: recorded.debit,
            credit_account: recorded.credit,
            amount: Some(recorded.amount.into()),
            cause: recorded.cause,
            cause_id: recorded.cause_id,
            create_time: Some(proto_time(recorded.create_time)),
        }
    }
}

pub(super) fn balance(account: &Account, balance: Balance) -> pb::AccountBalance {
    pb::AccountBalance {
        account: account.to_string(),
        balance: Some(balance.amount.into()),
        transfer_count: balance.transfer_count,
    }
}
