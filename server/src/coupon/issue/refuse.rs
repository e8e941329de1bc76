//! Refusing those whom the gate did not let in: once that is the last word, and as the rows know them.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::Ask;
use super::accept::{Group, answer_all};
use crate::backend::gate::Refused;
use crate::coupon::error::CouponError;
use crate::coupon::model::{Policy, PolicyId};
use crate::coupon::{Coupons, store};

/// For how long, and how often, those ask again who may still have a place that is given back. Rows are written within that, unless
/// whoever took the places has died with them.
const HOPE: Duration = Duration::from_secs(1);
const MOMENT: Duration = Duration::from_millis(50);

impl Coupons {
    /// Those whom the gate refused, without those for whom no place is left as long as some that it gave have no rows: a place may
    /// be given back, and they get in line again in a moment. Once that has gone on for too long, nobody waits for it any more.
    pub(super) fn hopeless(&self, group: &mut Group) -> Vec<(Ask, Refused)> {
        let (refused, policy) = (std::mem::take(&mut group.refused), group.policy);
        let is_sold_out = |(_, why): &(Ask, Refused)| *why == Refused::SoldOut;
        if !refused.iter().any(is_sold_out) {
            return refused;
        }
        // A place that is given beside them has just come back: others may.
        if group.is_settled || group.admitted.iter().any(|admitted| admitted.is_own) {
            self.unsettled.invalidate(&policy);
        }
        if group.is_settled {
            return refused;
        }
        if self.unsettled.get_with(policy, Instant::now).elapsed() > HOPE {
            return refused;
        }
        let (hopeful, refused): (Vec<_>, Vec<_>) = refused.into_iter().partition(is_sold_out);
        let this = self.clone();
        self.tasks.spawn(async move {
            sleep(MOMENT).await;
            this.put_in_line(policy, hopeful.into_iter().map(|(ask, _)| ask).collect());
        });
        refused
    }

    /// Answers by the rows alone: the policy issues no more, and its gate need not be built for that.
    pub(super) async fn answer_by_rows(&self, policy: PolicyId, asks: Vec<Ask>) {
        let ended = asks.into_iter().map(|ask| (ask, Refused::Ended)).collect();
        for (ask, _) in self.unknown_to_rows(policy, ended).await {
            ask.answer(Err(CouponError::Ended(policy).into()));
        }
    }

    /// Answers those whose request a row has; the others are left.
    async fn unknown_to_rows(&self, policy: PolicyId, refused: Vec<(Ask, Refused)>) -> Vec<(Ask, Refused)> {
        let members = refused.iter().map(|(ask, _)| ask.member);
        let rows = match store::receipt::of_members(self.kit.db.read(), policy, members).await {
            Ok(rows) => rows,
            Err(error) => {
                answer_all(refused.into_iter().map(|(ask, _)| ask).collect(), &error);
                return Vec::new();
            }
        };
        let rows: HashMap<_, _> = rows.into_iter().map(|row| ((row.member, row.token), row.id)).collect();
        let (mut replays, mut unknown) = (Vec::new(), Vec::new());
        for (ask, why) in refused {
            match rows.get(&(ask.member, ask.token)) {
                Some(receipt) => replays.push((ask, *receipt)),
                None => unknown.push((ask, why)),
            }
        }
        self.replay(replays).await;
        unknown
    }

    /// Refuses those whom the gate did not let in, unless it does not know of all and a row has their request.
    pub(super) async fn refuse(&self, policy: PolicyId, mut refused: Vec<(Ask, Refused)>, is_complete: bool) {
        if !is_complete {
            refused = self.unknown_to_rows(policy, refused).await;
        }
        if refused.iter().any(|(_, why)| *why == Refused::SoldOut) {
            self.gate_is_sold_out(policy);
        }
        // What the gate does not know of the terms, the row does.
        let needs_terms = refused.iter().any(|(_, why)| matches!(why, Refused::NotStarted | Refused::OverLimit(_)));
        let terms = match needs_terms {
            false => None,
            true => match store::policy::find(self.kit.db.read(), policy).await {
                Ok(terms) => terms,
                Err(error) => return answer_all(refused.into_iter().map(|(ask, _)| ask).collect(), &error),
            },
        };
        for (ask, why) in refused {
            ask.answer(Err(refusal(policy, terms.as_ref(), why).into()));
        }
    }
}

fn refusal(policy: PolicyId, terms: Option<&Policy>, why: Refused) -> CouponError {
    match (why, terms) {
        (Refused::NotStarted, Some(terms)) => {
            CouponError::NotStarted { policy, start: terms.offer.start_time.unwrap_or(terms.create_time) }
        }
        (Refused::OverLimit(_), Some(terms)) => over_limit(terms),
        (Refused::Ended, _) => CouponError::Ended(policy),
        (Refused::Paused, _) => CouponError::Paused(policy),
        (Refused::SoldOut, _) => CouponError::SoldOut(policy),
        _ => CouponError::GateClosed(policy),
    }
}

/// The member has as many as they may.
pub(super) fn over_limit(policy: &Policy) -> CouponError {
    CouponError::LimitReached { policy: policy.id, limit: "per_member_count", maximum: policy.offer.per_member }
}
