//! What the platform owes in points.

use chrono::{Days, Months, NaiveTime, TimeDelta};
use sea_orm::{FromQueryResult, Statement, Value};

use super::Points;
use super::model::Piece;
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::date::Date;

/// How long back it is looked for what becomes of points.
const WINDOW: Months = Months::new(24);

/// What the platform owes at the end of a day.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Liability {
    pub(super) outstanding: i64,
    pub(super) reserved: i64,
    pub(super) expected_expiry: i64,
    /// In hundredths of a percent.
    pub(super) expiry_rate: i64,
}

/// What movements add up to, less what has expired though nobody has written it down; and what had been set aside until then,
/// though nobody has written down that it came back.
const OUTSTANDING: &str = "
SELECT CAST(m.amount - coalesce((SELECT sum(remaining) FROM point_lot WHERE remaining > 0 AND expire_time < $1), 0) AS BIGINT) AS one,
       CAST(m.held AS BIGINT) AS other,
       (SELECT string_agg(pieces, ',') FROM point_spending WHERE state = 'RESERVED' AND hold_expire_time < $1) AS let_go
FROM (SELECT coalesce(sum(amount), 0) AS amount, coalesce(sum(held), 0) AS held
      FROM point_movement WHERE effective_time < $1) AS m";
/// What has expired, and what was used.
const ENDED: &str = "
SELECT CAST(coalesce(sum(CASE WHEN cause = 'EXPIRE' THEN -amount ELSE 0 END), 0) AS BIGINT) AS one,
       CAST(coalesce(sum(CASE WHEN cause IN ('SPEND', 'CANCEL') THEN -amount
                              WHEN cause = 'COMMIT' THEN -held ELSE 0 END), 0) AS BIGINT) AS other,
       CAST(NULL AS TEXT) AS let_go
FROM point_movement WHERE effective_time >= $1 AND effective_time < $2";

#[derive(Default, FromQueryResult)]
struct Sums {
    one: i64,
    other: i64,
    /// The pieces of spendings, one list behind another.
    let_go: Option<String>,
}

impl Sums {
    fn let_go(&self) -> Result<Vec<Piece>, Error> {
        let lists = format!("[{}]", self.let_go.as_deref().unwrap_or_default());
        let lists: Vec<Vec<Piece>> = serde_json::from_str(&lists).map_err(Error::internal)?;
        Ok(lists.into_iter().flatten().collect())
    }
}

impl Points {
    /// What the platform owed at the end of a day, in UTC; of a day that is not over, what it owes by now.
    pub(super) async fn liability(&self, day: Date) -> Result<Liability, Error> {
        let end = day.checked_add_days(Days::new(1)).unwrap_or(day).and_time(NaiveTime::MIN).and_utc();
        // What is done at this very moment is done.
        let end = end.min(self.now() + TimeDelta::microseconds(1));
        let begin = end.checked_sub_months(WINDOW).unwrap_or(Time::UNIX_EPOCH);
        let standing = self.sums(OUTSTANDING, vec![end.into()]).await?;
        let Sums { one: expired, other: used, .. } = self.sums(ENDED, vec![begin.into(), end.into()]).await?;
        let (mut outstanding, mut reserved) = (standing.one, standing.other);
        for piece in standing.let_go()? {
            reserved -= piece.points;
            // What came back to a lot whose time was over expired with it.
            outstanding += if piece.expire_time < end { 0 } else { piece.points };
        }
        let ended = i128::from(expired.max(0)) + i128::from(used.max(0));
        let share = |of: i128| if ended == 0 { 0 } else { of * i128::from(expired.max(0)) / ended };
        let small = |number: i128| i64::try_from(number).unwrap_or(i64::MAX);
        Ok(Liability {
            outstanding,
            reserved,
            expected_expiry: small(share(i128::from(outstanding.max(0)))),
            expiry_rate: small(share(10_000)),
        })
    }

    async fn sums(&self, select: &str, values: Vec<Value>) -> Result<Sums, Error> {
        // Of millions of movements, all are looked at.
        let statement = Statement::from_sql_and_values(self.kit.db.backend(), select, values);
        match self.kit.db.read_slowly(statement).await? {
            Some(row) => Ok(Sums::from_query_result(&row, "")?),
            None => Ok(Sums::default()),
        }
    }
}
