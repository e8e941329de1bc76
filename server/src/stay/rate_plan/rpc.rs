//! The service of rate plans: caller, command, operation, answer.

use tonic::{Request, Response, Status};
use yeyak_proto::yeyak::stay::v1 as pb;
use yeyak_proto::yeyak::stay::v1::rate_plan_service_server::{RatePlanService, RatePlanServiceServer};

use super::convert;
use crate::kit::caller::Caller;
use crate::kit::page::Page;
use crate::kit::violation::Violations;
use crate::stay::Stays;
use crate::stay::convert::keyed_id;
use crate::stay::model::SaleState;

type Answer<T> = Result<Response<T>, Status>;

impl Stays {
    /// The service that keeps rate plans.
    pub fn rate_plan_service(&self) -> RatePlanServiceServer<Self> {
        RatePlanServiceServer::new(self.clone())
    }
}

#[tonic::async_trait]
impl RatePlanService for Stays {
    async fn create_rate_plan(&self, request: Request<pb::CreateRatePlanRequest>) -> Answer<pb::RatePlan> {
        let seller = Caller::of(&request).seller()?;
        let (command, key) = convert::create(request.get_ref())?;
        Ok(self.create_rate_plan(&seller, &command, &key).await?.into_response())
    }

    async fn get_rate_plan(&self, request: Request<pb::GetRatePlanRequest>) -> Answer<pb::RatePlan> {
        let caller = Caller::of(&request);
        let mut violations = Violations::new();
        let id = violations.id("id", &request.get_ref().id);
        let rate_plan = self.seen_rate_plan(&caller, violations.finish(id)?).await?;
        Ok(Response::new(rate_plan.into()))
    }

    async fn list_rate_plans(&self, request: Request<pb::ListRatePlansRequest>) -> Answer<pb::ListRatePlansResponse> {
        let caller = Caller::of(&request);
        let mut violations = Violations::new();
        let room_type = violations.id("room_type_id", &request.get_ref().room_type_id);
        let room_type = violations.finish(room_type)?;
        let page = Page::of(&self.kit.keys, request.get_ref())?;
        let (rate_plans, next_page_token) = self.list_rate_plans(&caller, room_type, &page).await?;
        let rate_plans = rate_plans.into_iter().map(pb::RatePlan::from).collect();
        Ok(Response::new(pb::ListRatePlansResponse { rate_plans, next_page_token }))
    }

    async fn update_rate_plan(&self, request: Request<pb::UpdateRatePlanRequest>) -> Answer<pb::RatePlan> {
        let seller = Caller::of(&request).seller()?;
        let (command, key) = convert::update(request.get_ref())?;
        Ok(self.update_rate_plan(&seller, &command, &key).await?.into_response())
    }

    async fn open_rate_plan(&self, request: Request<pb::OpenRatePlanRequest>) -> Answer<pb::RatePlan> {
        let seller = Caller::of(&request).seller()?;
        let (id, key) = keyed_id(request.get_ref(), &request.get_ref().id)?;
        Ok(self.sell_rate_plan(&seller, id, SaleState::Open, &key).await?.into_response())
    }

    async fn close_rate_plan(&self, request: Request<pb::CloseRatePlanRequest>) -> Answer<pb::RatePlan> {
        let seller = Caller::of(&request).seller()?;
        let (id, key) = keyed_id(request.get_ref(), &request.get_ref().id)?;
        Ok(self.sell_rate_plan(&seller, id, SaleState::Closed, &key).await?.into_response())
    }
}
