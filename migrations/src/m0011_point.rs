//! Points: wallets, the lots that they hold, what moved them, what was spent together, and the policy.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, boolean, date, string, text, timestamp_with_time_zone,
    timestamp_with_time_zone_null, uuid, uuid_null,
};
use sea_orm_migration::sea_orm::DbBackend;

use crate::index;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        wallets(manager).await?;
        lots(manager).await?;
        movements(manager).await?;
        spendings(manager).await?;
        policy(manager).await?;
        for table in runs() {
            manager.create_table(table).await?;
        }
        days(manager).await
    }
}

async fn wallets(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let wallet = Table::create()
        .table("point_wallet")
        .col(uuid("member_id").primary_key())
        .col(big_integer("version"))
        // As of the last change; time moves them at `change_time`.
        .col(big_integer("available"))
        .col(big_integer("pending"))
        .col(big_integer("reserved"))
        .col(big_integer("owed"))
        // The first moment at which the balance reads otherwise though nothing was written.
        .col(timestamp_with_time_zone_null("change_time"))
        .col(big_integer("movement_count"))
        // What was given away on the last day with a gift, and earned in the last month with earnings, by number.
        .col(big_integer("gift_day"))
        .col(big_integer("gift_points"))
        .col(big_integer("earn_month"))
        .col(big_integer("earn_points"))
        .col(timestamp_with_time_zone("update_time"))
        .check(Expr::cust("available >= 0 AND pending >= 0 AND reserved >= 0 AND owed >= 0"))
        .check(Expr::cust("owed = 0 OR available = 0"))
        .to_owned();
    manager.create_table(wallet).await?;
    index(manager, "point_wallet", "point_wallet_update_time", &["update_time", "member_id"], false).await
}

async fn lots(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let lot = Table::create()
        .table("point_lot")
        .col(uuid("id").primary_key())
        .col(uuid("member_id"))
        .col(string("cause"))
        .col(string("reference"))
        .col(uuid_null("booking_id"))
        .col(big_integer("points"))
        .col(big_integer("remaining"))
        // What it was earned by, where an amount gave it, and how much of it was taken back.
        .col(big_integer_null("base"))
        .col(big_integer("clawed"))
        // Whether it counts as pending in its wallet.
        .col(boolean("pending"))
        .col(timestamp_with_time_zone("available_time"))
        .col(timestamp_with_time_zone("expire_time"))
        .col(timestamp_with_time_zone("create_time"))
        .check(Expr::cust("points > 0 AND remaining >= 0 AND remaining <= points AND clawed >= 0 AND clawed <= points"))
        .to_owned();
    manager.create_table(lot).await?;
    let include = match manager.get_database_backend() {
        DbBackend::Postgres => " INCLUDE (remaining, pending)",
        _ => "",
    };
    let live = "CREATE INDEX point_lot_live ON point_lot (member_id, expire_time, id)";
    manager.get_connection().execute_unprepared(&format!("{live}{include} WHERE remaining > 0")).await?;
    let earned = "CREATE INDEX point_lot_booking ON point_lot (booking_id) WHERE booking_id IS NOT NULL";
    manager.get_connection().execute_unprepared(earned).await.map(drop)
}

async fn movements(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let movement = Table::create()
        .table("point_movement")
        // The ledger's transfer has the same.
        .col(uuid("id").primary_key())
        .col(uuid("member_id"))
        // Which of the wallet's it is, from 1.
        .col(big_integer("number"))
        // Of the wallet behind it.
        .col(big_integer("version"))
        .col(string("cause"))
        // What it added to the wallet, and to what is set aside.
        .col(big_integer("amount"))
        .col(big_integer("held"))
        // What the wallet held behind it.
        .col(big_integer("balance"))
        // Read and written whole.
        .col(text("pieces"))
        .col(uuid_null("booking_id"))
        .col(uuid_null("spending_id"))
        .col(string("reference"))
        .col(string("actor"))
        .col(timestamp_with_time_zone("effective_time"))
        .col(timestamp_with_time_zone("create_time"))
        .to_owned();
    manager.create_table(movement).await?;
    // With what wallets are compared with: where an index can have more than its key, the heap is not asked.
    let include = match manager.get_database_backend() {
        DbBackend::Postgres => " INCLUDE (amount, held)",
        _ => "",
    };
    let number = format!("CREATE UNIQUE INDEX point_movement_number ON point_movement (member_id, number){include}");
    manager.get_connection().execute_unprepared(&number).await?;
    index(manager, "point_movement", "point_movement_effective", &["effective_time"], false).await
}

async fn spendings(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let spending = Table::create()
        .table("point_spending")
        .col(uuid("id").primary_key())
        .col(uuid("member_id"))
        .col(uuid_null("booking_id"))
        .col(string("state"))
        .col(big_integer("points"))
        .col(big_integer("given_back"))
        // Read and written whole.
        .col(text("pieces"))
        .col(string("reference"))
        // When what is set aside comes back by itself; absent while a payment is under way.
        .col(timestamp_with_time_zone_null("hold_expire_time"))
        // Of the wallet, at the last change.
        .col(big_integer("wallet_version"))
        .col(string("actor"))
        .col(timestamp_with_time_zone("create_time"))
        .col(timestamp_with_time_zone("update_time"))
        .check(Expr::cust("points > 0 AND given_back >= 0 AND given_back <= points"))
        .to_owned();
    manager.create_table(spending).await?;
    let conn = manager.get_connection();
    let held = "CREATE INDEX point_spending_reserved ON point_spending (member_id) WHERE state = 'RESERVED'";
    conn.execute_unprepared(held).await?;
    // A booking has its points once.
    let once = "CREATE UNIQUE INDEX point_spending_booking ON point_spending (booking_id) \
                WHERE booking_id IS NOT NULL AND state <> 'RELEASED'";
    conn.execute_unprepared(once).await.map(drop)
}

async fn policy(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let policy = Table::create()
        .table("point_policy")
        // There is one; without its row the defaults hold.
        .col(big_integer("id").primary_key())
        .col(big_integer("version"))
        .col(big_integer("earn_rate"))
        .col(big_integer_null("earn_cap"))
        .col(big_integer_null("monthly_earn_cap"))
        // Read and written whole.
        .col(text("campaigns"))
        .col(text("tiers"))
        .col(big_integer("expiry_months"))
        .col(string("claw_back"))
        .col(big_integer("grace_days"))
        .col(big_integer("gift_cap"))
        .col(big_integer("daily_gift_cap"))
        .col(string("updated_by"))
        .col(timestamp_with_time_zone("update_time"))
        .to_owned();
    manager.create_table(policy).await
}

/// Runs of work that is done once for a day, in ranges of keys: in this database, or in one of their own.
pub(crate) fn runs() -> [TableCreateStatement; 2] {
    let run = Table::create()
        .table("job_run")
        .if_not_exists()
        .col(string("job"))
        .col(date("run_date"))
        // What is due until then is done.
        .col(timestamp_with_time_zone("cut_time"))
        // How much there was when it began.
        .col(big_integer("expected"))
        .col(timestamp_with_time_zone("begin_time"))
        .col(timestamp_with_time_zone_null("end_time"))
        .primary_key(Index::create().col("job").col("run_date"))
        .to_owned();
    let range = Table::create()
        .table("job_range")
        .if_not_exists()
        .col(string("job"))
        .col(date("run_date"))
        .col(big_integer("number"))
        // How far it has come, and where it ends; absent for the last, which has no end.
        .col(uuid("position"))
        .col(uuid_null("upper"))
        .col(boolean("done"))
        .col(big_integer("wallets"))
        .primary_key(Index::create().col("job").col("run_date").col("number"))
        .to_owned();
    [run, range]
}

async fn days(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let snapshot = Table::create()
        .table("point_snapshot")
        .col(date("run_date"))
        .col(uuid("member_id"))
        .col(big_integer("available"))
        .col(big_integer("pending"))
        .col(big_integer("reserved"))
        .col(big_integer("owed"))
        .col(big_integer("version"))
        // Whether time had changed it, and what of it had expired.
        .col(boolean("moved").default(false))
        .col(big_integer("expired").default(0))
        .primary_key(Index::create().col("run_date").col("member_id"))
        .to_owned();
    manager.create_table(snapshot).await?;

    // By the wallet, by its lots and by its movements.
    let difference = Table::create()
        .table("point_difference")
        .col(date("run_date"))
        .col(uuid("member_id"))
        .col(big_integer("held"))
        .col(big_integer("pending"))
        .col(big_integer("reserved"))
        .col(big_integer("owed"))
        .col(big_integer("lots_held"))
        .col(big_integer("lots_pending"))
        .col(big_integer("moved"))
        .col(big_integer("moved_reserved"))
        .col(boolean("repaired"))
        .primary_key(Index::create().col("run_date").col("member_id"))
        .to_owned();
    manager.create_table(difference).await
}
