//! The service of payments: caller, command, operation, answer.

use tonic::{Request, Response, Status};
use yeyak_proto::yeyak::payment::v1 as pb;
use yeyak_proto::yeyak::payment::v1::payment_service_server::{PaymentService, PaymentServiceServer};

use super::model::State;
use super::read::View;
use super::{Payments, convert};
use crate::kit::caller::{Caller, Member};
use crate::kit::idempotency::Reply;
use crate::kit::page::Page;

type Answer<T> = Result<Response<T>, Status>;

impl Payments {
    /// The service that takes money and gives it back.
    pub fn service(&self) -> PaymentServiceServer<Self> {
        PaymentServiceServer::new(self.clone())
    }

    /// An answer about a payment to a party of it, with what its payer is to see of their points.
    async fn answer(&self, caller: &Member, reply: Reply<View>) -> Answer<pb::Payment> {
        let View { payment, state, .. } = &reply.value;
        let is_taken = matches!(state, State::Captured | State::Refunded) && payment.payer == caller.id;
        let point_balance_version = if is_taken { self.payable()?.point_version(caller.id).await? } else { 0 };
        Ok(reply.map(|view| pb::Payment { point_balance_version, ..view.into() }).into_response())
    }
}

#[tonic::async_trait]
impl PaymentService for Payments {
    async fn prepare_payment(&self, request: Request<pb::PreparePaymentRequest>) -> Answer<pb::Payment> {
        let caller = Caller::of(&request).member()?;
        let (command, key) = convert::prepare(request.get_ref())?;
        Ok(self.prepare(&caller, command, &key).await?.into_response())
    }

    async fn confirm_payment(&self, request: Request<pb::ConfirmPaymentRequest>) -> Answer<pb::Payment> {
        let caller = Caller::of(&request).member()?;
        let (command, key) = convert::confirm(request.get_ref())?;
        let confirmed = self.confirm(&caller, command, &key).await?;
        self.answer(&caller, confirmed).await
    }

    async fn get_payment(&self, request: Request<pb::GetPaymentRequest>) -> Answer<pb::Payment> {
        let caller = Caller::of(&request).member()?;
        let id = convert::payment_id(request.get_ref())?;
        let value = self.get(&caller, id).await?;
        self.answer(&caller, Reply { value, replayed: false }).await
    }

    async fn list_payments(&self, request: Request<pb::ListPaymentsRequest>) -> Answer<pb::ListPaymentsResponse> {
        let caller = Caller::of(&request).member()?;
        let page = Page::of(&self.kit.keys, request.get_ref())?;
        let booking = convert::booking_id(request.get_ref())?;
        let (payments, next_page_token) = self.list(&caller, booking, &page).await?;
        let payments = payments.into_iter().map(pb::Payment::from).collect();
        Ok(Response::new(pb::ListPaymentsResponse { payments, next_page_token }))
    }

    async fn refund_payment(&self, request: Request<pb::RefundPaymentRequest>) -> Answer<pb::Payment> {
        let seller = Caller::of(&request).seller()?;
        let (command, key) = convert::refund(request.get_ref())?;
        Ok(self.refund(&seller, command, &key).await?.into_response())
    }

    async fn resolve_payment(&self, request: Request<pb::ResolvePaymentRequest>) -> Answer<pb::Payment> {
        let seller = Caller::of(&request).seller()?;
        let (id, decision, key) = convert::resolve(request.get_ref())?;
        Ok(self.resolve(&seller, id, decision, &key).await?.into_response())
    }
}
