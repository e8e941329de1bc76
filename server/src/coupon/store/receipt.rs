//! Receipts: written many at a time, read by place, by member and by what is still to be issued.

use std::collections::HashSet;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{OnConflict, Query, SelectStatement};
use sea_orm::{
    ActiveValue, ConnectionTrait, DatabaseBackend, ExprTrait, FromQueryResult, QueryOrder, QueryResult, QuerySelect,
    QueryTrait, Select, Statement,
};

use super::{among, narrow};
use crate::backend::gate::{Accepted, Place};
use crate::coupon::entity::coupon;
use crate::coupon::entity::receipt::{ActiveModel, Column, Entity, Model};
use crate::coupon::model::{CouponId, PolicyId, Receipt, ReceiptId};
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::id::MemberId;
use crate::kit::tx::Tx;

/// A receipt to be written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::coupon) struct New {
    pub(in crate::coupon) id: ReceiptId,
    pub(in crate::coupon) policy: PolicyId,
    /// Whether a member may have one of the policy.
    pub(in crate::coupon) is_only: bool,
    pub(in crate::coupon) member: MemberId,
    pub(in crate::coupon) token: Uuid,
    pub(in crate::coupon) place: Place,
    pub(in crate::coupon) day_slot: Option<i64>,
    /// Of the coupon that it becomes.
    pub(in crate::coupon) expire_time: Time,
    pub(in crate::coupon) created_by: String,
}

/// A receipt of a member, as far as it decides about others of theirs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::coupon) struct Row {
    pub(in crate::coupon) id: ReceiptId,
    pub(in crate::coupon) member: MemberId,
    /// None: it was taken back.
    pub(in crate::coupon) ordinal: Option<i64>,
    pub(in crate::coupon) place: Option<i64>,
    pub(in crate::coupon) day_slot: Option<i64>,
    pub(in crate::coupon) token: Uuid,
}

impl From<Model> for Row {
    fn from(row: Model) -> Self {
        let Model { ordinal, place, day_slot, token, .. } = row;
        Self { id: ReceiptId(row.id), member: MemberId(row.member_id), ordinal, place, day_slot, token }
    }
}

/// Writes receipts, save those that a row forbids: one of the same request; another that is live, where a member may have one;
/// the same ordinal; the same place. Which were written.
pub(in crate::coupon) async fn insert(tx: &Tx, rows: &[New], now: Time) -> Result<HashSet<ReceiptId>, Error> {
    if rows.is_empty() {
        return Ok(HashSet::new());
    }
    let written = match tx.has_others() {
        true => insert_beside_others(tx, rows, now).await?,
        false => insert_alone(tx, rows, now).await?,
    };
    written.iter().map(|row| Ok(ReceiptId(row.try_get_by_index(0)?))).collect()
}

/// In one statement, whose text is the same for any number of rows; who writes the same at this moment is waited for.
const INSERT: &str = "
INSERT INTO coupon_receipt
  (id, policy_id, member_id, ordinal, place, day_slot, token, once, expire_time, created_by, create_time,
   cancel_reason)
SELECT x.id, x.policy_id, x.member_id, x.ordinal, x.place, NULLIF(x.day_slot, 0), x.token,
  CASE WHEN x.is_only THEN NULL ELSE x.token END, x.expire_time, x.created_by, $1, ''
FROM unnest($2::uuid[], $3::uuid[], $4::boolean[], $5::uuid[], $6::bigint[], $7::bigint[], $8::bigint[], $9::uuid[],
    $10::text[], $11::timestamptz[])
  AS x (id, policy_id, is_only, member_id, ordinal, place, day_slot, token, created_by, expire_time)
WHERE (SELECT r.id FROM coupon_receipt AS r WHERE r.policy_id = x.policy_id AND r.member_id = x.member_id
  AND (r.token = x.token OR (x.is_only AND r.ordinal IS NOT NULL)) LIMIT 1) IS NULL
ON CONFLICT DO NOTHING
RETURNING id";

async fn insert_beside_others(tx: &Tx, rows: &[New], now: Time) -> Result<Vec<QueryResult>, Error> {
    // In one order, so that two who write the same wait for each other instead of locking each other out.
    let mut rows: Vec<&New> = rows.iter().collect();
    rows.sort_unstable_by_key(|row| (row.policy, row.place.place));
    let mut places = Vec::with_capacity(rows.len());
    for row in &rows {
        places.push(wide(row.place.place)?);
    }
    let values: [Value; 11] = [
        now.into(),
        rows.iter().map(|row| row.id.0).collect::<Vec<Uuid>>().into(),
        rows.iter().map(|row| row.policy.0).collect::<Vec<Uuid>>().into(),
        rows.iter().map(|row| row.is_only).collect::<Vec<bool>>().into(),
        rows.iter().map(|row| row.member.0).collect::<Vec<Uuid>>().into(),
        rows.iter().map(|row| i64::from(row.place.ordinal)).collect::<Vec<i64>>().into(),
        places.into(),
        // No day is numbered 0.
        rows.iter().map(|row| row.day_slot.unwrap_or(0)).collect::<Vec<i64>>().into(),
        rows.iter().map(|row| row.token).collect::<Vec<Uuid>>().into(),
        rows.iter().map(|row| row.created_by.clone()).collect::<Vec<String>>().into(),
        rows.iter().map(|row| row.expire_time).collect::<Vec<Time>>().into(),
    ];
    let insert = Statement::from_sql_and_values(DatabaseBackend::Postgres, INSERT, values);
    Ok(tx.query_all_raw(insert).await?)
}

/// SQLite has one writer: what was read before still holds.
async fn insert_alone(tx: &Tx, rows: &[New], now: Time) -> Result<Vec<QueryResult>, Error> {
    let mut models = Vec::with_capacity(rows.len());
    for rows in rows.chunk_by(|row, next| row.policy == next.policy) {
        let Some(New { policy, .. }) = rows.first() else { continue };
        let known = of_members(&**tx, *policy, rows.iter().map(|row| row.member)).await?;
        let requests: HashSet<_> = known.iter().map(|row| (row.member, row.token)).collect();
        let live: HashSet<_> = known.iter().filter(|row| row.ordinal.is_some()).map(|row| row.member).collect();
        for row in rows {
            let has = row.is_only && live.contains(&row.member);
            if !has && !requests.contains(&(row.member, row.token)) {
                models.push(model(row, now)?);
            }
        }
    }
    if models.is_empty() {
        return Ok(Vec::new());
    }
    // On any conflict, not that of the id alone.
    let nothing = OnConflict::new().do_nothing().to_owned();
    let mut insert = Entity::insert_many(models).on_conflict(nothing).into_query();
    Ok(tx.query_all(insert.returning_col(Column::Id)).await?)
}

fn model(row: &New, now: Time) -> Result<ActiveModel, Error> {
    Ok(ActiveModel {
        id: ActiveValue::Set(row.id.0),
        policy_id: ActiveValue::Set(row.policy.0),
        member_id: ActiveValue::Set(row.member.0),
        ordinal: ActiveValue::Set(Some(row.place.ordinal.into())),
        place: ActiveValue::Set(Some(wide(row.place.place)?)),
        day_slot: ActiveValue::Set(row.day_slot),
        token: ActiveValue::Set(row.token),
        once: ActiveValue::Set((!row.is_only).then_some(row.token)),
        gift_of: ActiveValue::Set(None),
        expire_time: ActiveValue::Set(row.expire_time),
        created_by: ActiveValue::Set(row.created_by.clone()),
        create_time: ActiveValue::Set(now),
        cancel_time: ActiveValue::Set(None),
        cancel_reason: ActiveValue::Set(String::new()),
    })
}

fn wide(number: u64) -> Result<i64, Error> {
    i64::try_from(number).map_err(Error::internal)
}

/// Every receipt that members have, or had, of a policy.
pub(in crate::coupon) async fn of_members(
    conn: &impl ConnectionTrait,
    policy: PolicyId,
    members: impl Iterator<Item = MemberId>,
) -> Result<Vec<Row>, Error> {
    let members: HashSet<Uuid> = members.map(|member| member.0).collect();
    let found = of_policy(policy).filter(among(conn, Column::MemberId, members.into_iter().collect()));
    Ok(found.all(conn).await?.into_iter().map(Row::from).collect())
}

/// The receipts that have some of the places of a policy.
pub(in crate::coupon) async fn of_places(
    conn: &impl ConnectionTrait,
    policy: PolicyId,
    places: impl Iterator<Item = u64>,
) -> Result<Vec<Row>, Error> {
    let places = places.map(wide).collect::<Result<Vec<i64>, _>>()?;
    let found = of_policy(policy).filter(match conn.get_database_backend() {
        DatabaseBackend::Postgres => Column::Place.eq_any(places),
        _ => Column::Place.is_in(places),
    });
    Ok(found.all(conn).await?.into_iter().map(Row::from).collect())
}

fn of_policy(policy: PolicyId) -> Select<Entity> {
    Entity::find().filter(Column::PolicyId.eq(policy.0))
}

/// A page of the places of a policy that rows prove, in ascending order.
pub(in crate::coupon) async fn places_after(
    conn: &impl ConnectionTrait,
    policy: PolicyId,
    after: u64,
    limit: u64,
) -> Result<Vec<Accepted>, Error> {
    let rows = of_policy(policy)
        .filter(Column::Place.gt(wide(after)?))
        .order_by_asc(Column::Place)
        .limit(limit)
        .all(conn)
        .await?;
    rows.into_iter()
        .map(|row| {
            let place = narrow("coupon_receipt.place", row.place.unwrap_or_default())?;
            let ordinal = narrow("coupon_receipt.ordinal", row.ordinal.unwrap_or(1))?;
            Ok(Accepted { member: row.member_id, place: Place { place, ordinal }, token: row.token })
        })
        .collect()
}

/// How many places of a policy rows have.
pub(in crate::coupon) async fn place_count(conn: &impl ConnectionTrait, policy: PolicyId) -> Result<u64, Error> {
    Ok(of_policy(policy).filter(Column::Place.is_not_null()).count(conn).await?)
}

/// Some members whose receipts of a policy had places, and have them no more, behind one of them in the order of their ids. What a
/// gift was written for never had one.
pub(in crate::coupon) async fn who_lost_places(
    conn: &impl ConnectionTrait,
    policy: PolicyId,
    behind: Uuid,
    limit: u64,
) -> Result<Vec<Uuid>, Error> {
    let rows = of_policy(policy)
        .filter(Column::Place.is_null())
        .filter(Column::GiftOf.is_null())
        .filter(Column::MemberId.gt(behind))
        .select_only()
        .column(Column::MemberId)
        .distinct()
        .order_by_asc(Column::MemberId)
        .limit(limit);
    Ok(rows.into_tuple().all(conn).await?)
}

/// The highest place that a row of a policy has; 0 for none.
pub(in crate::coupon) async fn highest_place(conn: &impl ConnectionTrait, policy: PolicyId) -> Result<u64, Error> {
    let highest =
        of_policy(policy).filter(Column::Place.is_not_null()).order_by_desc(Column::Place).limit(1).one(conn).await?;
    narrow("coupon_receipt.place", highest.and_then(|row| row.place).unwrap_or_default())
}

#[derive(FromQueryResult)]
struct Seen {
    id: Uuid,
    policy_id: Uuid,
    member_id: Uuid,
    place: Option<i64>,
    create_time: DateTimeUtc,
    cancel_time: Option<DateTimeUtc>,
    gift_of: Option<Uuid>,
    is_issued: bool,
}

/// The coupon of a receipt.
fn its_coupon() -> SelectStatement {
    let same = Expr::col((coupon::Entity, coupon::Column::Id)).equals((Entity, Column::Id));
    Query::select().expr(Expr::value(1)).from(coupon::Entity).and_where(same).take()
}

/// Receipts by id, as they are now.
pub(in crate::coupon) async fn find_all(
    conn: &impl ConnectionTrait,
    ids: impl Iterator<Item = ReceiptId>,
) -> Result<Vec<Receipt>, Error> {
    seen(conn, Entity::find().filter(among(conn, Column::Id, ids.map(|id| id.0).collect()))).await
}

/// A receipt by its id, as it is now, whosever it is.
pub(in crate::coupon) async fn find(conn: &impl ConnectionTrait, id: ReceiptId) -> Result<Option<Receipt>, Error> {
    Ok(seen(conn, Entity::find_by_id(id.0)).await?.pop())
}

async fn seen(conn: &impl ConnectionTrait, which: Select<Entity>) -> Result<Vec<Receipt>, Error> {
    use Column::{CancelTime, CreateTime, GiftOf, Id, MemberId as Member, Place, PolicyId as Policy};
    let found = which
        .select_only()
        .columns([Id, Policy, Member, Place, CreateTime, CancelTime, GiftOf])
        .expr_as(Expr::exists(its_coupon()), "is_issued")
        .into_model::<Seen>()
        .all(conn)
        .await?;
    found
        .into_iter()
        .map(|row| {
            Ok(Receipt {
                id: ReceiptId(row.id),
                policy: PolicyId(row.policy_id),
                member: MemberId(row.member_id),
                place: row.place.map(|place| narrow("coupon_receipt.place", place)).transpose()?,
                create_time: row.create_time,
                is_cancelled: row.cancel_time.is_some(),
                is_issued: row.is_issued,
                gift_of: row.gift_of.map(CouponId),
            })
        })
        .collect()
}

/// Receipts whose coupons are not there, by id: behind one, before another, of a policy or of all.
pub(in crate::coupon) async fn pending(
    conn: &impl ConnectionTrait,
    policy: Option<PolicyId>,
    (after, before): (Uuid, Uuid),
    limit: u64,
) -> Result<Vec<ReceiptId>, Error> {
    let mut pending = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::Id.gt(after))
        .filter(Column::Id.lt(before))
        .filter(Column::CancelTime.is_null())
        .filter(Expr::exists(its_coupon()).not())
        .order_by_asc(Column::Id)
        .limit(limit);
    if let Some(policy) = policy {
        pending = pending.filter(Column::PolicyId.eq(policy.0));
    }
    let found: Vec<Uuid> = pending.into_tuple().all(conn).await?;
    Ok(found.into_iter().map(ReceiptId).collect())
}

/// How many live receipts a policy has, and how many of them have no coupon yet.
pub(in crate::coupon) async fn counts(conn: &impl ConnectionTrait, policy: PolicyId) -> Result<(i64, i64), Error> {
    let live = || of_policy(policy).filter(Column::CancelTime.is_null());
    let all = live().count(conn).await?;
    let pending = live().filter(Expr::exists(its_coupon()).not()).count(conn).await?;
    let wide = |count: u64| i64::try_from(count).map_err(Error::internal);
    Ok((wide(all)?, wide(pending)?))
}
