//! Coupons: made of receipts, and read.

use std::collections::HashSet;

use sea_orm::entity::prelude::*;
use sea_orm::{
    ActiveValue, Condition, ConnectionTrait, DatabaseBackend, FromQueryResult, QueryOrder, QuerySelect, Statement,
};

use super::{among, unreadable};
use crate::coupon::entity::coupon::{ActiveModel, Column, Entity, Model, of_member};
use crate::coupon::entity::receipt;
use crate::coupon::model::{Coupon, CouponId, PolicyId, ReceiptId, State};
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::id::{BookingId, MemberId};
use crate::kit::page::Page;
use crate::kit::tx::Tx;

impl TryFrom<Model> for Coupon {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        Ok(Self {
            id: CouponId(row.id),
            policy: PolicyId(row.policy_id),
            member: MemberId(row.member_id),
            state: State::of_name(&row.state).ok_or_else(|| unreadable("coupon.state"))?,
            version: row.version,
            expire_time: row.expire_time,
            booking: row.booking_id.map(BookingId),
            hold_expire_time: row.hold_expire_time,
            gift_from: row.gift_from.map(MemberId),
            created_by: row.created_by,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}

/// A coupon that was issued now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::coupon) struct Issued {
    pub(in crate::coupon) id: CouponId,
    pub(in crate::coupon) policy: PolicyId,
    pub(in crate::coupon) member: MemberId,
}

/// A row has twelve values, and a statement of SQLite at most 32,766 (SQLITE_MAX_VARIABLE_NUMBER, sqlite.org/limits.html).
const AT_ONCE: usize = 2_000;

const ISSUE: &str = "
INSERT INTO coupon (id, policy_id, member_id, state, version, expire_time, created_by, create_time, update_time)
SELECT r.id, r.policy_id, r.member_id, 'AVAILABLE', 1, r.expire_time, r.created_by, $1, $1
FROM unnest($2::uuid[]) AS x (id)
JOIN coupon_receipt AS r ON r.id = x.id
WHERE r.cancel_time IS NULL
ON CONFLICT (id) DO NOTHING
RETURNING id, policy_id, member_id";

/// Makes the coupons of receipts, where they are not there yet and nobody took the receipt back. Those that are new.
pub(in crate::coupon) async fn issue(tx: &Tx, receipts: &[ReceiptId], now: Time) -> Result<Vec<Issued>, Error> {
    if receipts.is_empty() {
        return Ok(Vec::new());
    }
    match tx.has_others() {
        true => issue_beside_others(tx, receipts, now).await,
        false => {
            let mut issued = Vec::with_capacity(receipts.len());
            for some in receipts.chunks(AT_ONCE) {
                issued.extend(issue_alone(tx, some, now).await?);
            }
            Ok(issued)
        }
    }
}

async fn issue_beside_others(tx: &Tx, receipts: &[ReceiptId], now: Time) -> Result<Vec<Issued>, Error> {
    // In one order, as all who write many rows at once.
    let mut receipts = receipts.to_vec();
    receipts.sort_unstable();
    let ids: Vec<Uuid> = receipts.iter().map(|id| id.0).collect();
    let values: [Value; 2] = [now.into(), ids.into()];
    let insert = Statement::from_sql_and_values(DatabaseBackend::Postgres, ISSUE, values);
    let rows = tx.query_all_raw(insert).await?;
    rows.into_iter()
        .map(|row| {
            let [id, policy, member] = [row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?];
            Ok(Issued { id: CouponId(id), policy: PolicyId(policy), member: MemberId(member) })
        })
        .collect()
}

/// SQLite has one writer: what was read before still holds.
async fn issue_alone(tx: &Tx, receipts: &[ReceiptId], now: Time) -> Result<Vec<Issued>, Error> {
    let ids = || receipts.iter().map(|id| id.0).collect::<Vec<_>>();
    let there: Vec<Uuid> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(among(&**tx, Column::Id, ids()))
        .into_tuple()
        .all(&**tx)
        .await?;
    let live = receipt::Entity::find()
        .filter(among(&**tx, receipt::Column::Id, ids()))
        .filter(receipt::Column::CancelTime.is_null())
        .all(&**tx)
        .await?;
    let there: HashSet<Uuid> = there.into_iter().collect();
    let new: Vec<_> = live.into_iter().filter(|row| !there.contains(&row.id)).collect();
    let rows = new.iter().map(|receipt| ActiveModel {
        id: ActiveValue::Set(receipt.id),
        policy_id: ActiveValue::Set(receipt.policy_id),
        member_id: ActiveValue::Set(receipt.member_id),
        state: ActiveValue::Set(State::Available.name().to_owned()),
        version: ActiveValue::Set(1),
        expire_time: ActiveValue::Set(receipt.expire_time),
        booking_id: ActiveValue::Set(None),
        hold_expire_time: ActiveValue::Set(None),
        gift_from: ActiveValue::Set(None),
        created_by: ActiveValue::Set(receipt.created_by.clone()),
        create_time: ActiveValue::Set(now),
        update_time: ActiveValue::Set(now),
    });
    Entity::insert_many(rows).exec_without_returning(&**tx).await?;
    Ok(new
        .into_iter()
        .map(|row| Issued { id: CouponId(row.id), policy: PolicyId(row.policy_id), member: MemberId(row.member_id) })
        .collect())
}

/// A coupon, whosever it is.
pub(in crate::coupon) async fn find(conn: &impl ConnectionTrait, id: CouponId) -> Result<Option<Coupon>, Error> {
    Entity::find_by_id(id.0).one(conn).await?.map(Coupon::try_from).transpose()
}

/// A page of a member's coupons, newest first, one more than it has; those in a state alone, where one is given.
pub(in crate::coupon) async fn list(
    conn: &impl ConnectionTrait,
    member: MemberId,
    state: Option<State>,
    now: Time,
    page: &Page,
) -> Result<Vec<Coupon>, Error> {
    let mut found = of_member(member).order_by_desc(Column::Id).limit(page.fetch());
    if let Some(after) = page.after {
        found = found.filter(Column::Id.lt(after));
    }
    // What time has decided is not stored: an available coupon may have expired, and one that is held may be let go of.
    let reserved = || Condition::all().add(Column::State.eq(State::Reserved.name()));
    let let_go = reserved().add(Column::HoldExpireTime.lte(now));
    let available = Condition::any().add(Column::State.eq(State::Available.name())).add(let_go);
    found = match state {
        None => found,
        Some(State::Available) => found.filter(available).filter(Column::ExpireTime.gt(now)),
        Some(State::Expired) => found.filter(available).filter(Column::ExpireTime.lte(now)),
        Some(State::Reserved) => {
            let lasts = Condition::any().add(Column::HoldExpireTime.is_null()).add(Column::HoldExpireTime.gt(now));
            found.filter(reserved().add(lasts))
        }
        Some(state) => found.filter(Column::State.eq(state.name())),
    };
    found.all(conn).await?.into_iter().map(Coupon::try_from).collect()
}

#[derive(FromQueryResult)]
struct Count {
    state: String,
    count: i64,
}

/// By their receipts, which have the same ids, whatever became of them: those are indexed by policy, and whoever issues coupons
/// need not write another index for the sake of a report.
const COUNT: &str = "
SELECT c.state AS state, count(*) AS count
FROM coupon_receipt AS r JOIN coupon AS c ON c.id = r.id
WHERE r.policy_id = $1 GROUP BY c.state";

/// How many coupons of a policy are in each state, by its name.
pub(in crate::coupon) async fn counts(
    conn: &impl ConnectionTrait,
    policy: PolicyId,
) -> Result<Vec<(String, i64)>, Error> {
    let count = Statement::from_sql_and_values(conn.get_database_backend(), COUNT, [policy.0.into()]);
    let found = Count::find_by_statement(count).all(conn).await?;
    Ok(found.into_iter().map(|count| (count.state, count.count)).collect())
}

#[derive(FromQueryResult)]
struct Sum {
    currency: String,
    minor: i64,
}

/// What the coupons of a policy that paid bookings have used have taken off, in each currency.
pub(in crate::coupon) async fn discounts(
    conn: &impl ConnectionTrait,
    policy: PolicyId,
) -> Result<Vec<(String, i64)>, Error> {
    const SUM: &str = "
SELECT u.currency AS currency, CAST(sum(u.discount) AS BIGINT) AS minor
FROM coupon_use AS u JOIN coupon AS c ON c.id = u.coupon_id
WHERE u.policy_id = $1 AND u.live AND c.state = 'USED' GROUP BY u.currency ORDER BY u.currency";
    let sum = Statement::from_sql_and_values(conn.get_database_backend(), SUM, [policy.0.into()]);
    let found = Sum::find_by_statement(sum).all(conn).await?;
    Ok(found.into_iter().map(|sum| (sum.currency, sum.minor)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::Harness;

    /// Guard: the join in [`COUNT`], without which each report would read every coupon that there is.
    #[tokio::test]
    async fn the_coupons_of_a_policy_are_counted_by_an_index() {
        let yeyak = Harness::new().await;
        let query = COUNT.replace("$1", "'00000000-0000-0000-0000-000000000000'");
        let explained = yeyak.db.write(async |tx| {
            let (explain, column) = match tx.has_others() {
                true => ("EXPLAIN", 0),
                false => ("EXPLAIN QUERY PLAN", 3),
            };
            if tx.has_others() {
                // PostgreSQL would read tables as small as these from end to end.
                tx.execute_unprepared("SET LOCAL enable_seqscan = off").await?;
            }
            let statement = Statement::from_string(tx.get_database_backend(), format!("{explain} {query}"));
            let mut plan = String::new();
            for row in tx.query_all_raw(statement).await? {
                plan.push_str(&row.try_get_by_index::<String>(column)?);
            }
            Ok(plan)
        });

        let plan = explained.await.expect("explains");

        let reads_all = ["SCAN c", "SCAN r", "Seq Scan"].into_iter().any(|whole| plan.contains(whole));
        assert!(!reads_all && plan.contains("coupon_receipt_"), "{plan}");
    }
}
