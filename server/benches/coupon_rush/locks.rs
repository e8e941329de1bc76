//! What others do: a lock around a counter.

use std::time::Duration;

use fred::interfaces::{KeysInterface, LuaInterface};
use fred::prelude::{Builder, ClientLike, Config, Expiration, Pool, SetOptions};
use sea_orm::sqlx::postgres::PgPoolOptions;
use sea_orm::sqlx::{self, PgPool, Row};
use uuid::Uuid;

use crate::{Failure, Plan, Services};

/// As many connections as the platform uses for calls.
const CONNECTIONS: u32 = 16;
/// How long somebody who met a lock waits before the next try.
const SPIN: Duration = Duration::from_millis(1);
const LOCK_LIFE_MS: i64 = 5_000;
/// Deletes a lock that is still one's own.
const UNLOCK: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

/// Policies and coupons in tables and keys of their own.
pub(crate) struct Locks {
    database: PgPool,
    redis: Pool,
}

impl Locks {
    pub(crate) async fn new(plan: &Plan, services: &Services) -> Result<Self, Failure> {
        let url = services.postgres.create();
        let database = PgPoolOptions::new().max_connections(CONNECTIONS).connect(&url).await?;
        for statement in [
            "CREATE TABLE policy (id INT PRIMARY KEY, total BIGINT NOT NULL)",
            "CREATE TABLE coupon (id UUID PRIMARY KEY, policy_id INT NOT NULL, member_id BIGINT NOT NULL,
               state TEXT NOT NULL, create_time TIMESTAMPTZ NOT NULL, UNIQUE (policy_id, member_id))",
        ] {
            sqlx::query(statement).execute(&database).await?;
        }
        let redis = Builder::from_config(Config::from_url(&services.redis.url())?).build_pool(2)?;
        redis.init().await?;
        for policy in 0..plan.policies {
            let (id, total) = (i32::try_from(policy)?, i64::try_from(plan.coupons)?);
            sqlx::query("INSERT INTO policy VALUES ($1, $2)").bind(id).bind(total).execute(&database).await?;
            redis.set::<(), _, _>(format!("stock:{policy}"), total, None, None, false).await?;
        }
        Ok(Self { database, redis })
    }

    /// The row of the policy is locked, and the coupons are counted.
    pub(crate) async fn by_row(&self, policy: usize, member: usize) -> Result<(), Failure> {
        let id = i32::try_from(policy)?;
        let mut tx = self.database.begin().await?;
        let lock = sqlx::query("SELECT total FROM policy WHERE id = $1 FOR UPDATE").bind(id);
        let total: i64 = lock.fetch_one(&mut *tx).await?.try_get(0)?;
        let count = sqlx::query("SELECT count(*) FROM coupon WHERE policy_id = $1").bind(id);
        let issued: i64 = count.fetch_one(&mut *tx).await?.try_get(0)?;
        if issued >= total {
            return Err("all are gone".into());
        }
        insert(id, member)?.execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }

    /// A lock in Redis is taken, and the stock there is decremented.
    pub(crate) async fn by_redis(&self, policy: usize, member: usize) -> Result<(), Failure> {
        let (lock, token) = (format!("lock:{policy}"), rand::random::<u64>().to_string());
        loop {
            let life = Some(Expiration::PX(LOCK_LIFE_MS));
            let set: Option<String> =
                self.redis.set(lock.clone(), token.clone(), life, Some(SetOptions::NX), false).await?;
            if set.is_some() {
                break;
            }
            tokio::time::sleep(SPIN).await;
        }
        let left: i64 = self.redis.decr(format!("stock:{policy}")).await?;
        let issued = match left >= 0 {
            true => {
                insert(i32::try_from(policy)?, member)?.execute(&self.database).await.map(drop).map_err(Failure::from)
            }
            false => Err("all are gone".into()),
        };
        let _: i64 = self.redis.eval(UNLOCK, vec![lock], vec![token]).await?;
        issued
    }

    /// How many were issued, how many twice, and how many too many.
    pub(crate) async fn audit(&self, plan: &Plan) -> Result<(i64, i64, i64), Failure> {
        let audit = "
SELECT count(*), count(*) - count(DISTINCT (policy_id, member_id)),
  coalesce((SELECT sum(greatest(n - $1, 0)) FROM (SELECT count(*) AS n FROM coupon GROUP BY policy_id) AS c), 0)::BIGINT
FROM coupon";
        let row = sqlx::query(audit).bind(i64::try_from(plan.coupons)?).fetch_one(&self.database).await?;
        Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
    }
}

type Insert = sqlx::query::Query<'static, sqlx::Postgres, sqlx::postgres::PgArguments>;

fn insert(policy: i32, member: usize) -> Result<Insert, Failure> {
    Ok(sqlx::query("INSERT INTO coupon VALUES ($1, $2, $3, 'AVAILABLE', now())")
        .bind(Uuid::from_u128(rand::random()))
        .bind(policy)
        .bind(i64::try_from(member)?))
}
