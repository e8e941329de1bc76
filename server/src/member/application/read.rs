//! What is read of applications.

use super::model::{Application, SellerApplicationId, State};
use super::store;
use crate::error::{Error, NotFound};
use crate::kit::caller::{Admin, Member};
use crate::kit::id::MemberId;
use crate::kit::page::Page;
use crate::member::Members;

impl Members {
    /// An application, for its member or for an admin.
    pub(super) async fn get_application(&self, caller: &Member, id: SellerApplicationId) -> Result<Application, Error> {
        match caller.is_admin() {
            true => self.any_application(id).await,
            false => self.own_application(caller.id, id).await,
        }
    }

    /// An application of one member.
    pub(super) async fn own_application(
        &self,
        member: MemberId,
        id: SellerApplicationId,
    ) -> Result<Application, Error> {
        let found = store::application_of(self.kit.db.read(), member, id).await?;
        Ok(found.ok_or_else(|| NotFound::new("application", id))?)
    }

    /// The caller's applications, newest first.
    pub(super) async fn list_own_applications(
        &self,
        caller: &Member,
        page: &Page,
    ) -> Result<(Vec<Application>, String), Error> {
        let found = store::applications_of(self.kit.db.read(), caller.id, page).await?;
        Ok(page.cut(&self.kit.keys, found, |application| application.id.0))
    }

    /// Everyone's applications, oldest first.
    pub(super) async fn list_applications(
        &self,
        _admin: &Admin,
        state: Option<State>,
        page: &Page,
    ) -> Result<(Vec<Application>, String), Error> {
        let found = store::applications(self.kit.db.read(), state, page).await?;
        Ok(page.cut(&self.kit.keys, found, |application| application.id.0))
    }
}
