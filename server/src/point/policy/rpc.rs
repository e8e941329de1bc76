//! The service of the policy: caller, command, operation, answer.

use tonic::{Request, Response, Status};
use yeyak_proto::yeyak::point::v1 as pb;
use yeyak_proto::yeyak::point::v1::point_policy_service_server::{PointPolicyService, PointPolicyServiceServer};

use super::convert;
use crate::kit::caller::Caller;
use crate::point::Points;

type Answer<T> = Result<Response<T>, Status>;

impl Points {
    /// The service that keeps the policy.
    pub fn policy_service(&self) -> PointPolicyServiceServer<Self> {
        PointPolicyServiceServer::new(self.clone())
    }
}

#[tonic::async_trait]
impl PointPolicyService for Points {
    async fn get_point_policy(&self, request: Request<pb::GetPointPolicyRequest>) -> Answer<pb::PointPolicy> {
        Caller::of(&request).member()?;
        Ok(Response::new(self.policy().await?.into()))
    }

    async fn update_point_policy(&self, request: Request<pb::UpdatePointPolicyRequest>) -> Answer<pb::PointPolicy> {
        let admin = Caller::of(&request).admin()?;
        let (command, key) = convert::update(request.get_ref())?;
        Ok(self.update_policy(&admin, &command, &key).await?.into_response())
    }

    async fn get_point_liability(&self, request: Request<pb::GetPointLiabilityRequest>) -> Answer<pb::PointLiability> {
        Caller::of(&request).admin()?;
        let day = convert::day(request.get_ref(), self.now())?;
        Ok(Response::new(convert::liability(day, self.liability(day).await?)))
    }
}
