//! The service of the ledger: caller, question, answer.

use tonic::{Request, Response, Status};
use yeyak_proto::yeyak::ledger::v1 as pb;
use yeyak_proto::yeyak::ledger::v1::ledger_service_server::{LedgerService, LedgerServiceServer};

use super::{Ledger, convert};
use crate::kit::caller::Caller;
use crate::kit::page::Page;

type Answer<T> = Result<Response<T>, Status>;

impl Ledger {
    /// The service that shows the ledger.
    pub fn service(&self) -> LedgerServiceServer<Self> {
        LedgerServiceServer::new(self.clone())
    }
}

#[tonic::async_trait]
impl LedgerService for Ledger {
    async fn list_transfers(&self, request: Request<pb::ListTransfersRequest>) -> Answer<pb::ListTransfersResponse> {
        Caller::of(&request).admin()?;
        let page = Page::of(&self.kit.keys, request.get_ref())?;
        let account = convert::account_filter(request.get_ref())?;
        let (transfers, next_page_token) = self.list(account.as_ref(), &page).await?;
        let transfers = transfers.into_iter().map(pb::Transfer::from).collect();
        Ok(Response::new(pb::ListTransfersResponse { transfers, next_page_token }))
    }

    async fn get_account_balance(&self, request: Request<pb::GetAccountBalanceRequest>) -> Answer<pb::AccountBalance> {
        Caller::of(&request).admin()?;
        let (account, currency) = convert::account_and_currency(request.get_ref())?;
        let balance = self.balance(&account, currency).await?;
        Ok(Response::new(convert::balance(&account, balance)))
    }
}
