//! Who an API key is, what it may call, and for whom.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::TimeDelta;
use tracing::Instrument;
use yeyak_proto::{ACT_AS_HEADER, Method};

use super::model::ApiKey;
use super::secret::Secret;
use super::store;
use crate::error::{Error, NotFound};
use crate::kit::Kit;
use crate::kit::caller::{ApiKeyId, Caller, Member, Roles, Unauthenticated};
use crate::kit::clock::Time;
use crate::kit::id::MemberId;
use crate::kit::violation::Violations;
use crate::layer::auth::Credentials;
use crate::member::recent::Recent;
use crate::member::{MemberError, Members};

/// How far apart two notes of a key's use are at least.
const NOTED: TimeDelta = TimeDelta::minutes(1);

/// A key, and when its use was last noted.
#[derive(Debug)]
struct Known {
    key: ApiKey,
    noted: AtomicI64,
}

impl Known {
    fn new(key: ApiKey) -> Self {
        let noted = key.last_use_time.map_or(i64::MIN, |time| time.timestamp_micros());
        Self { key, noted: AtomicI64::new(noted) }
    }

    /// Whether this use is to be noted: true for one of many calls in a minute.
    fn is_due(&self, now: Time) -> bool {
        let due = (now - NOTED).timestamp_micros();
        let noted = self.noted.load(Ordering::Relaxed);
        let claim = |now| self.noted.compare_exchange(noted, now, Ordering::Relaxed, Ordering::Relaxed);
        noted <= due && claim(now.timestamp_micros()).is_ok()
    }
}

/// The keys of late, as the database had them two seconds ago at most.
#[derive(Clone, Debug)]
pub(in crate::member) struct KnownKeys {
    kit: Kit,
    known: Recent<Vec<u8>, Option<Arc<Known>>>,
}

impl KnownKeys {
    pub(in crate::member) fn new(kit: Kit) -> Self {
        Self { kit, known: Recent::new() }
    }

    /// The live key that a caller shows.
    async fn find(&self, token: &str, now: Time) -> Result<Option<Arc<Known>>, Error> {
        let Some(secret) = Secret::read(&self.kit.keys, token) else { return Ok(None) };
        let hash = secret.hash(&self.kit.keys);
        let load = async {
            let found = store::key_by_secret(self.kit.db.read(), &hash).await?;
            Ok(found.map(|key| Arc::new(Known::new(key))))
        };
        let known = self.known.get(hash.clone(), load).await?;
        Ok(known.filter(|known| known.key.is_live(now)))
    }

    /// Looks again at the next call with this key.
    pub(super) fn forget(&self, id: ApiKeyId) {
        self.known.forget_all(move |known| known.as_ref().is_some_and(|known| known.key.id == id));
    }

    /// Notes the use of a key in a task of its own: no call waits for it.
    fn note(&self, known: &Known, now: Time) {
        if !known.is_due(now) {
            return;
        }
        let (kit, id) = (self.kit.clone(), known.key.id);
        let noting = async move {
            if let Err(error) = kit.db.write(async |tx| store::used(&*tx, id, now).await).await {
                tracing::warn!(api_key.id = %id, "the use of {id} could not be noted: {error}");
            }
        };
        tokio::spawn(noting.in_current_span());
    }
}

impl Members {
    /// The service that calls, and for whom.
    pub(in crate::member) async fn service(&self, credentials: Credentials<'_>) -> Result<Caller, Error> {
        let now = self.kit.clock.now();
        let known = self.keys.find(credentials.token, now).await?.ok_or(Unauthenticated::Token)?;
        let scopes = &known.key.scopes;
        if !scopes.allow(credentials.method) {
            return Err(missing(credentials.method, credentials.method.to_string()));
        }
        let acting_for = match credentials.act_as {
            None => None,
            Some(member) => {
                scopes.allow_acting().map_err(|scope| missing(credentials.method, scope.to_owned()))?;
                Some(self.acted_for(known.key.id, member).await?)
            }
        };
        self.keys.note(&known, now);
        Ok(Caller::Service { key: known.key.id, acting_for })
    }

    /// Whether a key is still good.
    pub(in crate::member) async fn is_live(&self, key: ApiKeyId) -> Result<bool, Error> {
        let known = store::key(self.kit.db.read(), key).await?;
        Ok(known.is_some_and(|key| key.is_live(self.kit.clock.now())))
    }

    /// The member that a key acts for: with their roles, but never as an admin.
    async fn acted_for(&self, key: ApiKeyId, member: &str) -> Result<Member, Error> {
        let mut violations = Violations::new();
        let id = violations.id(ACT_AS_HEADER, member);
        let id: MemberId = violations.finish(id)?;
        let roles = self.liveness.roles(id).await?.ok_or_else(|| NotFound::new("member", id))?;
        Ok(Member { id, roles: Roles { admin: false, ..roles }, session: None, by: Some(key) })
    }
}

fn missing(method: &Method, scope: String) -> Error {
    MemberError::MissingScope { method: method.to_string(), scope }.into()
}
