//! The service of applications: caller, command, operation, answer.

use tonic::{Request, Response, Status};
use yeyak_proto::yeyak::member::v1 as pb;
use yeyak_proto::yeyak::member::v1::seller_application_service_server::{
    SellerApplicationService, SellerApplicationServiceServer,
};

use super::convert;
use crate::kit::caller::Caller;
use crate::kit::page::Page;
use crate::member::Members;

type Answer<T> = Result<Response<T>, Status>;

impl Members {
    /// The service that takes applications to sell.
    pub fn seller_application_service(&self) -> SellerApplicationServiceServer<Self> {
        SellerApplicationServiceServer::new(self.clone())
    }
}

#[tonic::async_trait]
impl SellerApplicationService for Members {
    async fn create_seller_application(
        &self,
        request: Request<pb::CreateSellerApplicationRequest>,
    ) -> Answer<pb::SellerApplication> {
        let caller = Caller::of(&request).member()?;
        let (command, key) = convert::create(request.get_ref())?;
        let created = self.create_application(&caller, &command, &key).await?;
        Ok(created.map(convert::for_member).into_response())
    }

    async fn get_seller_application(
        &self,
        request: Request<pb::GetSellerApplicationRequest>,
    ) -> Answer<pb::SellerApplication> {
        let caller = Caller::of(&request).member()?;
        let id = convert::id(&request.get_ref().id)?;
        let found = self.get_application(&caller, id).await?;
        Ok(Response::new(if caller.is_admin() { convert::for_admin(found) } else { convert::for_member(found) }))
    }

    async fn list_my_seller_applications(
        &self,
        request: Request<pb::ListMySellerApplicationsRequest>,
    ) -> Answer<pb::ListMySellerApplicationsResponse> {
        let caller = Caller::of(&request).member()?;
        let page = Page::of(&self.kit.keys, request.get_ref())?;
        let (found, next_page_token) = self.list_own_applications(&caller, &page).await?;
        let seller_applications = found.into_iter().map(convert::for_member).collect();
        Ok(Response::new(pb::ListMySellerApplicationsResponse { seller_applications, next_page_token }))
    }

    async fn list_seller_applications(
        &self,
        request: Request<pb::ListSellerApplicationsRequest>,
    ) -> Answer<pb::ListSellerApplicationsResponse> {
        let admin = Caller::of(&request).admin()?;
        let state = convert::state_filter(request.get_ref().state)?;
        let page = Page::of(&self.kit.keys, request.get_ref())?;
        let (found, next_page_token) = self.list_applications(&admin, state, &page).await?;
        let seller_applications = found.into_iter().map(convert::for_admin).collect();
        Ok(Response::new(pb::ListSellerApplicationsResponse { seller_applications, next_page_token }))
    }

    async fn approve_seller_application(
        &self,
        request: Request<pb::ApproveSellerApplicationRequest>,
    ) -> Answer<pb::SellerApplication> {
        let admin = Caller::of(&request).admin()?;
        let (id, decision, key) = convert::approve(request.get_ref())?;
        let decided = self.decide_application(&admin, id, &decision, &key).await?;
        Ok(decided.map(convert::for_admin).into_response())
    }

    async fn reject_seller_application(
        &self,
        request: Request<pb::RejectSellerApplicationRequest>,
    ) -> Answer<pb::SellerApplication> {
        let admin = Caller::of(&request).admin()?;
        let (id, decision, key) = convert::reject(request.get_ref())?;
        let decided = self.decide_application(&admin, id, &decision, &key).await?;
        Ok(decided.map(convert::for_admin).into_response())
    }
}
