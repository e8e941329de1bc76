//! The service of coupons: caller, command, operation, answer.

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use tonic::{Request, Response, Status};
use yeyak_proto::yeyak::coupon::v1 as pb;
use yeyak_proto::yeyak::coupon::v1::coupon_service_server::{CouponService, CouponServiceServer};

use super::convert;
use crate::coupon::Coupons;
use crate::coupon::model::Receipt;
use crate::kit::caller::Caller;
use crate::kit::page::Page;
use crate::kit::violation::Violations;

type Answer<T> = Result<Response<T>, Status>;

impl Coupons {
    /// The service that brings coupons to members.
    pub fn service(&self) -> CouponServiceServer<Self> {
        CouponServiceServer::new(self.clone())
    }
}

impl From<Receipt> for pb::CouponReceipt {
    fn from(receipt: Receipt) -> Self {
        convert::receipt(&receipt)
    }
}

#[tonic::async_trait]
impl CouponService for Coupons {
    type WatchCouponReceiptStream = BoxStream<'static, Result<pb::WatchCouponReceiptResponse, Status>>;

    async fn issue_coupon(&self, request: Request<pb::IssueCouponRequest>) -> Answer<pb::CouponReceipt> {
        let caller = Caller::of(&request).member()?;
        let command = convert::issue(request.get_ref())?;
        let receipt = self.issue(&caller, command).await?;
        Ok(receipt.into_response())
    }

    async fn get_coupon_receipt(&self, request: Request<pb::GetCouponReceiptRequest>) -> Answer<pb::CouponReceipt> {
        let caller = Caller::of(&request).member()?;
        let id = convert::id(&request.get_ref().id)?;
        let receipt = self.receipt(&caller, id).await?;
        Ok(Response::new(receipt.into()))
    }

    async fn watch_coupon_receipt(
        &self,
        request: Request<pb::WatchCouponReceiptRequest>,
    ) -> Answer<Self::WatchCouponReceiptStream> {
        let caller = Caller::of(&request).member()?;
        let mut violations = Violations::new();
        let id = violations.id("id", &request.get_ref().id);
        let after = convert::cursor(&mut violations, &request.get_ref().after_cursor);
        let id = violations.finish(id)?;
        let items = self.watch_receipt(caller, id, after).await?;
        Ok(Response::new(items.map_ok(|seen| convert::seen(&seen)).map_err(Status::from).boxed()))
    }

    async fn get_coupon(&self, request: Request<pb::GetCouponRequest>) -> Answer<pb::Coupon> {
        let caller = Caller::of(&request).member()?;
        let id = convert::id(&request.get_ref().id)?;
        let (coupon, policy) = self.coupon(&caller, id).await?;
        Ok(Response::new(convert::coupon(&coupon, &policy, self.kit.clock.now())))
    }

    async fn list_coupons(&self, request: Request<pb::ListCouponsRequest>) -> Answer<pb::ListCouponsResponse> {
        let caller = Caller::of(&request).member()?;
        let page = Page::of(&self.kit.keys, request.get_ref())?;
        let state = convert::state(request.get_ref().state)?;
        let (coupons, next_page_token) = self.coupons(&caller, state, &page).await?;
        let now = self.kit.clock.now();
        let coupons = coupons.iter().map(|(coupon, policy)| convert::coupon(coupon, policy, now)).collect();
        Ok(Response::new(pb::ListCouponsResponse { coupons, next_page_token }))
    }

    async fn redeem_coupon_code(&self, request: Request<pb::RedeemCouponCodeRequest>) -> Answer<pb::Coupon> {
        self.answer_redeem(request).await
    }

    async fn grant_coupon(&self, request: Request<pb::GrantCouponRequest>) -> Answer<pb::Coupon> {
        self.answer_grant(request).await
    }

    async fn gift_coupon(&self, request: Request<pb::GiftCouponRequest>) -> Answer<pb::Coupon> {
        self.answer_gift(request).await
    }

    async fn revoke_coupon(&self, request: Request<pb::RevokeCouponRequest>) -> Answer<pb::CouponReceipt> {
        self.answer_revoke(request).await
    }
}
