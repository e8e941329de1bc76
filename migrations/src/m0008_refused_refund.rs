//! Refunds that a provider refuses: which payments a booking counts, what is the seller's of one, and what is still due back.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, boolean};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// What of a booking's payments went back, by the payments.
const GIVEN_BACK: &str = "(SELECT COALESCE(SUM(payment.refunded), 0) FROM payment \
    WHERE payment.booking_id = booking.id AND payment.counted)";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        add(manager, "payment", boolean("counted").default(false).take()).await?;
        let earned = Expr::cust("earned >= 0 AND earned <= paid - refunded");
        add(manager, "booking", big_integer("earned").default(0).check(earned).take()).await?;
        let due = Expr::cust("refund_due >= 0 AND refund_due <= paid - refunded - earned");
        add(manager, "booking", big_integer("refund_due").default(0).check(due).take()).await?;

        let database = manager.get_connection();
        // What we gave back of our own accord was never the booking's.
        let counted = "UPDATE payment SET counted = TRUE WHERE state = 'CAPTURED' AND NOT EXISTS (SELECT 1 FROM refund \
            WHERE refund.payment_id = payment.id AND refund.reason IN ('the booking could no longer take the payment', \
            'the seller did not take the late payment'))";
        database.execute_unprepared(counted).await?;
        let earned = "UPDATE booking SET earned = CASE state WHEN 'COMPLETED' THEN paid - refunded ELSE fee END";
        database.execute_unprepared(earned).await?;
        // A refund that was refused went on counting in its booking alone.
        let refused = format!(
            "UPDATE booking SET refund_due = refunded - {GIVEN_BACK}, refunded = {GIVEN_BACK} \
             WHERE refunded > {GIVEN_BACK}"
        );
        database.execute_unprepared(&refused).await?;
        Ok(())
    }
}

async fn add(manager: &SchemaManager<'_>, table: &'static str, column: impl IntoColumnDef) -> Result<(), DbErr> {
    manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await
}
