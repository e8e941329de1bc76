//! The service of API keys: caller, command, operation, answer.

use tonic::{Request, Response, Status};
use yeyak_proto::yeyak::member::v1 as pb;
use yeyak_proto::yeyak::member::v1::api_key_service_server::{ApiKeyService, ApiKeyServiceServer};

use super::convert;
use crate::kit::caller::Caller;
use crate::kit::idempotency::RequestKey;
use crate::kit::page::Page;
use crate::kit::violation::Violations;
use crate::member::Members;

type Answer<T> = Result<Response<T>, Status>;

impl Members {
    /// The service that makes and revokes API keys.
    pub fn api_key_service(&self) -> ApiKeyServiceServer<Self> {
        ApiKeyServiceServer::new(self.clone())
    }
}

#[tonic::async_trait]
impl ApiKeyService for Members {
    async fn create_api_key(&self, request: Request<pb::CreateApiKeyRequest>) -> Answer<pb::CreateApiKeyResponse> {
        let admin = Caller::of(&request).admin()?;
        let command = convert::create(request.get_ref(), self.kit.clock.now())?;
        let (key, secret) = self.create_api_key(&admin, command).await?;
        Ok(Response::new(pb::CreateApiKeyResponse { api_key: Some(key.into()), secret }))
    }

    async fn list_api_keys(&self, request: Request<pb::ListApiKeysRequest>) -> Answer<pb::ListApiKeysResponse> {
        let admin = Caller::of(&request).admin()?;
        let page = Page::of(&self.kit.keys, request.get_ref())?;
        let (keys, next_page_token) = self.list_api_keys(&admin, &page).await?;
        let api_keys = keys.into_iter().map(Into::into).collect();
        Ok(Response::new(pb::ListApiKeysResponse { api_keys, next_page_token }))
    }

    async fn revoke_api_key(&self, request: Request<pb::RevokeApiKeyRequest>) -> Answer<pb::ApiKey> {
        let admin = Caller::of(&request).admin()?;
        let mut violations = Violations::new();
        let key = RequestKey::of(request.get_ref(), &mut violations);
        let id = violations.id("id", &request.get_ref().id);
        let id = violations.finish(id)?;
        let revoked = self.revoke_api_key(&admin, id, &key).await?;
        Ok(revoked.into_response())
    }
}
