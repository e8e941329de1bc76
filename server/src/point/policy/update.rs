//! Changing the policy.

use crate::error::Error;
use crate::kit::caller::Admin;
use crate::kit::clock::Time;
use crate::kit::idempotency::{Reply, RequestKey};
use crate::kit::request::check_etag;
use crate::point::model::{Campaign, ClawBack, Policy, Tier};
use crate::point::{Points, store};

/// A change of the policy.
#[derive(Clone, Debug)]
pub(super) enum Change {
    EarnRate(i64),
    EarnCap(Option<i64>),
    MonthlyEarnCap(Option<i64>),
    Campaigns(Vec<Campaign>),
    Tiers(Vec<Tier>),
    ExpiryMonths(u16),
    ClawBack(ClawBack),
    GraceDays(u16),
    GiftCap(i64),
    DailyGiftCap(i64),
}

/// Asks for changes of the policy.
#[derive(Clone, Debug)]
pub(super) struct UpdatePolicy {
    pub(super) etag: Option<String>,
    pub(super) changes: Vec<Change>,
}

impl Points {
    /// The policy as it is now.
    pub(super) async fn policy(&self) -> Result<Policy, Error> {
        store::policy::find(self.kit.db.read()).await
    }

    /// Changes the policy: it counts for what is given, taken back or given away from then on.
    pub(super) async fn update_policy(
        &self,
        admin: &Admin,
        command: &UpdatePolicy,
        key: &RequestKey,
    ) -> Result<Reply<Policy>, Error> {
        let load = async |_| self.policy().await;
        self.kit
            .requests
            .once(admin.id.0, "UpdatePointPolicy", key, load, async |record| {
                let before = self.policy().await?;
                check_etag("the policy of points", command.etag.as_deref(), before.version)?;
                let after = updated(&before, command, admin.actor().0, self.now());
                self.kit
                    .db
                    .write(async |tx| {
                        store::policy::update(&tx, before.version, &after, self.now()).await?;
                        record.put(&tx, admin.id.0).await
                    })
                    .await?;
                Ok(after)
            })
            .await
    }
}

fn updated(before: &Policy, command: &UpdatePolicy, actor: String, now: Time) -> Policy {
    let mut after = Policy { version: before.version + 1, updated_by: actor, update_time: Some(now), ..before.clone() };
    for change in command.changes.iter().cloned() {
        match change {
            Change::EarnRate(rate) => after.earn_rate = rate,
            Change::EarnCap(cap) => after.earn_cap = cap,
            Change::MonthlyEarnCap(cap) => after.monthly_earn_cap = cap,
            Change::Campaigns(campaigns) => after.campaigns = campaigns,
            Change::Tiers(tiers) => after.tiers = tiers,
            Change::ExpiryMonths(months) => after.expiry_months = months,
            Change::ClawBack(policy) => after.claw_back = policy,
            Change::GraceDays(days) => after.grace_days = days,
            Change::GiftCap(cap) => after.gift_cap = cap,
            Change::DailyGiftCap(cap) => after.daily_gift_cap = cap,
        }
    }
    after
}
