//! The services of members: caller, command, operation, answer.

use tonic::{Request, Response, Status};
use yeyak_proto::yeyak::member::v1 as pb;
use yeyak_proto::yeyak::member::v1::auth_service_server::{AuthService, AuthServiceServer};
use yeyak_proto::yeyak::member::v1::member_service_server::{MemberService, MemberServiceServer};

use super::store::Origin;
use super::{Members, convert};
use crate::kit::caller::Caller;
use crate::kit::idempotency::RequestKey;
use crate::kit::page::Page;
use crate::kit::proto_time;
use crate::kit::violation::Violations;
use crate::layer::context::RequestContext;

type Answer<T> = Result<Response<T>, Status>;

impl Members {
    /// The service that signs members up and logs them in.
    pub fn auth_service(&self) -> AuthServiceServer<Self> {
        AuthServiceServer::new(self.clone())
    }

    /// The service of profiles, passwords and login history.
    pub fn member_service(&self) -> MemberServiceServer<Self> {
        MemberServiceServer::new(self.clone())
    }
}

impl Origin {
    fn of<T>(request: &Request<T>) -> Self {
        let context = request.extensions().get::<RequestContext>();
        let address = context.and_then(|context| context.peer).map(|peer| peer.to_string());
        let user_agent = context.map(|context| context.user_agent().chars().take(200).collect());
        Self { address: address.unwrap_or_default(), user_agent: user_agent.unwrap_or_default() }
    }
}

#[tonic::async_trait]
impl AuthService for Members {
    async fn sign_up(&self, request: Request<pb::SignUpRequest>) -> Answer<pb::SignUpResponse> {
        let origin = Origin::of(&request);
        let command = convert::sign_up(request.into_inner(), origin)?;
        let opened = self.sign_up(command).await?;
        Ok(Response::new(opened.into()))
    }

    async fn log_in(&self, request: Request<pb::LogInRequest>) -> Answer<pb::LogInResponse> {
        let origin = Origin::of(&request);
        let (email, password) = convert::log_in(request.get_ref())?;
        let opened = self.log_in_as(&email, &password, &origin).await?;
        Ok(Response::new(opened.into()))
    }

    async fn refresh_session(&self, request: Request<pb::RefreshSessionRequest>) -> Answer<pb::RefreshSessionResponse> {
        let token = convert::refresh_token(request.into_inner())?;
        let tokens = self.refresh(&token).await?;
        Ok(Response::new(pb::RefreshSessionResponse { tokens: Some(tokens.into()) }))
    }

    async fn log_out(&self, request: Request<pb::LogOutRequest>) -> Answer<pb::LogOutResponse> {
        let caller = Caller::of(&request).member()?;
        self.log_out(&caller).await?;
        Ok(Response::new(pb::LogOutResponse {}))
    }

    async fn list_sessions(&self, request: Request<pb::ListSessionsRequest>) -> Answer<pb::ListSessionsResponse> {
        let caller = Caller::of(&request).member()?;
        let page = Page::of(&self.kit.keys, request.get_ref())?;
        let (sessions, next_page_token) = self.list_sessions(&caller, &page).await?;
        let sessions = sessions.into_iter().map(|session| convert::session(session, caller.session)).collect();
        Ok(Response::new(pb::ListSessionsResponse { sessions, next_page_token }))
    }

    async fn revoke_session(&self, request: Request<pb::RevokeSessionRequest>) -> Answer<pb::Session> {
        let caller = Caller::of(&request).member()?;
        let mut violations = Violations::new();
        let key = RequestKey::of(request.get_ref(), &mut violations);
        let id = violations.id("id", &request.get_ref().id);
        let id = violations.finish(id)?;
        let ended = self.revoke_session(&caller, id, &key).await?;
        Ok(ended.map(|session| convert::session(session, caller.session)).into_response())
    }

    async fn verify_token(&self, request: Request<pb::VerifyTokenRequest>) -> Answer<pb::VerifyTokenResponse> {
        let token = convert::access_token(request.into_inner())?;
        let verified = self.verify_token(&token).await?;
        let answer = verified.map(|(claims, roles)| pb::VerifyTokenResponse {
            active: true,
            member_id: claims.member.to_string(),
            session_id: claims.session.to_string(),
            roles: convert::roles(roles),
            expire_time: Some(proto_time(claims.expire_time)),
        });
        Ok(Response::new(answer.unwrap_or_default()))
    }
}

#[tonic::async_trait]
impl MemberService for Members {
    async fn get_member(&self, request: Request<pb::GetMemberRequest>) -> Answer<pb::Member> {
        let caller = Caller::of(&request).member()?;
        let id = convert::get_member(request.get_ref())?;
        let member = self.get(&caller, id.unwrap_or(caller.id)).await?;
        Ok(Response::new(member.into()))
    }

    async fn update_member(&self, request: Request<pb::UpdateMemberRequest>) -> Answer<pb::Member> {
        let caller = Caller::of(&request).member()?;
        let (command, key) = convert::update_member(request.get_ref())?;
        let updated = self.update(&caller, &command, &key).await?;
        Ok(updated.into_response())
    }

    async fn change_password(&self, request: Request<pb::ChangePasswordRequest>) -> Answer<pb::ChangePasswordResponse> {
        let caller = Caller::of(&request).member()?;
        let command = convert::change_password(request.get_ref(), Origin::of(&request))?;
        self.change_password(&caller, &command).await?;
        Ok(Response::new(pb::ChangePasswordResponse {}))
    }

    async fn list_login_events(
        &self,
        request: Request<pb::ListLoginEventsRequest>,
    ) -> Answer<pb::ListLoginEventsResponse> {
        let caller = Caller::of(&request).member()?;
        let page = Page::of(&self.kit.keys, request.get_ref())?;
        let (events, next_page_token) = self.list_login_events(&caller, &page).await?;
        let login_events = events.into_iter().map(Into::into).collect();
        Ok(Response::new(pb::ListLoginEventsResponse { login_events, next_page_token }))
    }
}
