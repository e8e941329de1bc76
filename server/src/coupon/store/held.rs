//! Coupons as bookings hold and use them.

use std::collections::HashMap;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{OnConflict, Query};
use sea_orm::{Condition, ConnectionTrait, ExprTrait, IntoActiveModel, QueryOrder, QuerySelect, QueryTrait};

use crate::coupon::apply::Discount;
use crate::coupon::discount;
use crate::coupon::entity::{Lines, applied, coupon, policy, tally};
use crate::coupon::model::{Coupon, CouponId, PolicyId, State};
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::id::{BookingId, MemberId};
use crate::kit::money::Currency;
use crate::kit::tx::Tx;

/// The coupons that a member can use now: those of a seller and of the platform before those of other sellers, of each those that
/// expire first.
pub(in crate::coupon) async fn available(
    conn: &impl ConnectionTrait,
    member: MemberId,
    seller: MemberId,
    now: Time,
    limit: u64,
) -> Result<Vec<Coupon>, Error> {
    let near = policy::Entity::find()
        .select_only()
        .column(policy::Column::Id)
        .filter(policy::Column::SellerId.is_null().or(policy::Column::SellerId.eq(seller.0)));
    let is_near = coupon::Column::PolicyId.in_subquery(near.into_query());
    let rows = coupon::of_member(member)
        .filter(
            Condition::any()
                .add(coupon::Column::State.eq(State::Available.name()))
                // Nobody has written down yet that the booking has ended.
                .add(coupon::Column::State.eq(State::Reserved.name()).and(coupon::Column::HoldExpireTime.lte(now))),
        )
        .filter(coupon::Column::ExpireTime.gt(now))
        .order_by_desc(is_near)
        .order_by_asc(coupon::Column::ExpireTime)
        .order_by_asc(coupon::Column::Id)
        .limit(limit)
        .all(conn)
        .await?;
    rows.into_iter().map(Coupon::try_from).collect()
}

/// The policies of what bookings of a member hold now, but for one.
pub(in crate::coupon) async fn policies_held(
    conn: &impl ConnectionTrait,
    member: MemberId,
    but_for: Option<BookingId>,
    now: Time,
) -> Result<Vec<PolicyId>, Error> {
    let mut held = coupon::of_member(member)
        .filter(coupon::Column::State.eq(State::Reserved.name()))
        .filter(coupon::Column::HoldExpireTime.is_null().or(coupon::Column::HoldExpireTime.gt(now)));
    if let Some(booking) = but_for {
        held = held.filter(coupon::Column::BookingId.ne(booking.0));
    }
    let policies = held.select_only().column(coupon::Column::PolicyId).distinct();
    Ok(policies.into_tuple::<Uuid>().all(conn).await?.into_iter().map(PolicyId).collect())
}

/// A coupon of a member.
pub(in crate::coupon) async fn of_member(
    conn: &impl ConnectionTrait,
    member: MemberId,
    id: CouponId,
) -> Result<Option<Coupon>, Error> {
    let row = coupon::of_member(member).filter(coupon::Column::Id.eq(id.0)).one(conn).await?;
    row.map(Coupon::try_from).transpose()
}

/// Some coupons, whosever they are.
pub(in crate::coupon) async fn find_many(conn: &impl ConnectionTrait, ids: &[CouponId]) -> Result<Vec<Coupon>, Error> {
    let rows = coupon::Entity::find().filter(coupon::Column::Id.is_in(ids.iter().map(|id| id.0))).all(conn).await?;
    rows.into_iter().map(Coupon::try_from).collect()
}

/// What the coupons of policies take off together.
pub(in crate::coupon) async fn budgets_used(
    conn: &impl ConnectionTrait,
    ids: &[PolicyId],
) -> Result<HashMap<PolicyId, i64>, Error> {
    let rows = tally::Entity::find().filter(tally::Column::PolicyId.is_in(ids.iter().map(|id| id.0))).all(conn).await?;
    Ok(rows.into_iter().map(|row| (PolicyId(row.policy_id), row.budget_used)).collect())
}

/// A coupon, locked until the transaction ends.
pub(in crate::coupon) async fn find_in(tx: &Tx, id: CouponId) -> Result<Option<Coupon>, Error> {
    let row = coupon::Entity::find_by_id(id.0).lock_exclusive().one(&**tx).await?;
    row.map(Coupon::try_from).transpose()
}

/// Writes what has become of a coupon, unless it has changed since.
pub(in crate::coupon) async fn update(tx: &Tx, before: &Coupon, after: &Coupon) -> Result<(), Error> {
    let written = coupon::Entity::update_many()
        .col_expr(coupon::Column::MemberId, Expr::value(after.member.0))
        .col_expr(coupon::Column::State, Expr::value(after.state.name()))
        .col_expr(coupon::Column::Version, Expr::value(after.version))
        .col_expr(coupon::Column::ExpireTime, Expr::value(after.expire_time))
        .col_expr(coupon::Column::BookingId, Expr::value(after.booking.map(|booking| booking.0)))
        .col_expr(coupon::Column::HoldExpireTime, Expr::value(after.hold_expire_time))
        .col_expr(coupon::Column::GiftFrom, Expr::value(after.gift_from.map(|member| member.0)))
        .col_expr(coupon::Column::UpdateTime, Expr::value(after.update_time))
        .filter(coupon::Column::Id.eq(before.id.0))
        .filter(coupon::Column::Version.eq(before.version))
        .exec(&**tx)
        .await?;
    if written.rows_affected == 1 { Ok(()) } else { Err(Error::lost(before.id)) }
}

/// Writes what a coupon takes off a booking, in place of what it took off before.
pub(in crate::coupon) async fn put(
    tx: &Tx,
    booking: BookingId,
    currency: Currency,
    discount: &Discount,
) -> Result<(), Error> {
    let row = applied::Model {
        booking_id: booking.0,
        coupon_id: discount.coupon.0,
        policy_id: discount.policy.0,
        currency: currency.to_string(),
        discount: discount.amount(),
        seller_part: discount.seller_part(),
        lines: Lines(discount.lines().to_vec()),
        live: true,
    };
    let mut replace = OnConflict::columns([applied::Column::BookingId, applied::Column::CouponId]);
    replace.update_columns([
        applied::Column::Discount,
        applied::Column::SellerPart,
        applied::Column::Lines,
        applied::Column::Live,
    ]);
    applied::Entity::insert(row.into_active_model()).on_conflict(replace).exec_without_returning(&**tx).await?;
    Ok(())
}

/// What coupons take off a booking, by coupon: those that it has, or those that it had.
pub(in crate::coupon) async fn of_booking(tx: &Tx, booking: BookingId, live: bool) -> Result<Vec<Discount>, Error> {
    let rows = applied::Entity::find()
        .filter(applied::Column::BookingId.eq(booking.0))
        .filter(applied::Column::Live.eq(live))
        .order_by_asc(applied::Column::CouponId)
        .all(&**tx)
        .await?;
    let discount = |row: applied::Model| Discount {
        coupon: CouponId(row.coupon_id),
        policy: PolicyId(row.policy_id),
        // Nobody reads it behind here.
        name: String::new(),
        off: discount::Discount { lines: row.lines.0 },
    };
    Ok(rows.into_iter().map(discount).collect())
}

/// Another currency than this, in which bookings have coupons of a policy.
pub(in crate::coupon) async fn other_currency(
    tx: &Tx,
    policy: PolicyId,
    currency: Currency,
) -> Result<Option<String>, Error> {
    let other = applied::Entity::find()
        .select_only()
        .column(applied::Column::Currency)
        .filter(applied::Column::PolicyId.eq(policy.0))
        .filter(applied::Column::Live.eq(true))
        .filter(applied::Column::Currency.ne(currency.to_string()));
    Ok(other.into_tuple().one(&**tx).await?)
}

/// Notes whether a booking has a coupon.
pub(in crate::coupon) async fn set_live(
    tx: &Tx,
    booking: BookingId,
    coupon: CouponId,
    live: bool,
) -> Result<(), Error> {
    let written = applied::Entity::update_many()
        .col_expr(applied::Column::Live, Expr::value(live))
        .filter(applied::Column::BookingId.eq(booking.0))
        .filter(applied::Column::CouponId.eq(coupon.0))
        .filter(applied::Column::Live.eq(!live))
        .exec(&**tx)
        .await?;
    if written.rows_affected == 1 { Ok(()) } else { Err(Error::lost(coupon)) }
}

/// Moves the end of the hold of every coupon that a booking holds.
pub(in crate::coupon) async fn extend(tx: &Tx, booking: BookingId, until: Option<Time>) -> Result<(), Error> {
    let of_booking = Query::select()
        .column(applied::Column::CouponId)
        .from(applied::Entity)
        .and_where(Expr::col(applied::Column::BookingId).eq(booking.0))
        .and_where(Expr::col(applied::Column::Live).eq(true))
        .take();
    coupon::Entity::update_many()
        .col_expr(coupon::Column::HoldExpireTime, Expr::value(until))
        .filter(coupon::Column::Id.in_subquery(of_booking))
        .filter(coupon::Column::State.eq(State::Reserved.name()))
        .exec(&**tx)
        .await?;
    Ok(())
}

/// Counts what the coupons of a policy take off more, or less; whether its budget bears it, which is in this currency then. Without a budget it is counted all
/// the same: one may be set later, and bears what was taken off before.
pub(in crate::coupon) async fn count(
    tx: &Tx,
    id: PolicyId,
    amount: i64,
    currency: Option<Currency>,
) -> Result<bool, Error> {
    let mut counted = tally::Entity::update_many()
        .col_expr(tally::Column::BudgetUsed, Expr::col(tally::Column::BudgetUsed).add(amount))
        .filter(tally::Column::PolicyId.eq(id.0));
    // What becomes less always may.
    if amount > 0 {
        // A statement of PostgreSQL that waits for the row alone would go on with the budget as it was when it began.
        if tx.has_others() {
            super::tally::budget_used(tx, id).await?;
        }
        let column = |column| Expr::col((policy::Entity, column));
        let used = Expr::col((tally::Entity, tally::Column::BudgetUsed)).add(amount);
        let currency = currency.map_or_else(String::new, |currency| currency.to_string());
        let too_much = Condition::any()
            .add(column(policy::Column::BudgetCurrency).ne(currency))
            .add(column(policy::Column::Budget).lt(used));
        let unbearable = Query::select()
            .expr(Expr::value(1))
            .from(policy::Entity)
            .and_where(column(policy::Column::Id).eq(id.0))
            .and_where(column(policy::Column::Budget).is_not_null())
            .cond_where(too_much)
            .take();
        counted = counted.filter(Expr::exists(unbearable).not());
    }
    Ok(counted.exec(&**tx).await?.rows_affected == 1)
}
