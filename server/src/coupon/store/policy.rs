//! Policies.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Query;
use sea_orm::{
    ActiveValue, Condition, ConnectionTrait, ExprTrait, FromQueryResult, IntoActiveModel, QueryOrder, QuerySelect,
    QueryTrait,
};

use super::listed::{in_state, is_over};
use super::{among, narrow, unreadable};
use crate::backend::gate::Sale;
use crate::coupon::best::Stacking;
use crate::coupon::entity::policy::{Column, Entity, Model};
use crate::coupon::entity::{Benefit, Conditions, receipt, tally};
use crate::coupon::kind::Wording;
use crate::coupon::model::{EndCause, Issuing, Offer, Policy, PolicyId, PolicyState, RefundPolicy, Validity};
use crate::error::{Error, NotFound};
use crate::kit::clock::Time;
use crate::kit::id::MemberId;
use crate::kit::money::{Currency, Money};
use crate::kit::tx::{Db, Tx};

/// The states of a sale, as the tables have them.
const SALES: [(Sale, &str); 3] = [(Sale::Open, "ACTIVE"), (Sale::Paused, "PAUSED"), (Sale::Ended, "ENDED")];

/// A sale, as the tables have it.
pub(in crate::coupon) fn sale_name(sale: Sale) -> &'static str {
    SALES.into_iter().find(|(known, _)| *known == sale).map_or("ENDED", |(_, name)| name)
}

fn sale(name: &str) -> Result<Sale, Error> {
    let found = SALES.into_iter().find(|(_, known)| *known == name);
    found.map(|(sale, _)| sale).ok_or_else(|| unreadable("coupon_policy.state"))
}

fn refund_name(policy: RefundPolicy) -> (&'static str, i64) {
    match policy {
        RefundPolicy::Restore => ("RESTORE", 0),
        RefundPolicy::RestoreWithGrace(days) => ("RESTORE_WITH_GRACE", i64::from(days)),
        RefundPolicy::Lose => ("LOSE", 0),
    }
}

fn refund(name: &str, grace: i64) -> Result<RefundPolicy, Error> {
    match name {
        "RESTORE" => Ok(RefundPolicy::Restore),
        "RESTORE_WITH_GRACE" => Ok(RefundPolicy::RestoreWithGrace(narrow("coupon_policy.grace_days", grace)?)),
        "LOSE" => Ok(RefundPolicy::Lose),
        _ => Err(unreadable("coupon_policy.refund_policy")),
    }
}

fn offer(row: &Model) -> Result<Offer, Error> {
    let validity = match (row.coupon_expire_time, row.valid_days) {
        (Some(time), None) => Validity::Until(time),
        (None, Some(days)) => Validity::Days(narrow("coupon_policy.valid_days", days)?),
        _ => return Err(unreadable("coupon_policy.valid_days")),
    };
    let currency = row.budget_currency.parse::<Currency>().map_err(Error::internal)?;
    Ok(Offer {
        name: row.name.clone(),
        description: row.description.clone(),
        total: row.total.map(|total| narrow("coupon_policy.total", total)).transpose()?,
        per_member: narrow("coupon_policy.per_member", row.per_member)?,
        per_member_daily: row
            .per_member_daily
            .map(|most| narrow("coupon_policy.per_member_daily", most))
            .transpose()?,
        start_time: row.start_time,
        end_time: row.end_time,
        validity,
        budget: row.budget.map(|minor| Money::new(currency, minor)),
        giftable: row.giftable,
    })
}

impl TryFrom<Model> for Policy {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        Ok(Self {
            offer: offer(&row)?,
            id: PolicyId(row.id),
            seller: row.seller_id.map(MemberId),
            issuing: Issuing::of_name(&row.issuing).ok_or_else(|| unreadable("coupon_policy.issuing"))?,
            wording: Wording { benefit: row.benefit.0, conditions: row.conditions.0 },
            zone: row.time_zone.parse().map_err(|_| unreadable("coupon_policy.time_zone"))?,
            stacking: Stacking {
                group: row.stacking_group,
                exclusive: row.exclusive,
                priority: narrow("coupon_policy.priority", row.priority)?,
            },
            seller_share: narrow("coupon_policy.seller_share", row.seller_share)?,
            refund: refund(&row.refund_policy, row.grace_days)?,
            sale: sale(&row.state)?,
            version: row.version,
            gate_epoch: row.gate_epoch,
            end_told: EndCause::of_name(&row.end_told),
            created_by: row.created_by,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}

fn row(policy: &Policy) -> Model {
    let Offer { name, description, total, per_member, per_member_daily, .. } = policy.offer.clone();
    let Offer { start_time, end_time, validity, budget, giftable, .. } = policy.offer;
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let (refund_policy, grace_days) = refund_name(policy.refund);
    let (coupon_expire_time, valid_days) = match validity {
        Validity::Until(time) => (Some(time), None),
        Validity::Days(days) => (None, Some(i64::from(days))),
    };
    Model {
        id: policy.id.0,
        seller_id: policy.seller.map(|seller| seller.0),
        name,
        description,
        issuing: policy.issuing.name().to_owned(),
        benefit: Benefit(policy.wording.benefit.clone()),
        conditions: Conditions(policy.wording.conditions.clone()),
        total: total.map(number),
        per_member: per_member.into(),
        per_member_daily: per_member_daily.map(i64::from),
        start_time,
        end_time,
        coupon_expire_time,
        valid_days,
        time_zone: policy.zone.name().to_owned(),
        stacking_group: policy.stacking.group.clone(),
        exclusive: policy.stacking.exclusive,
        priority: policy.stacking.priority.into(),
        seller_share: policy.seller_share.into(),
        refund_policy: refund_policy.to_owned(),
        grace_days,
        budget_currency: budget.map_or(Currency::KRW, |budget| budget.currency).to_string(),
        budget: budget.map(|budget| budget.minor),
        giftable,
        state: sale_name(policy.sale).to_owned(),
        version: policy.version,
        gate_epoch: policy.gate_epoch,
        end_told: policy.end_told.map_or("", EndCause::name).to_owned(),
        created_by: policy.created_by.clone(),
        create_time: policy.create_time,
        update_time: policy.update_time,
    }
}

/// A policy, whosever it is.
pub(in crate::coupon) async fn find(conn: &impl ConnectionTrait, id: PolicyId) -> Result<Option<Policy>, Error> {
    Entity::find_by_id(id.0).one(conn).await?.map(Policy::try_from).transpose()
}

/// Policies by id, whosever they are.
pub(in crate::coupon) async fn find_all(
    conn: &impl ConnectionTrait,
    ids: impl Iterator<Item = PolicyId>,
) -> Result<Vec<Policy>, Error> {
    let found = Entity::find().filter(among(conn, Column::Id, ids.map(|id| id.0).collect()));
    found.all(conn).await?.into_iter().map(Policy::try_from).collect()
}

/// Writes a new policy, with its tally.
pub(in crate::coupon) async fn insert(tx: &Tx, policy: &Policy) -> Result<(), Error> {
    Entity::insert(row(policy).into_active_model()).exec_without_returning(&**tx).await?;
    let tally = tally::ActiveModel {
        policy_id: ActiveValue::Set(policy.id.0),
        granted: ActiveValue::Set(0),
        budget_used: ActiveValue::Set(0),
    };
    tally::Entity::insert(tally).exec_without_returning(&**tx).await?;
    Ok(())
}

/// Writes what has become of a policy, unless it has changed since; its gate's epoch is no part of it, nor what was told of its
/// end, but that all were gone is told again of a higher total. Who accepts under the terms before has committed then, and whoever
/// comes later reads these.
pub(in crate::coupon) async fn update(tx: &Tx, before: i64, policy: &Policy) -> Result<(), Error> {
    tx.take_turn(policy.id.0).await?;
    let mut changed = row(policy).into_active_model().reset_all();
    changed.gate_epoch = ActiveValue::NotSet;
    changed.end_told = ActiveValue::NotSet;
    let is_more = match policy.offer.total {
        Some(total) => Column::Total.lt(i64::try_from(total).unwrap_or(i64::MAX)),
        None => Column::Total.is_not_null(),
    };
    let all_were_gone = Column::EndTold.eq(EndCause::SoldOut.name()).and(is_more);
    let end_told = Expr::case(all_were_gone, "").finally(Expr::col(Column::EndTold));
    let written = Entity::update_many()
        .set(changed)
        .col_expr(Column::EndTold, end_told.into())
        .filter(Column::Id.eq(policy.id.0))
        .filter(Column::Version.eq(before))
        .exec(&**tx)
        .await?;
    if written.rows_affected == 1 { Ok(()) } else { Err(Error::lost(policy.id)) }
}

/// A policy whose terms stay as they are until the transaction ends. Before any other lock of the transaction.
pub(in crate::coupon) async fn hold(tx: &Tx, id: PolicyId) -> Result<Option<Policy>, Error> {
    Ok(hold_all(tx, std::iter::once(id)).await?.pop())
}

/// Some policies, as [`hold`] does with one; those that are there.
pub(in crate::coupon) async fn hold_all(
    tx: &Tx,
    ids: impl Iterator<Item = PolicyId> + Clone,
) -> Result<Vec<Policy>, Error> {
    tx.share_turns(ids.clone().map(|id| id.0)).await?;
    find_all(&**tx, ids).await
}

/// How many policies a seller has; none for the platform.
pub(in crate::coupon) async fn count(conn: &impl ConnectionTrait, seller: Option<MemberId>) -> Result<u64, Error> {
    let of_seller = match seller {
        Some(seller) => Column::SellerId.eq(seller.0),
        None => Column::SellerId.is_null(),
    };
    Ok(Entity::find().filter(of_seller).count(conn).await?)
}

/// Begins another life of a policy's gate.
pub(in crate::coupon) async fn next_epoch(db: &Db, id: PolicyId) -> Result<i64, Error> {
    db.write(async |tx| {
        let next = Entity::update_many()
            .col_expr(Column::GateEpoch, Expr::col(Column::GateEpoch).add(1))
            .filter(Column::Id.eq(id.0))
            .exec_with_returning(&*tx)
            .await?;
        next.first().map(|row| row.gate_epoch).ok_or_else(|| NotFound::new("coupon_policy", id).into())
    })
    .await
}

/// Remembers why it was told that a policy issues no more; false when it was told before, or the policy has changed since.
pub(in crate::coupon) async fn told(tx: &Tx, policy: &Policy, cause: EndCause) -> Result<bool, Error> {
    let told = Entity::update_many()
        .col_expr(Column::EndTold, Expr::value(cause.name()))
        .filter(Column::Id.eq(policy.id.0))
        .filter(Column::Version.eq(policy.version))
        .filter(Column::EndTold.eq(""))
        .exec(&**tx)
        .await?;
    Ok(told.rows_affected == 1)
}

/// The rows of policies that are looked for, by id, and what each says. One that this release can't read is told of and says
/// nothing: it keeps no other from being looked at.
pub(in crate::coupon) async fn rows(
    conn: &impl ConnectionTrait,
    found: Select<Entity>,
) -> Result<Vec<(PolicyId, Option<Policy>)>, Error> {
    let rows = conn.query_all_raw(found.build(conn.get_database_backend())).await?;
    let mut policies = Vec::with_capacity(rows.len());
    for row in &rows {
        let id = PolicyId(row.try_get("", "id")?);
        let policy = Model::from_query_result(row, "").map_err(Error::from).and_then(Policy::try_from);
        if let Err(error) = &policy {
            tracing::error!(policy.id = %id, "{id} can't be read, and is passed over: {error}");
        }
        policies.push((id, policy.ok()));
    }
    Ok(policies)
}

/// As [`find_all`] has them, those alone that this release can read.
pub(in crate::coupon) async fn find_readable(
    conn: &impl ConnectionTrait,
    ids: impl Iterator<Item = PolicyId>,
) -> Result<Vec<Policy>, Error> {
    let found = Entity::find().filter(among(conn, Column::Id, ids.map(|id| id.0).collect()));
    Ok(rows(conn, found).await?.into_iter().filter_map(|(_, policy)| policy).collect())
}

/// Policies by id behind one of them that this release can read, and which of the rows was the last.
async fn readable(
    conn: &impl ConnectionTrait,
    found: Select<Entity>,
    after: Uuid,
    limit: u64,
) -> Result<(Vec<Policy>, Option<PolicyId>), Error> {
    let found = rows(conn, found.filter(Column::Id.gt(after)).order_by_asc(Column::Id).limit(limit)).await?;
    let last = found.last().map(|(id, _)| *id);
    Ok((found.into_iter().filter_map(|(_, policy)| policy).collect(), last))
}

/// Policies that may issue no more, of which that was not told yet, as [`readable`] has them: ended, over, or with the last of all
/// coupons given.
pub(in crate::coupon) async fn untold(
    conn: &impl ConnectionTrait,
    now: Time,
    after: Uuid,
    limit: u64,
) -> Result<(Vec<Policy>, Option<PolicyId>), Error> {
    let column = |column| Expr::col((Entity, column));
    let last_place = Query::select()
        .expr(Expr::value(1))
        .from(receipt::Entity)
        .and_where(Expr::col((receipt::Entity, receipt::Column::PolicyId)).eq(column(Column::Id)))
        .and_where(Expr::col((receipt::Entity, receipt::Column::Place)).gte(column(Column::Total)))
        .take();
    let last_given = Query::select()
        .expr(Expr::value(1))
        .from(tally::Entity)
        .and_where(Expr::col((tally::Entity, tally::Column::PolicyId)).eq(column(Column::Id)))
        .and_where(Expr::col((tally::Entity, tally::Column::Granted)).gte(column(Column::Total)))
        .take();
    let may_have_ended = Condition::any()
        .add(Column::State.eq(sale_name(Sale::Ended)))
        .add(is_over(now))
        .add(Expr::exists(last_place))
        .add(Expr::exists(last_given));
    readable(conn, Entity::find().filter(Column::EndTold.eq("")).filter(may_have_ended), after, limit).await
}

/// How many coupons of a policy were issued by code or grant.
pub(in crate::coupon) async fn granted(conn: &impl ConnectionTrait, id: PolicyId) -> Result<u64, Error> {
    let tally = tally::Entity::find_by_id(id.0).one(conn).await?;
    narrow("coupon_tally.granted", tally.map_or(0, |tally| tally.granted))
}

/// First-come policies that issue now, as [`readable`] has them.
pub(in crate::coupon) async fn on_sale(
    conn: &impl ConnectionTrait,
    now: Time,
    after: Uuid,
    limit: u64,
) -> Result<(Vec<Policy>, Option<PolicyId>), Error> {
    let is_on_sale = in_state(PolicyState::Active, now).add(Column::Issuing.eq(Issuing::FirstCome.name()));
    readable(conn, Entity::find().filter(is_on_sale), after, limit).await
}
