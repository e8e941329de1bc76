//! Watching a run: as it is at once, and again as it goes on.

use std::time::Duration;

use futures::{Stream, stream};
use tokio::time::timeout;

use super::model::RunState;
use super::{GrantRun, GrantRunId};
use crate::backend::bus::Subscription;
use crate::coupon::Coupons;
use crate::coupon::keeper::Keeper;
use crate::error::Error;

const HEARTBEAT: Duration = Duration::from_secs(15);

/// One item of a watch.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// The version that was seen.
    pub(super) cursor: i64,
    /// Absent in a heartbeat.
    pub(super) run: Option<GrantRun>,
}

struct Watch {
    coupons: Coupons,
    keeper: Keeper,
    id: GrantRunId,
    cursor: Option<i64>,
    changes: Box<dyn Subscription>,
    over: bool,
}

impl Coupons {
    /// Watches a run of a policy that the keeper keeps. The first item comes at once, unless it was seen.
    pub(super) async fn watch_run(
        &self,
        keeper: Keeper,
        id: GrantRunId,
        after: Option<i64>,
    ) -> Result<impl Stream<Item = Result<Seen, Error>> + Send + use<>, Error> {
        // Subscribed before the first look, so that nothing happens unseen between the two.
        let changes = self.bus.subscribe(id.0);
        self.kept_run(&keeper, id).await?;
        let watch = Watch { coupons: self.clone(), keeper, id, cursor: after, changes, over: false };
        Ok(stream::unfold(watch, |mut watch| async move {
            if watch.over {
                return None;
            }
            let seen = watch.next().await;
            watch.over = match &seen {
                Ok(seen) => seen.run.as_ref().is_some_and(|run| run.state != RunState::Running),
                Err(_) => true,
            };
            Some((seen, watch))
        }))
    }
}

impl Watch {
    async fn next(&mut self) -> Result<Seen, Error> {
        loop {
            let run = self.coupons.kept_run(&self.keeper, self.id).await?;
            // Who resumes behind the end has seen all.
            if self.cursor != Some(run.version) || run.state != RunState::Running {
                self.cursor = Some(run.version);
                return Ok(Seen { cursor: run.version, run: Some(run) });
            }
            if timeout(HEARTBEAT, self.changes.changed()).await.is_err() {
                return Ok(Seen { cursor: run.version, run: None });
            }
        }
    }
}
