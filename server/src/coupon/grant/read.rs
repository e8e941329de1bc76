//! Reading runs.

use super::{GrantRun, GrantRunId};
use crate::coupon::keeper::Keeper;
use crate::coupon::model::{Policy, PolicyId};
use crate::coupon::{Coupons, store};
use crate::error::{Error, NotFound};
use crate::kit::page::Page;

impl Coupons {
    /// A run of a policy that the keeper keeps.
    pub(super) async fn kept_run(&self, keeper: &Keeper, id: GrantRunId) -> Result<GrantRun, Error> {
        let not_found = || Error::from(NotFound::new("coupon_grant_run", id));
        let run = store::run::find(self.kit.db.read(), id).await?.ok_or_else(not_found)?;
        self.kept_policy(keeper, run.policy).await.map_err(|error| error.hidden(not_found))?;
        Ok(run)
    }

    /// The runs of a policy that the keeper keeps, newest first.
    pub(super) async fn list_runs(
        &self,
        keeper: &Keeper,
        policy: PolicyId,
        page: &Page,
    ) -> Result<(Vec<GrantRun>, String), Error> {
        let Policy { id, .. } = self.kept_policy(keeper, policy).await?;
        let found = store::run::list(self.kit.db.read(), id, page).await?;
        Ok(page.cut(&self.kit.keys, found, |run| run.id.0))
    }
}
