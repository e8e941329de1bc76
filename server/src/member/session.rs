//! Sessions: refreshed, ended, and known to live or not.

use uuid::Uuid;

use super::Members;
use super::error::MemberError;
use super::model::{Profile, Refresh, Session};
use super::store::{self, Origin};
use super::token::TokenPair;
use crate::error::{Error, NotFound};
use crate::kit::caller::{Member, SessionId};
use crate::kit::id::MemberId;
use crate::kit::idempotency::{Reply, RequestKey};

/// An opened session.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    pub(super) member: Profile,
    pub(super) tokens: TokenPair,
}

impl Members {
    pub(super) fn new_session(&self, member: MemberId, origin: &Origin) -> Session {
        let now = self.kit.clock.now();
        Session {
            id: SessionId::new(&self.kit.ids, now),
            member,
            generation: 1,
            address: origin.address.clone(),
            user_agent: origin.user_agent.clone(),
            create_time: now,
            refresh_time: now,
            expire_time: now + self.tokens.refresh_life(),
            revoke_time: None,
        }
    }

    /// Gives the tokens of a session's next generation, once for each refresh token.
    pub(super) async fn refresh(&self, token: &str) -> Result<TokenPair, Error> {
        let (id, generation) = self.tokens.read_refresh(token).ok_or(MemberError::RefreshTokenInvalid)?;
        loop {
            match self.refresh_once(id, generation).await {
                // A twin was faster: what it did is decided on now.
                Err(error) if error.is_lost() => {}
                outcome => return outcome,
            }
        }
    }

    async fn refresh_once(&self, id: SessionId, generation: i64) -> Result<TokenPair, Error> {
        let now = self.kit.clock.now();
        let session = store::session(self.kit.db.read(), id).await?.ok_or(MemberError::RefreshTokenInvalid)?;
        match session.refresh(generation, now) {
            Refresh::Advance => {
                let expire_time = now + self.tokens.refresh_life();
                let next =
                    Session { generation: session.generation + 1, refresh_time: now, expire_time, ..session.clone() };
                self.kit.db.write(async |tx| store::advance(&*tx, &session, &next).await).await?;
                self.tokens.issue(&next, now)
            }
            Refresh::Repeat => self.tokens.issue(&session, now),
            Refresh::Reused => {
                self.end(id).await?;
                tracing::warn!(session.id = %id, "a used refresh token came again: {id} has been ended");
                Err(MemberError::RefreshTokenReused(id).into())
            }
            Refresh::Over => Err(MemberError::RefreshTokenInvalid.into()),
        }
    }

    /// Ends the session that the caller is logged in with.
    pub(super) async fn log_out(&self, caller: &Member) -> Result<(), Error> {
        match caller.session {
            Some(session) => self.end(session).await,
            None => Ok(()),
        }
    }

    /// Ends one session of the caller.
    pub(super) async fn revoke_session(
        &self,
        caller: &Member,
        id: SessionId,
        key: &RequestKey,
    ) -> Result<Reply<Session>, Error> {
        let load = async |session: Uuid| self.session_of(caller, SessionId(session)).await;
        self.kit
            .requests
            .once(caller.id.0, "RevokeSession", key, load, async |record| {
                let session = self.session_of(caller, id).await?;
                let now = self.kit.clock.now();
                self.kit
                    .db
                    .write(async |tx| {
                        store::revoke(&*tx, id, now).await?;
                        let liveness = self.liveness.clone();
                        tx.on_commit(move || liveness.forget(id));
                        record.put(&tx, id.0).await
                    })
                    .await?;
                Ok(Session { revoke_time: session.revoke_time.or(Some(now)), ..session })
            })
            .await
    }

    async fn session_of(&self, caller: &Member, id: SessionId) -> Result<Session, Error> {
        let found = store::session_of(self.kit.db.read(), caller.id, id).await?;
        Ok(found.ok_or_else(|| NotFound::new("session", id))?)
    }

    async fn end(&self, id: SessionId) -> Result<(), Error> {
        let now = self.kit.clock.now();
        self.kit
            .db
            .write(async |tx| {
                let liveness = self.liveness.clone();
                tx.on_commit(move || liveness.forget(id));
                store::revoke(&*tx, id, now).await
            })
            .await
    }
}
