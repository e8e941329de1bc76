//! `coupon.ended`: told once of each policy, when it issues no more; of one whose total was raised since, once more.
//!
//! Sold out is what the rows say. They are counted when the batch that wrote the last place has committed, and by a job.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use uuid::Uuid;
use yeyak_proto::yeyak::coupon::v1 as pb;

use super::rule::{Ruling, Want};
use crate::backend::gate::Sale;
use crate::coupon::model::{EndCause, Issuing, Policy, PolicyId};
use crate::coupon::round::Round;
use crate::coupon::{Coupons, store};
use crate::error::Error;
use crate::kit::caller::Actor;
use crate::kit::clock::Time;
use crate::kit::job::Job;
use crate::kit::outbox::Cause;

const PAGE: u64 = 200;
/// For how long rows are not counted again while a gate says that some places are left.
const COUNTED: TimeDelta = TimeDelta::minutes(10);

/// The policies that this process has seen close to their end.
#[derive(Debug, Default)]
pub(in crate::coupon) struct Ends {
    seen: Mutex<HashMap<PolicyId, Seen>>,
    /// When the rows of policies were last counted by the job.
    counted: Mutex<HashMap<PolicyId, Time>>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Seen {
    /// All places of this total were given; some may not have their rows yet.
    Close {
        total: u64,
    },
    /// The rows are being counted; `again` when more have been written since.
    Counted {
        again: bool,
    },
    Told,
}

impl Coupons {
    /// The gate has no place left. When it is said for the first time, nobody else may be about to look.
    pub(super) fn gate_is_sold_out(&self, policy: PolicyId) {
        let mut seen = self.ends.seen.lock().expect("nothing panics while it is held");
        if let Entry::Vacant(unseen) = seen.entry(policy) {
            unseen.insert(Seen::Counted { again: false });
            self.tasks.spawn(self.clone().count(policy));
        }
    }

    /// Looks whether these rows were the last.
    pub(super) fn look_for_end(&self, ruling: &Ruling, wants: &[Want]) {
        let Policy { id, offer, end_told, .. } = &ruling.policy;
        let Some(total) = offer.total.filter(|_| end_told.is_none() && !ruling.written.is_empty()) else { return };
        let mut seen = self.ends.seen.lock().expect("nothing panics while it is held");
        let has_last = wants.iter().any(|want| want.place.place >= total);
        match seen.get_mut(id) {
            Some(Seen::Counted { again }) => *again = true,
            // What was seen of a lower total says nothing about this one.
            Some(Seen::Close { total: known }) if !has_last && *known != total => {}
            None | Some(Seen::Told) if !has_last => {}
            None | Some(Seen::Close { .. } | Seen::Told) => {
                seen.insert(*id, Seen::Counted { again: false });
                self.tasks.spawn(self.clone().count(*id));
            }
        }
    }

    async fn count(self, policy: PolicyId) {
        loop {
            let counted = match self.tell_if_sold_out(policy).await {
                Ok(counted) => counted,
                Err(error) => {
                    tracing::debug!(policy.id = %policy, "whether {policy} is sold out is looked for later: {error}");
                    None
                }
            };
            let mut seen = self.ends.seen.lock().expect("nothing panics while it is held");
            match (counted, seen.get(&policy)) {
                (Some(Seen::Told), _) => _ = seen.insert(policy, Seen::Told),
                (_, Some(Seen::Counted { again: true })) => {
                    seen.insert(policy, Seen::Counted { again: false });
                    continue;
                }
                (Some(close), _) => _ = seen.insert(policy, close),
                (None, _) => _ = seen.remove(&policy),
            }
            return;
        }
    }

    /// How close a policy is to its end by its rows. That it is sold out is told then, if it was not before.
    async fn tell_if_sold_out(&self, id: PolicyId) -> Result<Option<Seen>, Error> {
        let Some(policy) = store::policy::find(self.kit.db.read(), id).await? else { return Ok(None) };
        if policy.end_told.is_some() {
            return Ok(Some(Seen::Told));
        }
        let Some(total) = policy.offer.total else { return Ok(None) };
        if !self.is_sold_out(&policy).await? {
            return Ok(Some(Seen::Close { total }));
        }
        self.tell_end(&policy, EndCause::SoldOut).await?;
        Ok(Some(Seen::Told))
    }

    async fn is_sold_out(&self, policy: &Policy) -> Result<bool, Error> {
        let Some(total) = policy.offer.total else { return Ok(false) };
        let conn = self.kit.db.read();
        let issued = match policy.issuing {
            Issuing::FirstCome => store::receipt::place_count(conn, policy.id).await?,
            Issuing::Code | Issuing::Grant => store::policy::granted(conn, policy.id).await?,
        };
        Ok(issued >= total)
    }

    /// Tells that a policy issues no more, unless that was told before.
    pub(super) async fn tell_end(&self, policy: &Policy, cause: EndCause) -> Result<bool, Error> {
        let event = pb::CouponPolicyEnded {
            policy_id: policy.id.to_string(),
            cause: match cause {
                EndCause::SoldOut => pb::coupon_policy_ended::Cause::SoldOut,
                EndCause::Window => pb::coupon_policy_ended::Cause::Window,
                EndCause::Owner => pb::coupon_policy_ended::Cause::Owner,
            }
            .into(),
        };
        let actor = Actor::job("coupon-ends");
        let told = self
            .kit
            .db
            .write(async |tx| {
                let told = store::policy::told(&tx, policy, cause).await?;
                if told {
                    let cause = Cause { aggregate: policy.id.0, version: policy.version, actor: &actor };
                    self.kit.outbox.put(&tx, cause, &event);
                }
                Ok(told)
            })
            .await?;
        if told {
            tracing::info!(policy.id = %policy.id, cause = cause.name(), "{} issues no more: {}", policy.id, cause.name());
        }
        Ok(true)
    }

    /// Whether a policy issues no more, which is told then.
    async fn tell_if_ended(&self, policy: &Policy, now: Time) -> Result<bool, Error> {
        match self.end_cause(policy, now).await? {
            Some(cause) => self.tell_end(policy, cause).await,
            None => Ok(false),
        }
    }

    /// Whether all rows may be there. A gate that knows of places that are left may be wrong, but not worth a count each time.
    async fn is_worth_counting(&self, policy: PolicyId, now: Time) -> bool {
        let gate = self.gate.remaining(policy.0).await.ok().flatten();
        let has_left = gate.and_then(|remaining| remaining.left).is_some_and(|left| left > 0);
        let mut counted = self.ends.counted.lock().expect("nothing panics while it is held");
        counted.retain(|_, time| now - *time < COUNTED);
        let is_worth = !has_left || !counted.contains_key(&policy);
        if is_worth {
            counted.insert(policy, now);
        }
        is_worth
    }

    /// Why a policy issues no more. Rows are counted only where the last place has one.
    async fn end_cause(&self, policy: &Policy, now: Time) -> Result<Option<EndCause>, Error> {
        let terms = policy.terms();
        if terms.sale == Sale::Ended {
            return Ok(Some(EndCause::Owner));
        }
        if terms.end_time.is_some_and(|end| end <= now) {
            return Ok(Some(EndCause::Window));
        }
        let Some(total) = policy.offer.total else { return Ok(None) };
        let may_be = match policy.issuing {
            Issuing::FirstCome => {
                let highest = store::receipt::highest_place(self.kit.db.read(), policy.id).await?;
                highest >= total && self.is_worth_counting(policy.id, now).await
            }
            Issuing::Code | Issuing::Grant => true,
        };
        Ok((may_be && self.is_sold_out(policy).await?).then_some(EndCause::SoldOut))
    }
}

/// Tells of policies that issue no more.
#[derive(Debug)]
pub(in crate::coupon) struct EndsJob(pub(in crate::coupon) Coupons);

#[async_trait]
impl Job for EndsJob {
    fn name(&self) -> &'static str {
        "coupon-ends"
    }

    fn every(&self) -> Duration {
        Duration::from_secs(5)
    }

    /// Of how many policies it was told. One that fails is left until the next time, and the others are told of.
    async fn run(&self) -> Result<u64, Error> {
        let now = self.0.kit.clock.now();
        let (mut round, mut after) = (Round::default(), Uuid::nil());
        loop {
            let (page, last) = store::policy::untold(self.0.kit.db.read(), now, after, PAGE).await?;
            let Some(last) = last else { return round.end() };
            after = last.0;
            for policy in &page {
                round.add(policy.id, self.0.tell_if_ended(policy, now).await);
            }
        }
    }
}
