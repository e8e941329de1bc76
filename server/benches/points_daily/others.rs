//! How others have done it: wallet by wallet, on a sample, from which the whole is reckoned.

use std::time::Instant;

use sea_orm::sqlx::{self, Row};
use uuid::Uuid;

use crate::Failure;
use crate::stage::Stage;

/// Wallets of a page.
const PAGE: i64 = 1_000;

const SUM: &str = "SELECT coalesce(sum(amount), 0)::bigint FROM point_movement WHERE member_id = $1";
const KEEP: &str = "INSERT INTO point_snapshot (run_date, member_id, available, pending, reserved, owed, version) \
                    VALUES (DATE '1999-01-02', $1, $2, 0, 0, 0, 1) ON CONFLICT (run_date, member_id) DO UPDATE SET available = $2";

/// Pages by OFFSET: how deep a page is, is how long it takes; some at all depths stand for all.
pub(crate) async fn offset(stage: &Stage, pages: u64) -> Result<f64, Failure> {
    let wallets = i64::try_from(stage.loaded.wallets)?;
    let mut sum = 0.0;
    for page in 0..pages {
        let offset = wallets * i64::try_from(page)? / i64::try_from(pages)?;
        let began = Instant::now();
        let select = "SELECT member_id FROM point_wallet ORDER BY member_id OFFSET $1 LIMIT $2";
        let rows = sqlx::query(select).bind(offset).bind(PAGE).fetch_all(&stage.database).await?;
        let count = rows.len().max(1);
        one_by_one(stage, rows.into_iter().map(|row| row.get(0))).await?;
        sum += began.elapsed().as_secs_f64() * PAGE as f64 / count as f64;
    }
    Ok(sum / pages as f64 * (wallets as f64 / PAGE as f64))
}

/// A cursor over the wallets, each of which is summed and kept by itself.
pub(crate) async fn cursor(stage: &Stage, pages: u64) -> Result<f64, Failure> {
    by_key(stage, pages, async |ids: Vec<Uuid>| one_by_one(stage, ids.into_iter()).await).await
}

/// A cursor, with the wallets of a page summed and kept together.
pub(crate) async fn cursor_batch(stage: &Stage, pages: u64) -> Result<f64, Failure> {
    by_key(stage, pages, async |ids: Vec<Uuid>| {
        let sums = "SELECT member_id, sum(amount)::bigint FROM point_movement WHERE member_id = ANY($1) GROUP BY member_id";
        let rows = sqlx::query(sums).bind(&ids).fetch_all(&stage.database).await?;
        let members: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
        let amounts: Vec<i64> = rows.iter().map(|row| row.get(1)).collect();
        let keep = "INSERT INTO point_snapshot (run_date, member_id, available, pending, reserved, owed, version) \
                    SELECT DATE '1999-01-03', x.id, x.amount, 0, 0, 0, 1 FROM unnest($1::uuid[], $2::bigint[]) AS x (id, amount) \
                    ON CONFLICT (run_date, member_id) DO UPDATE SET available = EXCLUDED.available";
        sqlx::query(keep).bind(&members).bind(&amounts).execute(&stage.database).await?;
        Ok(())
    })
    .await
}

async fn by_key(
    stage: &Stage,
    pages: u64,
    work: impl AsyncFn(Vec<Uuid>) -> Result<(), Failure>,
) -> Result<f64, Failure> {
    let (mut behind, mut done) = (Uuid::nil(), 0);
    let began = Instant::now();
    for _ in 0..pages {
        let select = "SELECT member_id FROM point_wallet WHERE member_id > $1 ORDER BY member_id LIMIT $2";
        let rows = sqlx::query(select).bind(behind).bind(PAGE).fetch_all(&stage.database).await?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.get(0)).collect();
        let Some(last) = ids.last() else { break };
        behind = *last;
        done += ids.len();
        work(ids).await?;
    }
    Ok(began.elapsed().as_secs_f64() * stage.loaded.wallets as f64 / done.max(1) as f64)
}

async fn one_by_one(stage: &Stage, ids: impl Iterator<Item = Uuid>) -> Result<(), Failure> {
    for id in ids {
        let amount: i64 = sqlx::query(SUM).bind(id).fetch_one(&stage.database).await?.try_get(0)?;
        sqlx::query(KEEP).bind(id).bind(amount).execute(&stage.database).await?;
    }
    Ok(())
}
