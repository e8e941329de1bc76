//! The service of runs: caller, command, operation, answer.

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use tonic::{Request, Response, Status};
use yeyak_proto::yeyak::coupon::v1 as pb;
use yeyak_proto::yeyak::coupon::v1::coupon_grant_service_server::{CouponGrantService, CouponGrantServiceServer};

use super::{Audience, convert};
use crate::coupon::Coupons;
use crate::coupon::keeper::Keeper;
use crate::error::Error;
use crate::kit::caller::{Caller, Denied};
use crate::kit::page::Page;
use crate::kit::request::keyed_id;
use crate::kit::violation::Violations;

type Answer<T> = Result<Response<T>, Status>;

impl Coupons {
    /// The service that gives coupons to many.
    pub fn grant_service(&self) -> CouponGrantServiceServer<Self> {
        CouponGrantServiceServer::new(self.clone())
    }
}

#[tonic::async_trait]
impl CouponGrantService for Coupons {
    type WatchCouponGrantRunStream = BoxStream<'static, Result<pb::WatchCouponGrantRunResponse, Status>>;

    async fn start_coupon_grant_run(
        &self,
        request: Request<pb::StartCouponGrantRunRequest>,
    ) -> Answer<pb::CouponGrantRun> {
        let keeper = Keeper::of(Caller::of(&request))?;
        let (command, key) = convert::start(request.get_ref(), self.kit.clock.now())?;
        if matches!(command.audience, Audience::Segment(_)) && !keeper.is_admin {
            return Err(Error::from(Denied { needs: "the role admin" }).into());
        }
        Ok(self.start_run(&keeper, &command, &key).await?.into_response())
    }

    async fn get_coupon_grant_run(&self, request: Request<pb::GetCouponGrantRunRequest>) -> Answer<pb::CouponGrantRun> {
        let keeper = Keeper::of(Caller::of(&request))?;
        let mut violations = Violations::new();
        let id = violations.id("id", &request.get_ref().id);
        let run = self.kept_run(&keeper, violations.finish(id)?).await?;
        Ok(Response::new(run.into()))
    }

    async fn list_coupon_grant_runs(
        &self,
        request: Request<pb::ListCouponGrantRunsRequest>,
    ) -> Answer<pb::ListCouponGrantRunsResponse> {
        let keeper = Keeper::of(Caller::of(&request))?;
        let mut violations = Violations::new();
        let policy = violations.id("policy_id", &request.get_ref().policy_id);
        let policy = violations.finish(policy)?;
        let page = Page::of(&self.kit.keys, request.get_ref())?;
        let (found, next_page_token) = self.list_runs(&keeper, policy, &page).await?;
        let grant_runs = found.into_iter().map(pb::CouponGrantRun::from).collect();
        Ok(Response::new(pb::ListCouponGrantRunsResponse { grant_runs, next_page_token }))
    }

    async fn watch_coupon_grant_run(
        &self,
        request: Request<pb::WatchCouponGrantRunRequest>,
    ) -> Answer<Self::WatchCouponGrantRunStream> {
        let keeper = Keeper::of(Caller::of(&request))?;
        let (id, after) = convert::watch(request.get_ref())?;
        let items = self.watch_run(keeper, id, after).await?;
        Ok(Response::new(items.map_ok(convert::seen).map_err(Status::from).boxed()))
    }

    async fn cancel_coupon_grant_run(
        &self,
        request: Request<pb::CancelCouponGrantRunRequest>,
    ) -> Answer<pb::CouponGrantRun> {
        let keeper = Keeper::of(Caller::of(&request))?;
        let (id, key) = keyed_id(request.get_ref(), &request.get_ref().id)?;
        Ok(self.cancel_run(&keeper, id, &key).await?.into_response())
    }
}
