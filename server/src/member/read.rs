//! What members read.

use super::Members;
use super::model::{LoginEvent, Profile, Session};
use super::store;
use crate::error::{Error, NotFound};
use crate::kit::caller::Member;
use crate::kit::id::MemberId;
use crate::kit::page::Page;

impl Members {
    /// A member, for themselves or for an admin.
    pub(super) async fn get(&self, caller: &Member, id: MemberId) -> Result<Profile, Error> {
        if id != caller.id && !caller.is_admin() {
            return Err(NotFound::new("member", id).into());
        }
        self.profile(id).await
    }

    /// A member, for whoever may see them.
    pub(super) async fn profile(&self, id: MemberId) -> Result<Profile, Error> {
        let found = store::account_by_id(self.kit.db.read(), &self.kit, id).await?;
        Ok(found.ok_or_else(|| NotFound::new("member", id))?.profile)
    }

    /// The caller's live sessions, newest first.
    pub(super) async fn list_sessions(&self, caller: &Member, page: &Page) -> Result<(Vec<Session>, String), Error> {
        let now = self.kit.clock.now();
        let sessions = store::live_sessions(self.kit.db.read(), caller.id, now, page).await?;
        Ok(page.cut(&self.kit.keys, sessions, |session| session.id.0))
    }

    /// The caller's login history, newest first.
    pub(super) async fn list_login_events(
        &self,
        caller: &Member,
        page: &Page,
    ) -> Result<(Vec<LoginEvent>, String), Error> {
        let events = store::login_events(self.kit.db.read(), caller.id, page).await?;
        Ok(page.cut(&self.kit.keys, events, |event| event.id.0))
    }
}
