//! The gates of policies that issue now are looked after: they have the terms of the row, and no place is left over.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use metrics::gauge;
use uuid::Uuid;

use super::model::{Policy, PolicyId};
use super::round::Round;
use super::{Coupons, store};
use crate::backend::gate::Remaining;
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::job::Job;

const PAGE: u64 = 200;
/// For how long rows are not counted again under a gate that has not changed.
const COUNTED: TimeDelta = TimeDelta::minutes(10);

/// Looks after gates.
#[derive(Debug)]
pub(super) struct GatesJob {
    coupons: Coupons,
    /// The gates that knew of no row for some of their places at the last look.
    stuck: Mutex<HashMap<PolicyId, Remaining>>,
    /// The gates without a place left whose places all have rows, as they were when those were counted.
    whole: Mutex<HashMap<PolicyId, (Remaining, Time)>>,
}

impl GatesJob {
    pub(super) fn new(coupons: Coupons) -> Self {
        Self { coupons, stuck: Mutex::default(), whole: Mutex::default() }
    }

    /// Looks after one gate; whether there was something to do.
    async fn look_after(&self, policy: &Policy) -> Result<bool, Error> {
        let Some(now) = self.coupons.gate.remaining(policy.id.0).await? else {
            return Ok(false);
        };
        if now.version < policy.version {
            // The change was committed, and its news lost.
            self.coupons.change_gate(policy).await?;
            return Ok(true);
        }
        // Some are without a row: those to whom they were given have died with them, unless they come back; or the row is another's,
        // or was taken back, and the gate did not hear of it. Seen twice in the same state, they are no longer on their way.
        let is_stuck = now.kept < now.taken || now.left == Some(0) && self.lacks_rows(policy, now).await?;
        let before = {
            let mut stuck = self.stuck.lock().expect("nothing panics while it is held");
            if is_stuck { stuck.insert(policy.id, now) } else { stuck.remove(&policy.id) }
        };
        if !is_stuck || before != Some(now) {
            return Ok(false);
        }
        self.stuck.lock().expect("nothing panics while it is held").remove(&policy.id);
        self.coupons.rebuild_gate(policy).await?;
        Ok(true)
    }

    /// Whether some places have no row. They are counted when the gate has changed, and now and then: where it did not hear that one
    /// was taken back, nothing changes there.
    async fn lacks_rows(&self, policy: &Policy, gate: Remaining) -> Result<bool, Error> {
        let now = self.coupons.kit.clock.now();
        let is_fresh = |(known, counted): &(Remaining, Time)| *known == gate && now - *counted < COUNTED;
        if self.with_whole(|whole| whole.get(&policy.id).is_some_and(is_fresh)) {
            return Ok(false);
        }
        let total = policy.offer.total.unwrap_or(u64::MAX);
        let lacks = store::receipt::place_count(self.coupons.kit.db.read(), policy.id).await? < total;
        if !lacks {
            self.with_whole(|whole| whole.insert(policy.id, (gate, now)));
        }
        Ok(lacks)
    }

    fn with_whole<T>(&self, work: impl FnOnce(&mut HashMap<PolicyId, (Remaining, Time)>) -> T) -> T {
        work(&mut self.whole.lock().expect("nothing panics while it is held"))
    }
}

#[async_trait]
impl Job for GatesJob {
    fn name(&self) -> &'static str {
        "coupon-gates"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(30)
    }

    /// How many gates there was something to do for. One that can't be looked after, since another process builds it or for
    /// any other reason, is left until the next time, and the others are looked after.
    async fn run(&self) -> Result<u64, Error> {
        let Coupons { kit, gate, .. } = &self.coupons;
        let (mut round, mut closed, mut after) = (Round::default(), 0_u32, Uuid::nil());
        loop {
            let (page, last) = store::policy::on_sale(kit.db.read(), kit.clock.now(), after, PAGE).await?;
            let Some(last) = last else { break };
            after = last.0;
            for policy in &page {
                round.add(policy.id, self.look_after(policy).await);
                // Of one that can't be reached nobody knows.
                closed += u32::from(gate.remaining(policy.id.0).await.is_ok_and(|remaining| remaining.is_none()));
            }
        }
        let now = kit.clock.now();
        self.with_whole(|whole| whole.retain(|_, (_, counted)| now - *counted < COUNTED));
        gate.tidy(now).await?;
        gauge!("yeyak_coupon_gates_closed").set(closed);
        round.end()
    }
}
