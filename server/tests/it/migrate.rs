//! What an earlier release left behind is brought to the schema of this one.

use sea_orm::{ConnectionTrait, Database, DatabaseBackend, DatabaseConnection, FromQueryResult, Statement};
use yeyak_migrations::{Migrator, MigratorTrait};

/// The migrations that there were before refused refunds were told apart.
const BEFORE: u32 = 6;

/// A row of an earlier release: its columns as SQL, in the order of the statement that inserts it.
struct Earlier {
    database: DatabaseConnection,
}

impl Earlier {
    async fn at(url: &str) -> Self {
        let database = Database::connect(url).await.expect("connects");
        Migrator::up(&database, Some(BEFORE)).await.expect("migrates");
        Self { database }
    }

    fn id(&self, number: u8) -> String {
        match self.database.get_database_backend() {
            DatabaseBackend::Postgres => format!("'00000000-0000-0000-0000-0000000000{number:02x}'"),
            _ => format!("X'000000000000000000000000000000{number:02x}'"),
        }
    }

    async fn run(&self, sql: &str) {
        self.database.execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{error}: {sql}"));
    }

    /// A booking that is paid with 1,000.
    async fn booking(&self, number: u8, state: &str, refunded: i64, fee: i64) {
        let (id, other) = (self.id(number), self.id(0));
        let bytes = if self.database.get_database_backend() == DatabaseBackend::Postgres { "'\\x00'" } else { "X'00'" };
        let (time, day) = ("'2026-01-01 00:00:00+00:00'", "'2026-01-01'");
        self.run(&format!(
            "INSERT INTO booking (id, code, member_id, seller_id, property_id, property_name, time_zone, state, version, \
             currency, total, paid, refunded, fee, fee_floor, hold_limit_time, first_date, last_date, needs_approval, \
             late_payment, terms, guest_sealed, guest_email_index, note, cancellation, created_by, create_time, \
             update_time) VALUES ({id}, 'code{number}', {other}, {other}, {other}, 'x', 'Asia/Seoul', '{state}', 1, 'KRW', \
             1000, 1000, {refunded}, {fee}, 0, {time}, {day}, {day}, FALSE, '\"REFUND\"', '{{}}', {bytes}, {bytes}, '', \
             'null', 'x', {time}, {time})"
        ))
        .await;
    }

    /// A payment of a booking that took 1,000, with refunds: how much, where each is, and why.
    async fn payment(&self, number: u8, booking: u8, state: &str, refunds: &[(i64, &str, &str)]) {
        let (id, of, other) = (self.id(number), self.id(booking), self.id(0));
        let refunded: i64 = refunds.iter().filter(|(_, state, _)| *state != "FAILED").map(|(amount, ..)| amount).sum();
        let time = "'2026-01-01 00:00:00+00:00'";
        self.run(&format!(
            "INSERT INTO payment (id, booking_id, number, member_id, seller_id, currency, amount, captured_currency, \
             captured, refunded, state, provider, provider_key, failure_code, failure_message, idempotency_key, \
             return_url, order_name, version, create_time, update_time, expire_time, ask_count) VALUES ({id}, {of}, \
             {number}, {other}, {other}, 'KRW', 1000, 'KRW', 1000, {refunded}, '{state}', 'simulator', 'k', '', '', \
             'key{number}', '', '', 1, {time}, {time}, {time}, 0)"
        ))
        .await;
        for (at, (amount, state, reason)) in (0..).zip(refunds) {
            let refund = self.id(number * 16 + at);
            self.run(&format!(
                "INSERT INTO refund (id, payment_id, amount, currency, state, reason, failure_code, idempotency_key, \
                 create_time, try_count) VALUES ({refund}, {id}, {amount}, 'KRW', '{state}', '{reason}', '', \
                 'refund{number}{at}', {time}, 0)"
            ))
            .await;
        }
    }

    async fn rows<T: FromQueryResult>(&self, sql: &str) -> Vec<T> {
        let statement = Statement::from_string(self.database.get_database_backend(), sql);
        T::find_by_statement(statement).all(&self.database).await.expect("reads")
    }
}

#[derive(Debug, FromQueryResult)]
struct Booking {
    refunded: i64,
    earned: i64,
    refund_due: i64,
}

#[derive(Debug, FromQueryResult)]
struct Payment {
    counted: bool,
}

async fn refused_refunds_are_told_apart(url: &str) {
    let earlier = Earlier::at(url).await;
    let late = "the booking could no longer take the payment";
    earlier.booking(1, "COMPLETED", 300, 0).await;
    earlier.payment(1, 1, "CAPTURED", &[(300, "DONE", "소음")]).await;
    // Cancelled with a fee; the provider refused what was to go back, and the booking went on counting it.
    earlier.booking(2, "CANCELLED", 900, 100).await;
    earlier.payment(2, 2, "CAPTURED", &[(900, "FAILED", "cancelled")]).await;
    // Paid, and paid again when it was paid already.
    earlier.booking(3, "CONFIRMED", 0, 0).await;
    earlier.payment(3, 3, "CAPTURED", &[]).await;
    earlier.payment(4, 3, "CAPTURED", &[(1000, "DONE", late)]).await;
    earlier.payment(5, 3, "FAILED", &[(1000, "DONE", "another amount was taken than was asked for")]).await;

    Migrator::up(&earlier.database, None).await.expect("migrates");

    let bookings: Vec<Booking> = earlier.rows("SELECT refunded, earned, refund_due FROM booking ORDER BY id").await;
    let told: Vec<_> = bookings.iter().map(|row| (row.refunded, row.earned, row.refund_due)).collect();
    assert_eq!(told, [(300, 700, 0), (0, 100, 900), (0, 0, 0)]);
    let payments: Vec<Payment> = earlier.rows("SELECT counted FROM payment ORDER BY id").await;
    assert_eq!(payments.iter().map(|row| row.counted).collect::<Vec<_>>(), [true, true, true, false, false]);
}

#[tokio::test]
async fn refused_refunds_of_an_earlier_release_are_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    refused_refunds_are_told_apart(&format!("sqlite:{}?mode=rwc", folder.path().join("yeyak.db").display())).await;
}

mod postgres {
    #[tokio::test]
    #[ignore = "needs PostgreSQL: .ci/run"]
    async fn refused_refunds_of_an_earlier_release_are_told_apart() {
        super::refused_refunds_are_told_apart(&yeyak_services::Postgres::shared().create()).await;
    }
}
