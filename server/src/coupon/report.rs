//! Whether all that was accepted of a policy became coupons.

use yeyak_proto::yeyak::common::v1 as common;
use yeyak_proto::yeyak::coupon::v1 as pb;

use super::model::{Issuing, Policy, State};
use super::{Coupons, store};
use crate::error::Error;

impl Coupons {
    /// Counts what was accepted of a policy, what became coupons, and what was used, and compares it with the gate.
    pub(super) async fn report(&self, policy: &Policy) -> Result<pb::CouponPolicyReport, Error> {
        let conn = self.kit.db.read();
        let is_first_come = policy.issuing == Issuing::FirstCome;
        // The gate first: what is accepted meanwhile shows as more receipts than it knows of, never as fewer.
        let gate_count = match is_first_come {
            true => self.gate.remaining(policy.id.0).await.ok().flatten().map(|remaining| remaining.taken),
            false => None,
        };
        let counts = store::coupon::counts(conn, policy.id).await?;
        let of = |state: State| {
            counts.iter().filter(|(known, _)| known == state.name()).map(|(_, count)| count).sum::<i64>()
        };
        let coupon_count = [State::Available, State::Reserved, State::Used].map(of).iter().sum();
        let (receipt_count, pending_count) = store::receipt::counts(conn, policy.id).await?;
        let gate_count = gate_count.and_then(|count| i64::try_from(count).ok());
        Ok(pb::CouponPolicyReport {
            policy_id: policy.id.to_string(),
            receipt_count,
            pending_count,
            coupon_count,
            gate_count,
            used_count: of(State::Used),
            reserved_count: of(State::Reserved),
            discounts: self.discounts(policy).await?,
            consistent: receipt_count == coupon_count + pending_count
                && gate_count.is_none_or(|count| count == receipt_count),
        })
    }

    /// What the coupons that paid bookings have used have taken off.
    async fn discounts(&self, policy: &Policy) -> Result<Vec<common::Money>, Error> {
        let found = store::coupon::discounts(self.kit.db.read(), policy.id).await?;
        Ok(found.into_iter().map(|(currency_code, minor_units)| common::Money { currency_code, minor_units }).collect())
    }
}
