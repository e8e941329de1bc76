//! The promises of coupons, against their tables.

use chrono::TimeDelta;
use sea_orm::entity::prelude::*;
use sea_orm::{DbBackend, FromQueryResult, Statement};

use super::{Coupons, PolicyId, ReceiptId};
use crate::error::Error;
use crate::kit::check::Violation;

/// What is checked, in words.
pub const INVARIANTS: &[&str] = &[
    "a first-come policy has no more live receipts than its total, in places from 1 to the total",
    "a member has no more live receipts of a policy than it allows",
    "a coupon that is not revoked has a receipt that was not taken back",
    "a receipt becomes a coupon within ten minutes",
    "what is counted of the budget of a policy is what its coupons take off, and what is set aside for changes of bookings",
];
const LATE: TimeDelta = TimeDelta::minutes(10);

/// What breaks each promise. A limit that was lowered later is not broken by what was accepted before: the total can't be, and
/// ordinals tell of the limit that there was.
const TOTALS: &str = "
SELECT p.id AS subject, count(*) AS number, max(r.place) AS other
FROM coupon_policy AS p JOIN coupon_receipt AS r ON r.policy_id = p.id
WHERE p.issuing = 'FIRST_COME' AND p.total IS NOT NULL AND r.place IS NOT NULL
GROUP BY p.id, p.total HAVING count(*) > p.total OR max(r.place) > p.total OR min(r.place) < 1";
const MEMBERS: &str = "
SELECT r.policy_id AS subject, count(*) AS number, max(r.ordinal) AS other
FROM coupon_receipt AS r JOIN coupon_policy AS p ON p.id = r.policy_id
WHERE r.cancel_time IS NULL
GROUP BY r.policy_id, r.member_id, p.per_member
HAVING count(*) > p.per_member AND count(*) > max(coalesce(r.ordinal, 0))";
const COUPONS: &str = "
SELECT c.id AS subject, 0 AS number, 0 AS other
FROM coupon AS c LEFT JOIN coupon_receipt AS r ON r.id = c.id
WHERE c.state <> 'REVOKED' AND (r.id IS NULL OR r.cancel_time IS NOT NULL)";
const LATE_RECEIPTS: &str = "
SELECT r.id AS subject, 0 AS number, 0 AS other
FROM coupon_receipt AS r LEFT JOIN coupon AS c ON c.id = r.id
WHERE r.cancel_time IS NULL AND c.id IS NULL AND r.create_time < $1";

const BUDGETS: &str = "
SELECT t.policy_id AS subject, t.budget_used AS number, coalesce(u.minor, 0) + coalesce(s.minor, 0) AS other
FROM coupon_tally AS t
LEFT JOIN (SELECT policy_id, CAST(sum(discount) AS BIGINT) AS minor FROM coupon_use WHERE live GROUP BY policy_id) AS u
  ON u.policy_id = t.policy_id
LEFT JOIN (SELECT policy_id, CAST(sum(amount) AS BIGINT) AS minor FROM coupon_set_aside GROUP BY policy_id) AS s
  ON s.policy_id = t.policy_id
WHERE t.budget_used <> coalesce(u.minor, 0) + coalesce(s.minor, 0)";

#[derive(FromQueryResult)]
struct Found {
    subject: Uuid,
    number: i64,
    other: Option<i64>,
}

impl Coupons {
    /// Everything that is not as it must be.
    pub async fn check(&self) -> Result<Vec<Violation>, Error> {
        let mut violations = Vec::new();
        for found in self.found(TOTALS, []).await? {
            let says = format!("{} receipts, the highest place {}", found.number, found.other.unwrap_or_default());
            violations.push(Violation::new(INVARIANTS[0], PolicyId(found.subject), says));
        }
        for found in self.found(MEMBERS, []).await? {
            let says = format!("a member has {}", found.number);
            violations.push(Violation::new(INVARIANTS[1], PolicyId(found.subject), says));
        }
        for found in self.found(COUPONS, []).await? {
            let subject = super::CouponId(found.subject);
            violations.push(Violation::new(INVARIANTS[2], subject, "its receipt is missing or was taken back"));
        }
        let late = self.kit.clock.now() - LATE;
        for found in self.found(LATE_RECEIPTS, [late.into()]).await? {
            violations.push(Violation::new(INVARIANTS[3], ReceiptId(found.subject), "its coupon is not there"));
        }
        for found in self.found(BUDGETS, []).await? {
            let says = format!("{} are counted of {}", found.number, found.other.unwrap_or_default());
            violations.push(Violation::new(INVARIANTS[4], PolicyId(found.subject), says));
        }
        Ok(violations)
    }

    async fn found(&self, select: &str, values: impl IntoIterator<Item = sea_orm::Value>) -> Result<Vec<Found>, Error> {
        let db = self.kit.db.read();
        let backend: DbBackend = self.kit.db.backend();
        let statement = Statement::from_sql_and_values(backend, select, values);
        Ok(Found::find_by_statement(statement).all(db).await?)
    }
}
