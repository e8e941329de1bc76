//! The queries of the simulator.

use std::path::Path;

use sea_orm::sea_query::Expr;
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend,
    DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Schema,
};

use super::entity::{State, cancel, delivery, fault, payment, replay};
use crate::kit::clock::Time;

/// Opens the file, or makes it.
///
/// One connection serves reads and writes: a transaction never waits for another inside SQLite. Nothing is synced, for what a
/// killed process has written is safe with the operating system.
pub(super) async fn open(path: &Path) -> Result<DatabaseConnection, DbErr> {
    let path = path.to_owned();
    let mut options = ConnectOptions::new("sqlite:");
    options.max_connections(1).min_connections(1).sqlx_logging(false).test_before_acquire(false);
    options.map_sqlx_sqlite_opts(move |sqlite| {
        sqlite
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Off)
    });
    let db = Database::connect(options).await?;
    create(&db, payment::Entity).await?;
    create(&db, cancel::Entity).await?;
    create(&db, replay::Entity).await?;
    create(&db, delivery::Entity).await?;
    create(&db, fault::Entity).await?;
    Ok(db)
}

async fn create<E: EntityTrait>(db: &DatabaseConnection, entity: E) -> Result<(), DbErr> {
    let schema = Schema::new(DbBackend::Sqlite);
    db.execute(schema.create_table_from_entity(entity).if_not_exists()).await?;
    for mut index in schema.create_index_from_entity(entity) {
        db.execute(index.if_not_exists()).await?;
    }
    Ok(())
}

pub(super) async fn payment(conn: &impl ConnectionTrait, key: &str) -> Result<Option<payment::Model>, DbErr> {
    payment::Entity::find_by_id(key).one(conn).await
}

pub(super) async fn payment_of_order(
    conn: &impl ConnectionTrait,
    order: &str,
) -> Result<Option<payment::Model>, DbErr> {
    payment::Entity::find().filter(payment::Column::OrderId.eq(order)).one(conn).await
}

/// Payments whose buyer or merchant has let the time pass.
pub(super) async fn overdue(
    conn: &impl ConnectionTrait,
    requested_before: Time,
    authenticated_before: Time,
) -> Result<Vec<payment::Model>, DbErr> {
    let unseen = Condition::all()
        .add(payment::Column::State.eq(State::Ready))
        .add(payment::Column::RequestedTime.lte(requested_before));
    let unconfirmed = Condition::all()
        .add(payment::Column::State.eq(State::InProgress))
        .add(payment::Column::AuthenticatedTime.lte(authenticated_before));
    payment::Entity::find().filter(Condition::any().add(unseen).add(unconfirmed)).limit(100).all(conn).await
}

pub(super) async fn insert(conn: &impl ConnectionTrait, payment: payment::Model) -> Result<(), DbErr> {
    payment::Entity::insert(payment.into_active_model()).exec_without_returning(conn).await?;
    Ok(())
}

/// Writes every column of a payment.
pub(super) async fn save(conn: &impl ConnectionTrait, payment: payment::Model) -> Result<payment::Model, DbErr> {
    payment.into_active_model().reset_all().update(conn).await
}

pub(super) async fn cancels(conn: &impl ConnectionTrait, key: &str) -> Result<Vec<cancel::Model>, DbErr> {
    cancel::Entity::find().filter(cancel::Column::PaymentKey.eq(key)).order_by_asc(cancel::Column::Id).all(conn).await
}

pub(super) async fn insert_cancel(conn: &impl ConnectionTrait, cancel: cancel::ActiveModel) -> Result<(), DbErr> {
    cancel::Entity::insert(cancel).exec_without_returning(conn).await?;
    Ok(())
}

pub(super) async fn replay(conn: &impl ConnectionTrait, scope: &str) -> Result<Option<replay::Model>, DbErr> {
    replay::Entity::find_by_id(scope).one(conn).await
}

pub(super) async fn insert_replay(conn: &impl ConnectionTrait, replay: replay::Model) -> Result<(), DbErr> {
    replay::Entity::insert(replay.into_active_model()).exec_without_returning(conn).await?;
    Ok(())
}

pub(super) async fn forget_replays(conn: &impl ConnectionTrait, before: Time) -> Result<(), DbErr> {
    replay::Entity::delete_many().filter(replay::Column::Time.lte(before)).exec(conn).await?;
    Ok(())
}

pub(super) async fn insert_delivery(conn: &impl ConnectionTrait, delivery: delivery::ActiveModel) -> Result<(), DbErr> {
    delivery::Entity::insert(delivery).exec_without_returning(conn).await?;
    Ok(())
}

/// Lets the held webhooks of a payment go.
pub(super) async fn release(conn: &impl ConnectionTrait, key: &str, due: Time) -> Result<(), DbErr> {
    delivery::Entity::update_many()
        .col_expr(delivery::Column::Held, Expr::value(false))
        .col_expr(delivery::Column::DueTime, Expr::value(due))
        .filter(delivery::Column::PaymentKey.eq(key))
        .filter(delivery::Column::Held.eq(true))
        .exec(conn)
        .await?;
    Ok(())
}

pub(super) async fn due(conn: &impl ConnectionTrait, now: Time) -> Result<Vec<delivery::Model>, DbErr> {
    delivery::Entity::find()
        .filter(delivery::Column::DueTime.lte(now))
        .order_by_asc(delivery::Column::DueTime)
        .order_by_asc(delivery::Column::Id)
        .limit(100)
        .all(conn)
        .await
}

pub(super) async fn next_due(conn: &impl ConnectionTrait) -> Result<Option<Time>, DbErr> {
    let next = delivery::Entity::find().order_by_asc(delivery::Column::DueTime).one(conn).await?;
    Ok(next.map(|delivery| delivery.due_time))
}

pub(super) async fn delivered(conn: &impl ConnectionTrait, id: i64) -> Result<(), DbErr> {
    delivery::Entity::delete_by_id(id).exec(conn).await?;
    Ok(())
}

pub(super) async fn retry(conn: &impl ConnectionTrait, id: i64, retried_count: i32, due: Time) -> Result<(), DbErr> {
    delivery::Entity::update_many()
        .col_expr(delivery::Column::RetriedCount, Expr::value(retried_count))
        .col_expr(delivery::Column::DueTime, Expr::value(due))
        .filter(delivery::Column::Id.eq(id))
        .exec(conn)
        .await?;
    Ok(())
}

pub(super) async fn faults(conn: &impl ConnectionTrait) -> Result<Vec<fault::Model>, DbErr> {
    fault::Entity::find().order_by_asc(fault::Column::Id).all(conn).await
}

pub(super) async fn insert_fault(conn: &impl ConnectionTrait, fault: fault::ActiveModel) -> Result<i64, DbErr> {
    Ok(fault.insert(conn).await?.id)
}

/// Writes how often a fault is still to come; one that is used up is deleted.
pub(super) async fn fault_left(conn: &impl ConnectionTrait, id: i64, left: i64) -> Result<(), DbErr> {
    if left == 0 {
        fault::Entity::delete_by_id(id).exec(conn).await?;
        return Ok(());
    }
    fault::Entity::update_many()
        .col_expr(fault::Column::Left, Expr::value(left))
        .filter(fault::Column::Id.eq(id))
        .exec(conn)
        .await?;
    Ok(())
}
