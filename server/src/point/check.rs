//! The promises of points, against their tables.

use sea_orm::entity::prelude::*;
use sea_orm::{FromQueryResult, QueryOrder, QuerySelect, Statement};

use super::Points;
use super::entity::wallet;
use crate::error::Error;
use crate::kit::check::Violation;
use crate::kit::id::MemberId;

/// What is checked, in words.
pub const INVARIANTS: &[&str] = &[
    "a wallet holds what is left of its lots, less what it owes",
    "a wallet's movements add up to what it holds, and to what is set aside",
    "each movement of points is a transfer of the ledger, of its member's accounts, from where it says and of as much",
    "what is set aside of a wallet is what its reservations say",
    "no movement of a wallet is missing",
];

/// What breaks each promise. Lots whose time is over count until it is written down.
const LOTS: &str = "
SELECT w.member_id AS member, w.available + w.pending AS one, CAST(coalesce(l.live, 0) AS BIGINT) AS other
FROM point_wallet AS w LEFT JOIN
  (SELECT member_id, sum(remaining) AS live, sum(CASE WHEN pending THEN remaining ELSE 0 END) AS pending
   FROM point_lot WHERE remaining > 0 GROUP BY member_id) AS l ON l.member_id = w.member_id
WHERE w.available + w.pending <> coalesce(l.live, 0) OR w.pending <> coalesce(l.pending, 0)";
const MOVEMENTS: &str = "
SELECT w.member_id AS member, w.available + w.pending - w.owed AS one, CAST(coalesce(m.amount, 0) AS BIGINT) AS other
FROM point_wallet AS w LEFT JOIN
  (SELECT member_id, sum(amount) AS amount, sum(held) AS held FROM point_movement GROUP BY member_id) AS m
  ON m.member_id = w.member_id
WHERE w.available + w.pending - w.owed <> coalesce(m.amount, 0) OR w.reserved <> coalesce(m.held, 0)";
const LEDGER: &str = "
SELECT m.member_id AS member, m.amount AS one, coalesce(t.amount, 0) AS other
FROM point_movement AS m LEFT JOIN ledger_transfer AS t ON t.id = m.id
WHERE t.id IS NULL OR t.currency <> 'PTS' OR t.cause <> 'POINTS_' || m.cause
  OR t.amount <> CASE WHEN m.amount = 0 THEN -m.held ELSE abs(m.amount) END
  OR (m.amount < 0) <> (t.debit_account LIKE 'points:%')
  OR (m.amount > 0) <> (t.credit_account LIKE 'points:%')
  OR (m.held < 0) <> (t.debit_account LIKE 'held:%')
  OR (m.held > 0) <> (t.credit_account LIKE 'held:%')";
/// Whose accounts the transfers of each member are of, by the first name and the last.
const OWNERS: &str = "
SELECT member_id AS member, min(owner) AS first, max(owner) AS last
FROM (
  SELECT m.member_id, replace(replace(t.debit_account, 'points:', ''), 'held:', '') AS owner
  FROM point_movement AS m JOIN ledger_transfer AS t ON t.id = m.id
  WHERE m.member_id > $1 AND m.member_id <= $2 AND t.debit_account NOT LIKE 'platform:%'
  UNION ALL
  SELECT m.member_id, replace(replace(t.credit_account, 'points:', ''), 'held:', '') AS owner
  FROM point_movement AS m JOIN ledger_transfer AS t ON t.id = m.id
  WHERE m.member_id > $1 AND m.member_id <= $2 AND t.credit_account NOT LIKE 'platform:%'
) AS sides
GROUP BY member_id";
/// Of so many wallets they are looked for at a time: the names are put together here.
const PAGE: u64 = 5_000;
const UNKNOWN: &str = "
SELECT t.id AS member, t.amount AS one, t.amount AS other
FROM ledger_transfer AS t LEFT JOIN point_movement AS m ON m.id = t.id WHERE t.currency = 'PTS' AND m.id IS NULL";
const RESERVED: &str = "
SELECT w.member_id AS member, w.reserved AS one, CAST(coalesce(s.points, 0) AS BIGINT) AS other
FROM point_wallet AS w LEFT JOIN
  (SELECT member_id, sum(points) AS points FROM point_spending WHERE state = 'RESERVED' GROUP BY member_id) AS s
  ON s.member_id = w.member_id
WHERE w.reserved <> coalesce(s.points, 0)";
const NUMBERS: &str = "
SELECT w.member_id AS member, w.movement_count AS one, coalesce(m.number, 0) AS other
FROM point_wallet AS w LEFT JOIN
  (SELECT member_id, count(*) AS number, max(number) AS last FROM point_movement GROUP BY member_id) AS m
  ON m.member_id = w.member_id
WHERE w.movement_count <> coalesce(m.number, 0) OR w.movement_count <> coalesce(m.last, 0)";

#[derive(FromQueryResult)]
struct Found {
    member: Uuid,
    one: i64,
    other: i64,
}

#[derive(FromQueryResult)]
struct Owner {
    member: Uuid,
    first: String,
    last: String,
}

impl Points {
    /// Everything that is not as it must be.
    pub async fn check(&self) -> Result<Vec<Violation>, Error> {
        let checks = [(0, LOTS), (1, MOVEMENTS), (2, LEDGER), (2, UNKNOWN), (3, RESERVED), (4, NUMBERS)];
        let mut violations = Vec::new();
        for (invariant, select) in checks {
            let statement = Statement::from_string(self.kit.db.backend(), select);
            for Found { member, one, other } in Found::find_by_statement(statement).all(self.kit.db.read()).await? {
                violations.push(Violation::new(
                    INVARIANTS[invariant],
                    MemberId(member),
                    format!("{one} by the wallet, {other} by the rest"),
                ));
            }
        }
        violations.extend(self.foreign().await?);
        Ok(violations)
    }

    /// Movements that are transfers of another member's accounts.
    async fn foreign(&self) -> Result<Vec<Violation>, Error> {
        let (conn, mut behind, mut violations) = (self.kit.db.read(), Uuid::nil(), Vec::new());
        loop {
            let page = wallet::Entity::find().select_only().column(wallet::Column::MemberId);
            let page = page.filter(wallet::Column::MemberId.gt(behind)).order_by_asc(wallet::Column::MemberId);
            let page: Vec<Uuid> = page.limit(PAGE).into_tuple().all(conn).await?;
            let to = page.last().copied().unwrap_or(Uuid::max());
            let owners = Statement::from_sql_and_values(self.kit.db.backend(), OWNERS, [behind.into(), to.into()]);
            for Owner { member, first, last } in Owner::find_by_statement(owners).all(conn).await? {
                let member = MemberId(member);
                let own = member.to_string();
                if let Some(other) = [first, last].into_iter().find(|owner| *owner != own) {
                    violations.push(Violation::new(INVARIANTS[2], member, format!("a transfer is of {other}")));
                }
            }
            if page.is_empty() {
                return Ok(violations);
            }
            behind = to;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sea_orm::ConnectionTrait;
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::backend::cache::MemoryCache;
    use crate::harness::Harness;
    use crate::kit::caller::Actor;
    use crate::kit::tx::Tx;
    use crate::point::model::{Cause, NewLot, Subject};

    /// Guard: whose the accounts of a transfer are, not only of which kind.
    #[tokio::test]
    async fn a_movement_that_is_a_transfer_of_another_member_is_told() {
        let yeyak = Harness::new().await;
        let cache = Arc::new(MemoryCache::new(yeyak.clock.clone()));
        let points = Points::new(yeyak.kit.clone(), cache, TaskTracker::new());
        let [member, other] = [1, 2].map(|id| MemberId(Uuid::from_u128(id)));
        let (now, actor) = (points.now(), Actor("a test".to_owned()));
        let expire_time = now + chrono::TimeDelta::days(1);
        let lot = NewLot { cause: Cause::Earn, points: 100, base: None, available_time: now, expire_time };
        let earn = async |tx: Tx| {
            let earned = points.change(&tx, member, None, &actor, |purse| {
                purse.add(&yeyak.kit.ids, &lot, &Subject::default());
                Ok(())
            });
            earned.await.map(drop)
        };
        yeyak.db.write(earn).await.expect("earns");
        assert_eq!(points.check().await.expect("checks"), []);
        let change = format!("UPDATE ledger_transfer SET credit_account = 'points:{other}'");
        let change = async |tx: Tx| Ok(tx.execute_unprepared(&change).await.map(drop)?);
        yeyak.db.write(change).await.expect("changes");

        let found = points.check().await.expect("checks");

        assert_eq!(found, [Violation::new(INVARIANTS[2], member, format!("a transfer is of {other}"))]);
    }
}
