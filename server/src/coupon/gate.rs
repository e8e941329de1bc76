//! The gates of first-come policies: opened, changed, looked after, and built again from the rows.
//!
//! A gate that was lost is built again by one process, under a lease and with a new epoch; the others wait for it. Whatever a
//! gate forgets or gets wrong, the rows decide: a gate that lacks receipts gives places that are found occupied.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use metrics::{counter, histogram};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::error::CouponError;
use super::model::{Issuing, Policy, PolicyId};
use super::{Coupons, store};
use crate::backend::gate::{Changed, Outcome, Progress, Settlement, Step};
use crate::error::{Error, NotFound};
use crate::kit::id::MemberId;
use crate::kit::turn::Turns;

/// How long a caller waits for a gate that is being opened.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it is looked whether another process has opened it.
const LOOK: Duration = Duration::from_millis(50);
/// How many receipts are read at once.
const PAGE: u64 = 5_000;
/// How long a rebuild goes on under a lease that it has taken: well within the lease's life.
const EXTENSION: Duration = Duration::from_secs(3);

/// The gates that this process is opening, with those who wait for them.
#[derive(Debug, Default)]
pub(super) struct Openings {
    under_way: Mutex<HashMap<PolicyId, watch::Receiver<Option<Opened>>>>,
    /// One at a time builds a gate; the lease keeps other processes from it, not this one.
    turns: Turns<PolicyId>,
}

/// Whether the gate is open; false where the policy issues no more, and it need not be.
type Opened = Result<bool, Error>;

impl Coupons {
    /// Puts the terms of a policy into force, once its row has them: when this has returned, nobody is accepted under older ones.
    ///
    /// Places above a lower total that were given and have no row can't get one any more. A gate that holds on to them is
    /// built again from the rows, which have none.
    pub(super) async fn change_gate(&self, policy: &Policy) -> Result<(), Error> {
        if policy.issuing != Issuing::FirstCome {
            return Ok(());
        }
        match self.gate.change(policy.id.0, &policy.terms()).await? {
            Changed::InForce => Ok(()),
            Changed::TotalTooSmall(_) => self.rebuild_gate(policy).await,
            // It reads the terms when it is opened. Whoever asks first need not wait for that.
            Changed::Closed => match self.open_gate(policy.id).await {
                Err(error) if error.fault::<CouponError>().is_none() => Err(error),
                _ => Ok(()),
            },
        }
    }

    /// How many places of a first-come policy are left: by its gate or, while that is closed, by the rows, as they were a moment
    /// ago. None when there is no end of them, or nobody can say just now.
    pub(super) async fn remaining(&self, policy: &Policy) -> Option<u64> {
        let left = async {
            match (self.gate.remaining(policy.id.0).await?, policy.offer.total) {
                (Some(remaining), _) => Ok(remaining.left),
                (None, Some(total)) => Ok(Some(total.saturating_sub(self.place_count(policy.id).await?))),
                (None, None) => Ok(None),
            }
        };
        left.await.unwrap_or_else(|error: Error| {
            tracing::debug!(policy.id = %policy.id, "nobody can say what is left of {}: {error}", policy.id);
            None
        })
    }

    /// How many places of a policy rows have, which everyone may ask: they are counted once for all who do so within a moment.
    async fn place_count(&self, policy: PolicyId) -> Result<u64, Error> {
        let count = store::receipt::place_count(self.kit.db.read(), policy);
        self.place_counts.try_get_with(policy, count).await.map_err(|error| Error::clone(&error))
    }

    /// Gives a place that a receipt of a first-come policy had back to its gate. The rows have it back already: a gate that does
    /// not hear of it gives fewer than there are until it is built again.
    pub(super) async fn release_place(&self, policy: &Policy, member: MemberId, token: uuid::Uuid) {
        let settlement = Settlement { member: member.0, token, outcome: Outcome::TakenBack };
        if let Err(error) = self.gate.settle(policy.id.0, &[settlement]).await {
            tracing::warn!(policy.id = %policy.id, "a place of {} could not be given back to its gate: {error}", policy.id);
        }
    }

    /// Closes the gate of a policy and builds it again from the receipts.
    pub(super) async fn rebuild_gate(&self, policy: &Policy) -> Result<(), Error> {
        if policy.issuing != Issuing::FirstCome {
            return Err(CouponError::WrongIssuing { policy: policy.id, issuing: policy.issuing }.into());
        }
        let known = store::policy::find(self.kit.db.read(), policy.id).await?;
        let since = known.map(|known| known.gate_epoch);
        self.under_lease(policy.id, since, async || self.build_again(policy.id, "it was asked for").await).await
    }

    /// As [`Self::rebuild_gate`], of a policy by its id.
    pub(super) async fn rebuild_gate_of(&self, id: PolicyId) -> Result<(), Error> {
        let policy = store::policy::find(self.kit.db.read(), id).await?;
        self.rebuild_gate(&policy.ok_or_else(|| NotFound::new("coupon_policy", id))?).await
    }

    /// Waits, not for long, until the gate of a policy is open; false where the policy issues no more, and its gate was not
    /// opened for that.
    pub(super) async fn open_gate(&self, policy: PolicyId) -> Opened {
        let mut opened = self.opening(policy);
        let waiting = timeout(PATIENCE, opened.wait_for(Option::is_some)).await;
        match waiting {
            Ok(Ok(opened)) => opened.clone().unwrap_or_else(|| Err(CouponError::GateClosed(policy).into())),
            Ok(Err(_)) | Err(_) => Err(CouponError::GateClosed(policy).into()),
        }
    }

    /// The opening that is under way in this process, or one that begins now. It goes on when nobody waits for it.
    fn opening(&self, policy: PolicyId) -> watch::Receiver<Option<Opened>> {
        let mut under_way = self.openings.under_way.lock().expect("nothing panics while it is held");
        // One whose task has ended without a word is none.
        if let Some(opening) = under_way.get(&policy).filter(|opening| opening.has_changed().is_ok()) {
            return opening.clone();
        }
        let (tell, opening) = watch::channel(None);
        under_way.insert(policy, opening.clone());
        let this = self.clone();
        self.tasks.spawn(async move {
            let opened = this.open(policy).await;
            this.openings.under_way.lock().expect("nothing panics while it is held").remove(&policy);
            tell.send_replace(Some(opened));
        });
        opening
    }

    async fn open(&self, id: PolicyId) -> Opened {
        let policy = store::policy::find(self.kit.db.read(), id).await?;
        let policy = policy.ok_or_else(|| NotFound::new("coupon_policy", id))?;
        if policy.issuing != Issuing::FirstCome {
            return Err(CouponError::WrongIssuing { policy: id, issuing: policy.issuing }.into());
        }
        let refusal = policy.refusal_at(self.kit.clock.now());
        if matches!(refusal, Some(CouponError::Ended(_))) {
            return Ok(false);
        }
        self.under_lease(id, None, async || match self.gate.remaining(id.0).await? {
            Some(_) => Ok(()),
            None => self.build_again(id, "it was closed").await,
        })
        .await?;
        Ok(true)
    }

    /// Does something with a gate as the one process that does, or waits until the one that does has opened it: in an epoch
    /// since one, where that is asked for, which knows all that was known then.
    async fn under_lease(
        &self,
        policy: PolicyId,
        since: Option<i64>,
        work: impl AsyncFnOnce() -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (_turn, _) = self.openings.turns.of(policy).await;
        let lease = lease(policy);
        let began = Instant::now();
        while self.leases.hold(&lease).await?.is_none() {
            if began.elapsed() > PATIENCE {
                return Err(CouponError::GateClosed(policy).into());
            }
            sleep(LOOK).await;
            let opened = self.gate.remaining(policy.0).await?;
            if opened.is_some_and(|opened| since.is_none_or(|since| opened.epoch > since)) {
                return Ok(());
            }
        }
        let done = work().await;
        if let Err(error) = self.leases.give_up(&lease).await {
            tracing::debug!(policy.id = %policy, "a lease could not be given up, and runs out by itself: {error}");
        }
        done
    }

    /// Builds a gate from the rows.
    pub(super) async fn build_again(&self, policy: PolicyId, why: &str) -> Result<(), Error> {
        let began = Instant::now();
        let epoch = store::policy::next_epoch(&self.kit.db, policy).await?;
        let progress = self.gate.rebuild(policy.0, epoch, Step::Begin).await?;
        let (progress, count) = match progress {
            Progress::Done => self.load_gate(policy, epoch).await?,
            Progress::Superseded => (progress, 0),
        };
        let took = began.elapsed();
        histogram!("yeyak_coupon_gate_rebuild_seconds").record(took);
        match progress {
            Progress::Done => {
                counter!("yeyak_coupon_gate_rebuilds_total", "outcome" => "done").increment(1);
                let ms = took.as_millis();
                tracing::info!(
                    policy.id = %policy, epoch, receipts = count, ms,
                    "built the gate of {policy} from {count} receipts in {ms} ms, epoch {epoch}: {why}"
                );
                Ok(())
            }
            Progress::Superseded => {
                counter!("yeyak_coupon_gate_rebuilds_total", "outcome" => "superseded").increment(1);
                tracing::info!(policy.id = %policy, epoch, "another has begun to build the gate of {policy}, or it was lost again");
                Err(CouponError::GateClosed(policy).into())
            }
        }
    }

    /// Tells a gate that is being built of every place that a row proves, then of the terms; how many places there were.
    async fn load_gate(&self, policy: PolicyId, epoch: i64) -> Result<(Progress, u64), Error> {
        let conn = self.kit.db.read();
        let (mut after, mut count, mut extended) = (0, 0, Instant::now());
        loop {
            let page = store::receipt::places_after(conn, policy, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.place.place;
            count += page.len() as u64;
            if self.gate.rebuild(policy.0, epoch, Step::Accepted(&page)).await? == Progress::Superseded {
                return Ok((Progress::Superseded, count));
            }
            self.go_on_building(policy, &mut extended).await?;
        }
        // Read now, behind the beginning: what changes from here on is told to the gate itself.
        let terms = store::policy::find(conn, policy).await?.ok_or_else(|| NotFound::new("coupon_policy", policy))?;
        let mut behind = uuid::Uuid::nil();
        loop {
            let page = store::receipt::who_lost_places(conn, policy, behind, PAGE).await?;
            let Some(last) = page.last() else { break };
            behind = *last;
            if self.gate.rebuild(policy.0, epoch, Step::TakenBack(&page)).await? == Progress::Superseded {
                return Ok((Progress::Superseded, count));
            }
            self.go_on_building(policy, &mut extended).await?;
        }
        let open = Step::Open { terms: &terms.terms(), count };
        Ok((self.gate.rebuild(policy.0, epoch, open).await?, count))
    }

    /// Holds on to the lease of a rebuild that takes long.
    async fn go_on_building(&self, policy: PolicyId, extended: &mut Instant) -> Result<(), Error> {
        if extended.elapsed() > EXTENSION {
            *extended = Instant::now();
            self.leases.hold(&lease(policy)).await?;
        }
        Ok(())
    }
}

/// The lease under which the gate of a policy is built.
fn lease(policy: PolicyId) -> String {
    format!("gate of {policy}")
}
