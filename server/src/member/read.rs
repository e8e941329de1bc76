//! What members read.

use super::Members;
use super::model::Session;
use super::store;
use crate::error::Error;
use crate::kit::caller::Member;
use crate::kit::page::Page;

impl Members {
    /// The caller's live sessions, newest first.
    pub(super) async fn list_sessions(&self, caller: &Member, page: &Page) -> Result<(Vec<Session>, String), Error> {
        let now = self.kit.clock.now();
        let sessions = store::live_sessions(self.kit.db.read(), caller.id, now, page).await?;
        Ok(page.cut(&self.kit.keys, sessions, |session| session.id.0))
    }
}
