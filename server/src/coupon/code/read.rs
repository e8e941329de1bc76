//! Reading batches, and the codes that they are.

use futures::{Stream, stream};

use super::text::Code;
use super::{Batch, CodeBatchId};
use crate::coupon::keeper::Keeper;
use crate::coupon::model::{Policy, PolicyId};
use crate::coupon::store::code::Counted;
use crate::coupon::{Coupons, store};
use crate::error::{Error, NotFound};
use crate::kit::page::Page;

/// The most codes of an item of an export.
const ITEM: u32 = 1_000;

/// Some codes of a batch, and the number of the one behind them.
#[derive(Clone, Debug)]
pub(super) struct Exported {
    pub(super) next: u32,
    pub(super) codes: Vec<String>,
}

impl Coupons {
    /// A batch of a policy that the keeper keeps.
    pub(super) async fn kept_batch(&self, keeper: &Keeper, id: CodeBatchId) -> Result<Counted, Error> {
        let not_found = || Error::from(NotFound::new("coupon_code_batch", id));
        let counted = store::code::find(self.kit.db.read(), id).await?.ok_or_else(not_found)?;
        self.kept_policy(keeper, counted.batch.policy).await.map_err(|error| error.hidden(not_found))?;
        Ok(counted)
    }

    /// The batches of a policy that the keeper keeps, newest first.
    pub(super) async fn list_batches(
        &self,
        keeper: &Keeper,
        policy: PolicyId,
        page: &Page,
    ) -> Result<(Vec<Counted>, String), Error> {
        let Policy { id, .. } = self.kept_policy(keeper, policy).await?;
        let found = store::code::list(self.kit.db.read(), id, page).await?;
        Ok(page.cut(&self.kit.keys, found, |counted| counted.batch.id.0))
    }

    /// The codes of a batch from one on, made again.
    pub(super) fn export(&self, batch: &Batch, from: u32) -> impl Stream<Item = Exported> + Send + use<> {
        let (keys, number, count) = (self.kit.keys.clone(), batch.number, batch.code_count);
        let items = (from.min(count)..count).step_by(ITEM as usize).map(move |first| {
            let next = count.min(first + ITEM);
            let codes = (first..next).map(|code| Code { batch: number, number: code }.text(&keys)).collect();
            Exported { next, codes }
        });
        stream::iter(items)
    }
}
