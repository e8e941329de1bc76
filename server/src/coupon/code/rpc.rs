//! The service of codes: caller, command, operation, answer.

use futures::StreamExt;
use futures::stream::BoxStream;
use tonic::{Request, Response, Status};
use yeyak_proto::yeyak::coupon::v1 as pb;
use yeyak_proto::yeyak::coupon::v1::coupon_code_service_server::{CouponCodeService, CouponCodeServiceServer};

use super::convert;
use super::read::Exported;
use crate::coupon::Coupons;
use crate::coupon::keeper::Keeper;
use crate::kit::caller::Caller;
use crate::kit::page::Page;
use crate::kit::request::keyed_id;
use crate::kit::violation::Violations;

type Answer<T> = Result<Response<T>, Status>;

impl Coupons {
    /// The service that makes codes.
    pub fn code_service(&self) -> CouponCodeServiceServer<Self> {
        CouponCodeServiceServer::new(self.clone())
    }
}

#[tonic::async_trait]
impl CouponCodeService for Coupons {
    type ExportCouponCodesStream = BoxStream<'static, Result<pb::ExportCouponCodesResponse, Status>>;

    async fn create_coupon_code_batch(
        &self,
        request: Request<pb::CreateCouponCodeBatchRequest>,
    ) -> Answer<pb::CouponCodeBatch> {
        let keeper = Keeper::of(Caller::of(&request))?;
        let (command, key) = convert::create(request.get_ref())?;
        Ok(self.create_batch(&keeper, &command, &key).await?.into_response())
    }

    async fn list_coupon_code_batches(
        &self,
        request: Request<pb::ListCouponCodeBatchesRequest>,
    ) -> Answer<pb::ListCouponCodeBatchesResponse> {
        let keeper = Keeper::of(Caller::of(&request))?;
        let mut violations = Violations::new();
        let policy = violations.id("policy_id", &request.get_ref().policy_id);
        let policy = violations.finish(policy)?;
        let page = Page::of(&self.kit.keys, request.get_ref())?;
        let (found, next_page_token) = self.list_batches(&keeper, policy, &page).await?;
        let code_batches = found.into_iter().map(pb::CouponCodeBatch::from).collect();
        Ok(Response::new(pb::ListCouponCodeBatchesResponse { code_batches, next_page_token }))
    }

    async fn export_coupon_codes(
        &self,
        request: Request<pb::ExportCouponCodesRequest>,
    ) -> Answer<Self::ExportCouponCodesStream> {
        let keeper = Keeper::of(Caller::of(&request))?;
        let (id, from) = convert::export(request.get_ref())?;
        let counted = self.kept_batch(&keeper, id).await?;
        let item = |Exported { next, codes }| pb::ExportCouponCodesResponse { cursor: next.to_string(), codes };
        Ok(Response::new(self.export(&counted.batch, from).map(item).map(Ok).boxed()))
    }

    async fn cancel_coupon_code_batch(
        &self,
        request: Request<pb::CancelCouponCodeBatchRequest>,
    ) -> Answer<pb::CouponCodeBatch> {
        let keeper = Keeper::of(Caller::of(&request))?;
        let (id, key) = keyed_id(request.get_ref(), &request.get_ref().id)?;
        Ok(self.cancel_batch(&keeper, id, &key).await?.into_response())
    }
}
