//! Making an API key.

use super::model::{ApiKey, Scopes};
use super::secret::Secret;
use super::store;
use crate::error::Error;
use crate::kit::caller::{Admin, ApiKeyId};
use crate::kit::clock::Time;
use crate::kit::page::Page;
use crate::member::Members;

/// Asks for a key.
#[derive(Clone, Debug)]
pub(super) struct Create {
    pub(super) name: String,
    pub(super) scopes: Scopes,
    pub(super) expire_time: Option<Time>,
}

impl Members {
    /// Makes a key; its secret is given here and never again.
    pub(super) async fn create_api_key(&self, admin: &Admin, command: Create) -> Result<(ApiKey, String), Error> {
        let now = self.kit.clock.now();
        let secret = Secret::new(&self.kit.ids);
        let text = secret.text(&self.kit.keys);
        let key = ApiKey {
            id: ApiKeyId::new(&self.kit.ids, now),
            name: command.name,
            scopes: command.scopes,
            hint: text[text.len() - 4..].to_owned(),
            created_by: admin.id,
            revoked_by: None,
            create_time: now,
            expire_time: command.expire_time,
            last_use_time: None,
            revoke_time: None,
        };
        let hash = secret.hash(&self.kit.keys);
        self.kit.db.write(async |tx| store::insert(&*tx, &key, hash.clone()).await).await?;
        tracing::info!(api_key.id = %key.id, admin = %admin.id, "{} made {}", admin.id, key.id);
        Ok((key, text))
    }

    /// The keys, newest first.
    pub(super) async fn list_api_keys(&self, _admin: &Admin, page: &Page) -> Result<(Vec<ApiKey>, String), Error> {
        let keys = store::keys(self.kit.db.read(), page).await?;
        Ok(page.cut(&self.kit.keys, keys, |key| key.id.0))
    }
}
