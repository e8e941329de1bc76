//! Wallets against their lots, their movements, the last number of these and their reservations, in one statement.

use sea_orm::ConnectionTrait;
use uuid::Uuid;

use super::store::{members, statement};
use crate::error::Error;
use crate::kit::date::Date;
use crate::kit::id::MemberId;
use crate::kit::tx::Tx;

/// Each table is summed in the order of an index that has all of it. Joined in full: where only one of them knows a wallet, it
/// differs, and of sums whose number nobody can guess there is no worse plan than a good one.
const JOINED: &str = "
SELECT $3, member_id, held, pending, reserved, owed, lots_held, lots_pending, moved, moved_reserved, reservations, $4
FROM (
  SELECT member_id, coalesce(w.held, 0) AS held, coalesce(w.pending, 0) AS pending, coalesce(w.reserved, 0) AS reserved,
    coalesce(w.owed, 0) AS owed, coalesce(w.number, 0) AS number, coalesce(l.held, 0) AS lots_held,
    coalesce(l.pending, 0) AS lots_pending, coalesce(m.held, 0) AS moved, coalesce(m.reserved, 0) AS moved_reserved,
    coalesce(m.number, 0) AS last_number, coalesce(s.points, 0) AS reservations
  FROM (
    SELECT member_id, available + pending AS held, pending, reserved, owed, movement_count AS number
    FROM point_wallet WHERE member_id > $1 AND member_id <= $2
  ) AS w
  FULL JOIN (
    SELECT member_id, CAST(sum(remaining) AS BIGINT) AS held,
      CAST(sum(CASE WHEN pending THEN remaining ELSE 0 END) AS BIGINT) AS pending
    FROM point_lot WHERE remaining > 0 AND member_id > $1 AND member_id <= $2 GROUP BY member_id
  ) AS l USING (member_id)
  FULL JOIN (
    SELECT member_id, CAST(sum(amount) AS BIGINT) AS held, CAST(sum(held) AS BIGINT) AS reserved, max(number) AS number
    FROM point_movement WHERE member_id > $1 AND member_id <= $2 GROUP BY member_id
  ) AS m USING (member_id)
  FULL JOIN (
    SELECT member_id, CAST(sum(points) AS BIGINT) AS points
    FROM point_spending WHERE state = 'RESERVED' AND member_id > $1 AND member_id <= $2 GROUP BY member_id
  ) AS s USING (member_id)
) AS sums
WHERE held <> lots_held OR pending <> lots_pending OR held - owed <> moved OR reserved <> moved_reserved
  OR reserved <> reservations OR number <> last_number";

/// The same of SQLite, which joins in full by looking through all of one side for each row of the other: four scans of a range and
/// one sum over all.
const SUMMED: &str = "
SELECT $3, member_id, sum(held), sum(pending), sum(reserved), sum(owed), sum(lots_held), sum(lots_pending), sum(moved),
  sum(moved_reserved), sum(reservations), $4
FROM (
  SELECT member_id, available + pending AS held, pending, reserved, owed, 0 AS lots_held, 0 AS lots_pending, 0 AS moved,
    0 AS moved_reserved, 0 AS reservations, -movement_count AS number
  FROM point_wallet WHERE member_id > $1 AND member_id <= $2
  UNION ALL
  SELECT member_id, 0, 0, 0, 0, remaining, CASE WHEN pending THEN remaining ELSE 0 END, 0, 0, 0, 0
  FROM point_lot WHERE remaining > 0 AND member_id > $1 AND member_id <= $2
  UNION ALL
  SELECT member_id, 0, 0, 0, 0, 0, 0, amount, held, 0, number
  FROM point_movement WHERE member_id > $1 AND member_id <= $2
  UNION ALL
  SELECT member_id, 0, 0, 0, 0, 0, 0, 0, 0, points, 0
  FROM point_spending WHERE state = 'RESERVED' AND member_id > $1 AND member_id <= $2
) AS parts
GROUP BY member_id
HAVING sum(held) <> sum(lots_held) OR sum(pending) <> sum(lots_pending) OR sum(held) - sum(owed) <> sum(moved)
  OR sum(reserved) <> sum(moved_reserved) OR sum(reserved) <> sum(reservations) OR min(number) + max(number) <> 0";

/// Notes the wallets of a chunk that differ, in place of those that were noted for the day and are not put right; which they are, in
/// the order of their ids.
pub(super) async fn compare(tx: &Tx, (from, to): (Uuid, Uuid), date: Date) -> Result<Vec<MemberId>, Error> {
    let forget =
        "DELETE FROM point_difference WHERE member_id > $1 AND member_id <= $2 AND run_date = $3 AND NOT repaired";
    tx.execute_raw(statement(&**tx, forget, [from.into(), to.into(), date.into()])).await?;
    let differing = if tx.has_others() { JOINED } else { SUMMED };
    let insert = format!(
        "
INSERT INTO point_difference
  (run_date, member_id, held, pending, reserved, owed, lots_held, lots_pending, moved, moved_reserved, reservations, repaired)
{differing}
ON CONFLICT (run_date, member_id) DO UPDATE SET held = excluded.held, pending = excluded.pending, reserved = excluded.reserved,
  owed = excluded.owed, lots_held = excluded.lots_held, lots_pending = excluded.lots_pending, moved = excluded.moved,
  moved_reserved = excluded.moved_reserved, reservations = excluded.reservations, repaired = excluded.repaired
RETURNING member_id"
    );
    let values = [from.into(), to.into(), date.into(), false.into()];
    let mut differ = members(&**tx, statement(&**tx, &insert, values)).await?;
    differ.sort_unstable();
    Ok(differ)
}

#[cfg(test)]
mod tests {
    use sea_orm::Statement;

    use super::*;
    use crate::harness::Harness;

    /// Guard: the form that each database has a good plan for.
    #[tokio::test]
    async fn no_table_is_looked_through_for_each_wallet() {
        let yeyak = Harness::new().await;
        let explained = yeyak.db.write(async |tx| {
            let (explain, column, query) = match tx.has_others() {
                true => ("EXPLAIN", 0, JOINED),
                false => ("EXPLAIN QUERY PLAN", 3, SUMMED),
            };
            let id = if tx.has_others() { "'00000000-0000-0000-0000-000000000000'" } else { "X'00'" };
            let query = query.replace("$1", id).replace("$2", id).replace("$3", "0").replace("$4", "false");
            let statement = Statement::from_string(tx.get_database_backend(), format!("{explain} {query}"));
            let mut plan = String::new();
            for row in tx.query_all_raw(statement).await? {
                plan.push_str(&row.try_get_by_index::<String>(column)?);
            }
            Ok(plan)
        });

        let plan = explained.await.expect("explains");

        // A full join of PostgreSQL is never a nested loop; any other kind may be.
        assert!(!yeyak.db.is_shared() || plan.contains("Full Join"), "{plan}");
        assert!(!["Nested Loop", "RIGHT-JOIN", "LEFT-JOIN"].into_iter().any(|slow| plan.contains(slow)), "{plan}");
    }
}
