//! What is counted of a policy: the coupons that were given without a place, and the budget that is used.

use std::collections::HashMap;

use sea_orm::entity::prelude::*;
use sea_orm::{Condition, ConnectionTrait, ExprTrait, QuerySelect};

use crate::coupon::entity::tally::{Column, Entity};
use crate::coupon::model::PolicyId;
use crate::error::Error;
use crate::kit::tx::Tx;

/// What is counted of a policy.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::coupon) struct Tally {
    /// Coupons that were given by code or grant, and not taken back.
    pub(in crate::coupon) granted: u64,
    /// In the minor unit of the budget.
    pub(in crate::coupon) budget_used: i64,
}

/// The tallies of some policies.
pub(in crate::coupon) async fn of(
    conn: &impl ConnectionTrait,
    policies: &[PolicyId],
) -> Result<HashMap<PolicyId, Tally>, Error> {
    let rows = Entity::find().filter(Column::PolicyId.is_in(policies.iter().map(|id| id.0))).all(conn).await?;
    let tally = |granted: i64, budget_used| Tally { granted: u64::try_from(granted).unwrap_or(0), budget_used };
    Ok(rows.into_iter().map(|row| (PolicyId(row.policy_id), tally(row.granted, row.budget_used))).collect())
}

/// How many coupons of a policy were given, locked until the transaction ends.
pub(in crate::coupon) async fn granted(tx: &Tx, policy: PolicyId) -> Result<u64, Error> {
    let row = Entity::find_by_id(policy.0).select_only().column(Column::Granted).lock_exclusive();
    let granted: Option<i64> = row.into_tuple().one(&**tx).await?;
    Ok(granted.and_then(|granted| u64::try_from(granted).ok()).unwrap_or(0))
}

/// How much of its budget the bookings of a policy use, locked until the transaction ends. Behind it a statement sees the budget
/// that whoever had the lock before has set.
pub(in crate::coupon) async fn budget_used(tx: &Tx, policy: PolicyId) -> Result<i64, Error> {
    let row = Entity::find_by_id(policy.0).select_only().column(Column::BudgetUsed).lock_exclusive();
    let used: Option<i64> = row.into_tuple().one(&**tx).await?;
    Ok(used.unwrap_or(0))
}

/// Counts coupons that are given, unless that were more than the total; whether they were counted. Whoever gives coupons of the
/// policy at the same moment waits.
pub(in crate::coupon) async fn give(tx: &Tx, policy: PolicyId, count: i64, total: Option<u64>) -> Result<bool, Error> {
    let after = Expr::col(Column::Granted).add(count);
    let within = total.map(|total| after.clone().lte(i64::try_from(total).unwrap_or(i64::MAX)));
    let counted = Entity::update_many()
        .col_expr(Column::Granted, after)
        .filter(Column::PolicyId.eq(policy.0))
        .filter(Condition::all().add_option(within))
        .exec(&**tx)
        .await?;
    Ok(counted.rows_affected == 1)
}

/// Counts a coupon that is taken back.
pub(in crate::coupon) async fn take_back(tx: &Tx, policy: PolicyId) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::Granted, Expr::col(Column::Granted).sub(1))
        .filter(Column::PolicyId.eq(policy.0))
        .exec(&**tx)
        .await?;
    Ok(())
}
