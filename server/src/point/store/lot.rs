//! Lots.

use sea_orm::entity::prelude::*;
use sea_orm::{ConnectionTrait, DatabaseBackend, FromQueryResult, IntoActiveModel, QueryOrder, Statement};

use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::id::{BookingId, MemberId};
use crate::kit::tx::{Tx, among};
use crate::point::entity::lot::{Column, Entity, Model};
use crate::point::model::{Lot, LotId};

impl From<Model> for Lot {
    fn from(row: Model) -> Self {
        Self {
            id: LotId(row.id),
            cause: row.cause,
            reference: row.reference,
            booking: row.booking_id.map(BookingId),
            points: row.points,
            remaining: row.remaining,
            base: row.base,
            above: row.above,
            clawed: row.clawed,
            written_off: row.written_off,
            pending: row.pending,
            available_time: row.available_time,
            expire_time: row.expire_time,
            create_time: row.create_time,
        }
    }
}

/// The row of a lot.
pub(in crate::point) fn row(member: MemberId, lot: &Lot) -> Model {
    Model {
        id: lot.id.0,
        member_id: member.0,
        cause: lot.cause.clone(),
        reference: lot.reference.clone(),
        booking_id: lot.booking.map(|booking| booking.0),
        points: lot.points,
        remaining: lot.remaining,
        base: lot.base,
        above: lot.above,
        clawed: lot.clawed,
        written_off: lot.written_off,
        pending: lot.pending,
        available_time: lot.available_time,
        expire_time: lot.expire_time,
        create_time: lot.create_time,
    }
}

fn of_member(member: MemberId) -> Select<Entity> {
    Entity::find().filter(Column::MemberId.eq(member.0))
}

/// The lots of a member of which something is left, as stored, those that expire first at the front.
pub(in crate::point) async fn live(conn: &impl ConnectionTrait, member: MemberId) -> Result<Vec<Lot>, Error> {
    let found = live_among(Column::MemberId.eq(member.0));
    Ok(found.all(conn).await?.into_iter().map(Lot::from).collect())
}

fn live_among(members: Expr) -> Select<Entity> {
    // In its words, which are those of the index: a plan that is kept knows no value.
    let live = Entity::find().filter(members).filter(Expr::cust("remaining > 0"));
    live.order_by_asc(Column::ExpireTime).order_by_asc(Column::Id)
}

/// Some lots of a member.
pub(in crate::point) async fn some(
    conn: &impl ConnectionTrait,
    member: MemberId,
    ids: &[LotId],
) -> Result<Vec<Lot>, Error> {
    let found = of_member(member).filter(Column::Id.is_in(ids.iter().map(|id| id.0)));
    Ok(found.all(conn).await?.into_iter().map(Lot::from).collect())
}

/// The lots of members of which something is left, as stored, those that expire first at the front.
pub(in crate::point) async fn live_of(
    conn: &impl ConnectionTrait,
    members: &[Uuid],
) -> Result<Vec<(MemberId, Lot)>, Error> {
    let rows = live_among(among(conn, Column::MemberId, members.to_vec())).all(conn).await?;
    Ok(rows.into_iter().map(|row| (MemberId(row.member_id), row.into())).collect())
}

/// Some lots, whosever they are.
pub(in crate::point) async fn by_id(
    conn: &impl ConnectionTrait,
    ids: Vec<Uuid>,
) -> Result<Vec<(MemberId, Lot)>, Error> {
    let rows = Entity::find().filter(among(conn, Column::Id, ids)).all(conn).await?;
    Ok(rows.into_iter().map(|row| (MemberId(row.member_id), row.into())).collect())
}

/// The lots that a booking has earned its member.
pub(in crate::point) async fn of_booking(
    conn: &impl ConnectionTrait,
    booking: BookingId,
) -> Result<Vec<(MemberId, Lot)>, Error> {
    let rows = Entity::find().filter(Column::BookingId.eq(booking.0)).order_by_asc(Column::Id).all(conn).await?;
    Ok(rows.into_iter().map(|row| (MemberId(row.member_id), row.into())).collect())
}

/// What bookings have earned a member since a moment, less what was taken back of those very points: out of the wallet, as a debt,
/// from a refund, or not at all.
pub(in crate::point) async fn earned(conn: &impl ConnectionTrait, member: MemberId, since: Time) -> Result<i64, Error> {
    #[derive(FromQueryResult)]
    struct Row {
        earned: i64,
    }
    // A member's lots that are used up are in no index but that of bookings.
    let select = "SELECT CAST(coalesce(sum(points - clawed), 0) AS BIGINT) AS earned FROM point_lot \
                  WHERE booking_id IS NOT NULL AND cause = 'EARN' AND create_time >= $2 AND booking_id IN \
                    (SELECT booking_id FROM point_movement \
                     WHERE member_id = $1 AND cause = 'EARN' AND create_time >= $2)";
    let statement =
        Statement::from_sql_and_values(conn.get_database_backend(), select, [member.0.into(), since.into()]);
    Ok(Row::find_by_statement(statement).one(conn).await?.map_or(0, |row| row.earned))
}

/// Writes new lots.
pub(in crate::point) async fn insert(tx: &Tx, member: MemberId, lots: &[&Lot]) -> Result<(), Error> {
    // Of a gift they are as many as the pieces of its giver: far below the limit of a statement.
    for some in lots.chunks(500) {
        let rows = some.iter().map(|lot| row(member, lot).into_active_model());
        Entity::insert_many(rows).exec_without_returning(&**tx).await?;
    }
    Ok(())
}

/// Writes what time has made of lots, whose wallets are locked, in one statement of PostgreSQL.
pub(in crate::point) async fn settle(tx: &Tx, lots: &[&Lot]) -> Result<(), Error> {
    let update = "UPDATE point_lot AS l SET remaining = x.remaining, pending = x.pending \
                  FROM unnest($1::uuid[], $2::bigint[], $3::boolean[]) AS x (id, remaining, pending) WHERE l.id = x.id";
    let values: [Value; 3] = [
        lots.iter().map(|lot| lot.id.0).collect::<Vec<_>>().into(),
        lots.iter().map(|lot| lot.remaining).collect::<Vec<_>>().into(),
        lots.iter().map(|lot| lot.pending).collect::<Vec<_>>().into(),
    ];
    tx.execute_raw(Statement::from_sql_and_values(DatabaseBackend::Postgres, update, values)).await?;
    Ok(())
}

/// Writes what has become of a lot, whose wallet is locked.
pub(in crate::point) async fn update(tx: &Tx, before: &Lot, lot: &Lot) -> Result<(), Error> {
    let mut update = Entity::update_many()
        .col_expr(Column::Remaining, Expr::value(lot.remaining))
        .col_expr(Column::Clawed, Expr::value(lot.clawed))
        .col_expr(Column::WrittenOff, Expr::value(lot.written_off))
        .col_expr(Column::Pending, Expr::value(lot.pending));
    // They hardly ever move, and are in an index.
    if (before.available_time, before.expire_time) != (lot.available_time, lot.expire_time) {
        update = update
            .col_expr(Column::AvailableTime, Expr::value(lot.available_time))
            .col_expr(Column::ExpireTime, Expr::value(lot.expire_time));
    }
    update.filter(Column::Id.eq(lot.id.0)).exec(&**tx).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use sea_orm::QueryTrait;

    use super::*;
    use crate::harness::Harness;

    /// Guard: the words of the index, in a plan that is made before anybody knows the values.
    #[tokio::test]
    async fn live_lots_are_found_by_their_index_though_the_plan_is_kept() {
        let yeyak = Harness::new().await;
        let explained = yeyak.db.write(async |tx| {
            let query = live_among(Column::MemberId.eq(Uuid::nil())).build(tx.get_database_backend());
            let (explain, column) = match tx.has_others() {
                true => {
                    tx.execute_unprepared("SET LOCAL enable_seqscan = off").await?;
                    tx.execute_unprepared("SET LOCAL plan_cache_mode = force_generic_plan").await?;
                    tx.execute_unprepared(&format!("PREPARE live (uuid) AS {}", query.sql)).await?;
                    let execute = format!("EXPLAIN EXECUTE live ('{}')", Uuid::nil());
                    (Statement::from_string(DatabaseBackend::Postgres, execute), 0)
                }
                false => (Statement { sql: format!("EXPLAIN QUERY PLAN {}", query.sql), ..query }, 3),
            };
            let mut plan = String::new();
            for row in tx.query_all_raw(explain).await? {
                plan.push_str(&row.try_get_by_index::<String>(column)?);
            }
            Ok(plan)
        });

        let plan = explained.await.expect("explains");

        assert!(plan.contains("point_lot_live"), "{plan}");
    }
}
