//! The service of roles: caller, command, operation, answer.

use tonic::{Request, Response, Status};
use yeyak_proto::yeyak::member::v1 as pb;
use yeyak_proto::yeyak::member::v1::role_service_server::{RoleService, RoleServiceServer};

use super::convert;
use crate::kit::caller::Caller;
use crate::kit::page::Page;
use crate::member::Members;

type Answer<T> = Result<Response<T>, Status>;

impl Members {
    /// The service that grants and withdraws roles.
    pub fn role_service(&self) -> RoleServiceServer<Self> {
        RoleServiceServer::new(self.clone())
    }
}

#[tonic::async_trait]
impl RoleService for Members {
    async fn grant_role(&self, request: Request<pb::GrantRoleRequest>) -> Answer<pb::Member> {
        let admin = Caller::of(&request).admin()?;
        let (change, key) = convert::grant(&admin, request.get_ref())?;
        let changed = self.change_role_as(&admin, &change, &key).await?;
        Ok(changed.into_response())
    }

    async fn withdraw_role(&self, request: Request<pb::WithdrawRoleRequest>) -> Answer<pb::Member> {
        let admin = Caller::of(&request).admin()?;
        let (change, key) = convert::withdraw(&admin, request.get_ref())?;
        let changed = self.change_role_as(&admin, &change, &key).await?;
        Ok(changed.into_response())
    }

    async fn list_role_events(
        &self,
        request: Request<pb::ListRoleEventsRequest>,
    ) -> Answer<pb::ListRoleEventsResponse> {
        let admin = Caller::of(&request).admin()?;
        let member = convert::member_filter(&request.get_ref().member_id)?;
        let page = Page::of(&self.kit.keys, request.get_ref())?;
        let (events, next_page_token) = self.list_role_events(&admin, member, &page).await?;
        let role_events = events.into_iter().map(Into::into).collect();
        Ok(Response::new(pb::ListRoleEventsResponse { role_events, next_page_token }))
    }
}
