//! The service of policies: caller, command, operation, answer.

use tonic::{Request, Response, Status};
use yeyak_proto::yeyak::coupon::v1 as pb;
use yeyak_proto::yeyak::coupon::v1::coupon_policy_service_server::{CouponPolicyService, CouponPolicyServiceServer};

use super::convert;
use crate::backend::gate::Sale;
use crate::coupon::keeper::Keeper;
use crate::coupon::model::{Issuing, Policy};
use crate::coupon::{CouponError, Coupons};
use crate::error::Error;
use crate::kit::caller::Caller;
use crate::kit::page::Page;
use crate::kit::request::keyed_id;
use crate::kit::violation::Violations;

type Answer<T> = Result<Response<T>, Status>;

impl Coupons {
    /// The service that keeps policies.
    pub fn policy_service(&self) -> CouponPolicyServiceServer<Self> {
        CouponPolicyServiceServer::new(self.clone())
    }

    /// The policy of a keeper that a request names.
    async fn named(&self, keeper: &Keeper, id: &str) -> Result<Policy, Error> {
        let mut violations = Violations::new();
        let id = violations.id("id", id);
        self.kept_policy(keeper, violations.finish(id)?).await
    }
}

#[tonic::async_trait]
impl CouponPolicyService for Coupons {
    async fn create_coupon_policy(&self, request: Request<pb::CreateCouponPolicyRequest>) -> Answer<pb::CouponPolicy> {
        let keeper = Keeper::of(Caller::of(&request))?;
        let (command, key) = convert::create(request.get_ref(), &self.kinds, &keeper, self.kit.clock.now())?;
        Ok(self.create_policy(&keeper, &command, &key).await?.into_response())
    }

    async fn get_coupon_policy(&self, request: Request<pb::GetCouponPolicyRequest>) -> Answer<pb::CouponPolicy> {
        let caller = Caller::of(&request);
        let mut violations = Violations::new();
        let id = violations.id("id", &request.get_ref().id);
        let policy = self.get_policy(&caller, violations.finish(id)?).await?;
        Ok(Response::new(policy.into()))
    }

    async fn list_coupon_policies(
        &self,
        request: Request<pb::ListCouponPoliciesRequest>,
    ) -> Answer<pb::ListCouponPoliciesResponse> {
        let keeper = Keeper::of(Caller::of(&request))?;
        let state = convert::state_filter(request.get_ref().state)?;
        let page = Page::of(&self.kit.keys, request.get_ref())?;
        let (found, next_page_token) = self.list_policies(&keeper, state, &page).await?;
        let coupon_policies = found.into_iter().map(pb::CouponPolicy::from).collect();
        Ok(Response::new(pb::ListCouponPoliciesResponse { coupon_policies, next_page_token }))
    }

    async fn list_open_coupon_policies(
        &self,
        request: Request<pb::ListOpenCouponPoliciesRequest>,
    ) -> Answer<pb::ListOpenCouponPoliciesResponse> {
        let page = Page::of(&self.kit.keys, request.get_ref())?;
        let (found, next_page_token) = self.list_open_policies(&Caller::of(&request), &page).await?;
        let coupon_policies = found.into_iter().map(pb::CouponPolicy::from).collect();
        Ok(Response::new(pb::ListOpenCouponPoliciesResponse { coupon_policies, next_page_token }))
    }

    async fn update_coupon_policy(&self, request: Request<pb::UpdateCouponPolicyRequest>) -> Answer<pb::CouponPolicy> {
        let keeper = Keeper::of(Caller::of(&request))?;
        let (command, key) = convert::update(request.get_ref())?;
        Ok(self.update_policy(&keeper, &command, &key).await?.into_response())
    }

    async fn pause_coupon_policy(&self, request: Request<pb::PauseCouponPolicyRequest>) -> Answer<pb::CouponPolicy> {
        let keeper = Keeper::of(Caller::of(&request))?;
        let (id, key) = keyed_id(request.get_ref(), &request.get_ref().id)?;
        Ok(self.sell_policy(&keeper, id, Sale::Paused, &key).await?.into_response())
    }

    async fn resume_coupon_policy(&self, request: Request<pb::ResumeCouponPolicyRequest>) -> Answer<pb::CouponPolicy> {
        let keeper = Keeper::of(Caller::of(&request))?;
        let (id, key) = keyed_id(request.get_ref(), &request.get_ref().id)?;
        Ok(self.sell_policy(&keeper, id, Sale::Open, &key).await?.into_response())
    }

    async fn end_coupon_policy(&self, request: Request<pb::EndCouponPolicyRequest>) -> Answer<pb::CouponPolicy> {
        let keeper = Keeper::of(Caller::of(&request))?;
        let (id, key) = keyed_id(request.get_ref(), &request.get_ref().id)?;
        Ok(self.sell_policy(&keeper, id, Sale::Ended, &key).await?.into_response())
    }

    async fn list_coupon_kinds(
        &self,
        request: Request<pb::ListCouponKindsRequest>,
    ) -> Answer<pb::ListCouponKindsResponse> {
        let page = Page::<String>::of(&self.kit.keys, request.get_ref())?;
        let mut kinds: Vec<_> = self.kinds.iter().map(pb::CouponKind::from).collect();
        kinds.sort_by(|one, other| one.name.cmp(&other.name));
        kinds.retain(|kind| page.after.as_ref().is_none_or(|after| kind.name > *after));
        let (coupon_kinds, next_page_token) = page.cut(&self.kit.keys, kinds, |kind| kind.name.clone());
        Ok(Response::new(pb::ListCouponKindsResponse { coupon_kinds, next_page_token }))
    }

    async fn get_coupon_policy_report(
        &self,
        request: Request<pb::GetCouponPolicyReportRequest>,
    ) -> Answer<pb::CouponPolicyReport> {
        let keeper = Keeper::of(Caller::of(&request))?;
        let policy = self.named(&keeper, &request.get_ref().id).await?;
        Ok(Response::new(self.report(&policy).await?))
    }

    async fn rebuild_coupon_gate(
        &self,
        request: Request<pb::RebuildCouponGateRequest>,
    ) -> Answer<pb::CouponPolicyReport> {
        let keeper = Keeper::of(Caller::of(&request))?;
        let policy = self.named(&keeper, &request.get_ref().id).await?;
        if policy.issuing != Issuing::FirstCome {
            let refused = CouponError::WrongIssuing { policy: policy.id, issuing: policy.issuing };
            return Err(Error::from(refused).into());
        }
        self.rebuild_gate(&policy).await?;
        Ok(Response::new(self.report(&policy).await?))
    }

    async fn republish_coupon_receipts(
        &self,
        request: Request<pb::RepublishCouponReceiptsRequest>,
    ) -> Answer<pb::CouponPolicyReport> {
        let keeper = Keeper::of(Caller::of(&request))?;
        let policy = self.named(&keeper, &request.get_ref().id).await?;
        self.republish(&policy).await?;
        Ok(Response::new(self.report(&policy).await?))
    }
}
