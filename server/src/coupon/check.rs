//! The promises of coupons, against their tables.

use chrono::TimeDelta;
use sea_orm::entity::prelude::*;
use sea_orm::{DbBackend, FromQueryResult, Statement};

use super::code::CodeBatchId;
use super::{CouponId, Coupons, PolicyId, ReceiptId};
use crate::error::Error;
use crate::kit::check::Violation;

/// What is checked, in words.
pub const INVARIANTS: &[&str] = &[
    "a first-come policy has no more live receipts than its total, in places from 1 to the total",
    "a member has no more live receipts of a policy than it allows",
    "a coupon that is not revoked has a receipt that was not taken back",
    "a receipt becomes a coupon within ten minutes",
    "what is counted of the budget of a policy is what its coupons take off, and what is set aside for changes of bookings",
    "what is counted of the coupons that a policy has given is its live receipts without a place",
    "a code is redeemed no more often than its batch allows",
    "a coupon that takes something off a booking is held or used by that booking",
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
SELECT c.id AS subject, CAST(0 AS BIGINT) AS number, CAST(0 AS BIGINT) AS other
FROM coupon AS c LEFT JOIN coupon_receipt AS r ON r.id = c.id
WHERE c.state <> 'REVOKED' AND (r.id IS NULL OR r.cancel_time IS NOT NULL)";
const LATE_RECEIPTS: &str = "
SELECT r.id AS subject, CAST(0 AS BIGINT) AS number, CAST(0 AS BIGINT) AS other
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

const GIVEN: &str = "
SELECT t.policy_id AS subject, t.granted AS number, coalesce(r.live, 0) AS other
FROM coupon_tally AS t
LEFT JOIN (SELECT policy_id, count(*) AS live FROM coupon_receipt WHERE place IS NULL AND cancel_time IS NULL
  GROUP BY policy_id) AS r ON r.policy_id = t.policy_id
WHERE t.granted <> coalesce(r.live, 0)";
const CODES: &str = "
SELECT c.batch_id AS subject, c.number AS number, c.redeemed AS other
FROM coupon_code AS c JOIN coupon_code_batch AS b ON b.id = c.batch_id WHERE c.redeemed > b.uses_per_code";
const USES: &str = "
SELECT u.coupon_id AS subject, CAST(0 AS BIGINT) AS number, CAST(0 AS BIGINT) AS other
FROM coupon_use AS u LEFT JOIN coupon AS c ON c.id = u.coupon_id
WHERE u.live AND (c.id IS NULL OR c.state NOT IN ('RESERVED', 'USED') OR c.booking_id IS NULL
  OR c.booking_id <> u.booking_id)";

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
            let subject = CouponId(found.subject);
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
        for found in self.found(GIVEN, []).await? {
            let says = format!("{} are counted of {}", found.number, found.other.unwrap_or_default());
            violations.push(Violation::new(INVARIANTS[5], PolicyId(found.subject), says));
        }
        for found in self.found(CODES, []).await? {
            let says = format!("code {} was redeemed {} times", found.number, found.other.unwrap_or_default());
            violations.push(Violation::new(INVARIANTS[6], CodeBatchId(found.subject), says));
        }
        for found in self.found(USES, []).await? {
            violations.push(Violation::new(INVARIANTS[7], CouponId(found.subject), "no booking has it, or another"));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::gate::Place;
    use crate::coupon::apply::Discount;
    use crate::coupon::code::{Batch, BatchState};
    use crate::coupon::discount::{self, LineDiscount};
    use crate::coupon::model::Issuing;
    use crate::coupon::store::receipt::New;
    use crate::coupon::{stage, store};
    use crate::harness::Harness;
    use crate::kit::clock::Clock;
    use crate::kit::id::{BookingId, MemberId};
    use crate::kit::money::Currency;

    /// Guards: what is looked for, and that it can be told where it is found.
    #[tokio::test]
    async fn what_breaks_a_promise_is_found() {
        let yeyak = Harness::new().await;
        let (coupons, now) = (stage::coupons(&yeyak), yeyak.clock.now());
        let policy = stage::policy(&yeyak, Issuing::Grant, 3).await.id;
        let (batch, coupon) = (CodeBatchId(Uuid::from_u128(2)), CouponId(Uuid::from_u128(3)));
        let codes = Batch {
            id: batch,
            number: 1,
            policy,
            state: BatchState::Active,
            code_count: 9,
            uses_per_code: 1,
            tag: String::new(),
            version: 1,
            created_by: "test".into(),
            create_time: now,
        };
        let late = [New {
            id: ReceiptId::new(&yeyak.kit.ids, now),
            policy,
            is_only: true,
            member: MemberId(Uuid::from_u128(1)),
            token: Uuid::from_u128(1),
            place: Place { place: 1, ordinal: 1 },
            day_slot: None,
            expire_time: now,
            created_by: "test".into(),
        }];
        let off = discount::Discount { lines: vec![LineDiscount { line: 0, amount: 500, seller_part: 0 }] };
        let taken_off = Discount { coupon, policy, name: String::new(), off };
        assert_eq!(coupons.check().await.expect("checks"), []);

        let written = yeyak.db.write(async |tx| {
            store::receipt::insert(&tx, &late, now).await?;
            store::tally::give(&tx, policy, 2, None).await?;
            store::code::insert(&tx, &codes).await?;
            for _ in 0..2 {
                store::code::redeem(&tx, &Batch { uses_per_code: 9, ..codes.clone() }, 7).await?;
            }
            store::held::count(&tx, policy, 499, Some(Currency::KRW)).await?;
            store::held::put(&tx, BookingId(Uuid::from_u128(4)), Currency::KRW, &taken_off).await
        });
        written.await.expect("writes");
        yeyak.clock.advance(LATE + TimeDelta::seconds(1));

        let found = coupons.check().await.expect("checks");
        let found: Vec<_> = found.into_iter().map(|one| (one.invariant, one.subject)).collect();
        let told = |at: usize, subject: &dyn ToString| (INVARIANTS[at], subject.to_string());
        let of_policy = [told(4, &policy), told(5, &policy)];
        let each = [told(6, &batch), told(7, &coupon)];
        assert_eq!(found, [&[told(3, &late[0].id)][..], &of_policy, &each].concat());
    }
}
