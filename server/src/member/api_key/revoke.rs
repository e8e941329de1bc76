//! Ending an API key.

use uuid::Uuid;

use super::model::ApiKey;
use super::store;
use crate::error::{Error, NotFound};
use crate::kit::caller::{Admin, ApiKeyId};
use crate::kit::idempotency::{Reply, RequestKey};
use crate::member::Members;

impl Members {
    /// Ends a key: no call with it is taken by this process from now on.
    pub(super) async fn revoke_api_key(
        &self,
        admin: &Admin,
        id: ApiKeyId,
        key: &RequestKey,
    ) -> Result<Reply<ApiKey>, Error> {
        let load = async |id: Uuid| self.api_key(ApiKeyId(id)).await;
        self.kit
            .requests
            .once(admin.id.0, "RevokeApiKey", key, load, async |record| {
                self.api_key(id).await?;
                let now = self.kit.clock.now();
                self.kit
                    .db
                    .write(async |tx| {
                        store::revoke(&*tx, id, admin.id, now).await?;
                        let known = self.keys.clone();
                        tx.on_commit(move || known.forget(id));
                        record.put(&tx, id.0).await
                    })
                    .await?;
                self.api_key(id).await
            })
            .await
    }

    async fn api_key(&self, id: ApiKeyId) -> Result<ApiKey, Error> {
        let found = store::key(self.kit.db.read(), id).await?;
        Ok(found.ok_or_else(|| NotFound::new("apikey", id))?)
    }
}
