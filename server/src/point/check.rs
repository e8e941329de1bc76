//! The promises of points, against their tables.

use sea_orm::entity::prelude::*;
use sea_orm::{FromQueryResult, Statement};

use super::Points;
use crate::error::Error;
use crate::kit::check::Violation;
use crate::kit::id::MemberId;

/// What is checked, in words.
pub const INVARIANTS: &[&str] = &[
    "a wallet holds what is left of its lots, less what it owes",
    "a wallet's movements add up to what it holds, and to what is set aside",
    "each movement of points is a transfer of the ledger, from where it says and of as much",
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
        Ok(violations)
    }
}
