//! What was set aside and spent together.

use sea_orm::entity::prelude::*;
use sea_orm::{ConnectionTrait, ExprTrait, IntoActiveModel, QueryOrder};

use super::{json, parsed, unreadable};
use crate::error::Error;
use crate::kit::id::{BookingId, MemberId};
use crate::kit::tx::{Tx, among};
use crate::point::entity::spending::{Column, Entity, Model};
use crate::point::model::{Spending, SpendingId, State};

impl TryFrom<Model> for Spending {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        Ok(Self {
            id: SpendingId(row.id),
            member: MemberId(row.member_id),
            booking: row.booking_id.map(BookingId),
            state: State::of_name(&row.state).ok_or_else(|| unreadable("point_spending.state"))?,
            points: row.points,
            given_back: row.given_back,
            pieces: parsed(&row.pieces)?,
            reference: row.reference,
            hold_expire_time: row.hold_expire_time,
            wallet_version: row.wallet_version,
            actor: row.actor,
            create_time: row.create_time,
            update_time: row.update_time,
        })
    }
}

/// A spending, whosever it is.
pub(in crate::point) async fn find(conn: &impl ConnectionTrait, id: SpendingId) -> Result<Option<Spending>, Error> {
    Entity::find_by_id(id.0).one(conn).await?.map(Spending::try_from).transpose()
}

/// A spending of a member.
pub(in crate::point) async fn of_member(
    conn: &impl ConnectionTrait,
    member: MemberId,
    id: SpendingId,
) -> Result<Option<Spending>, Error> {
    let found = Entity::find_by_id(id.0).filter(Column::MemberId.eq(member.0));
    found.one(conn).await?.map(Spending::try_from).transpose()
}

/// What a member has set aside, as it is stored.
pub(in crate::point) async fn reserved(conn: &impl ConnectionTrait, member: MemberId) -> Result<Vec<Spending>, Error> {
    // In its words, which are those of the index.
    let reserved = Entity::find().filter(Column::MemberId.eq(member.0)).filter(Expr::cust("state = 'RESERVED'"));
    reserved.order_by_asc(Column::Id).all(conn).await?.into_iter().map(Spending::try_from).collect()
}

/// What members have set aside, as it is stored.
pub(in crate::point) async fn reserved_of(
    conn: &impl ConnectionTrait,
    members: &[Uuid],
) -> Result<Vec<Spending>, Error> {
    let of_members = among(conn, Column::MemberId, members.to_vec());
    let reserved = Entity::find().filter(of_members).filter(Expr::cust("state = 'RESERVED'"));
    reserved.order_by_asc(Column::Id).all(conn).await?.into_iter().map(Spending::try_from).collect()
}

/// What a booking has of its member's points, set aside or spent; else what it had last.
pub(in crate::point) async fn of_booking(
    conn: &impl ConnectionTrait,
    booking: BookingId,
) -> Result<Option<Spending>, Error> {
    last_of(booking).one(conn).await?.map(Spending::try_from).transpose()
}

fn last_of(booking: BookingId) -> Select<Entity> {
    let released = Expr::col(Column::State).eq(State::Released.name());
    let of_booking = Entity::find().filter(Column::BookingId.eq(booking.0));
    of_booking.order_by_asc(released).order_by_desc(Column::Id)
}

/// What bookings have of their members' points, set aside or spent.
pub(in crate::point) async fn of_bookings(
    conn: &impl ConnectionTrait,
    bookings: &[BookingId],
) -> Result<Vec<Spending>, Error> {
    let rows = Entity::find()
        .filter(Column::BookingId.is_in(bookings.iter().map(|booking| booking.0)))
        .filter(Column::State.ne(State::Released.name()));
    rows.all(conn).await?.into_iter().map(Spending::try_from).collect()
}

/// The row of a spending.
pub(in crate::point) fn row(spending: &Spending) -> Result<Model, Error> {
    Ok(Model {
        id: spending.id.0,
        member_id: spending.member.0,
        booking_id: spending.booking.map(|booking| booking.0),
        state: spending.state.name().to_owned(),
        points: spending.points,
        given_back: spending.given_back,
        pieces: json(&spending.pieces)?,
        reference: spending.reference.clone(),
        hold_expire_time: spending.hold_expire_time,
        wallet_version: spending.wallet_version,
        actor: spending.actor.clone(),
        create_time: spending.create_time,
        update_time: spending.update_time,
    })
}

/// Writes a new spending.
pub(in crate::point) async fn insert(tx: &Tx, spending: &Spending) -> Result<(), Error> {
    Entity::insert(row(spending)?.into_active_model()).exec_without_returning(&**tx).await?;
    Ok(())
}

/// Writes what has become of a spending, whose wallet is locked, unless it was no longer where it was.
pub(in crate::point) async fn update(tx: &Tx, before: State, spending: &Spending) -> Result<(), Error> {
    let written = Entity::update_many()
        .col_expr(Column::State, Expr::value(spending.state.name()))
        .col_expr(Column::Points, Expr::value(spending.points))
        .col_expr(Column::GivenBack, Expr::value(spending.given_back))
        .col_expr(Column::Pieces, Expr::value(json(&spending.pieces)?))
        .col_expr(Column::HoldExpireTime, Expr::value(spending.hold_expire_time))
        .col_expr(Column::WalletVersion, Expr::value(spending.wallet_version))
        .col_expr(Column::UpdateTime, Expr::value(spending.update_time))
        .filter(Column::Id.eq(spending.id.0))
        .filter(Column::State.eq(before.name()))
        .exec(&**tx)
        .await?;
    if written.rows_affected == 1 { Ok(()) } else { Err(Error::lost(spending.id)) }
}

#[cfg(test)]
mod tests {
    use sea_orm::{QueryTrait, Statement};

    use super::*;
    use crate::harness::Harness;

    /// Guard: the index of what bookings had, without which each booking that ends would read every spending that there is.
    #[tokio::test]
    async fn what_a_booking_had_is_found_by_an_index() {
        let yeyak = Harness::new().await;
        let explained = yeyak.db.write(async |tx| {
            let (explain, column) = match tx.has_others() {
                true => ("EXPLAIN", 0),
                false => ("EXPLAIN QUERY PLAN", 3),
            };
            if tx.has_others() {
                // PostgreSQL would read a table as small as this from end to end.
                tx.execute_unprepared("SET LOCAL enable_seqscan = off").await?;
            }
            let query = last_of(BookingId(Uuid::nil())).build(tx.get_database_backend());
            let statement = Statement::from_string(tx.get_database_backend(), format!("{explain} {query}"));
            let mut plan = String::new();
            for row in tx.query_all_raw(statement).await? {
                plan.push_str(&row.try_get_by_index::<String>(column)?);
            }
            Ok(plan)
        });

        let plan = explained.await.expect("explains");

        assert!(plan.contains("point_spending_had"), "{plan}");
    }
}
