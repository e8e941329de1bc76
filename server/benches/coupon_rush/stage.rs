//! A platform with members who ask, over real sockets.

use std::time::{Duration, Instant};

use futures::StreamExt;
use sea_orm::sqlx::postgres::PgPoolOptions;
use sea_orm::sqlx::types::chrono::{DateTime, Utc};
use sea_orm::sqlx::{self, PgPool, Row};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;
use yeyak::proto::common::v1::Money;
use yeyak::proto::coupon::v1::coupon_parameter::Value;
use yeyak::proto::coupon::v1::coupon_policy::{Issuing, Validity};
use yeyak::proto::coupon::v1::{
    CouponParameter, CouponPolicy, CouponTerm, CreateCouponPolicyRequest, IssueCouponRequest,
};
use yeyak::proto::member::v1::VerifyTokenRequest;
use yeyak::{Client, Options};
use yeyak_server::config::Sources;
use yeyak_server::coupon::PolicyId;
use yeyak_server::serve::{Platform, ServeError, World};

use crate::{Failure, Plan, Services};

const PASSWORD: &str = "correct horse battery";
/// One connection tops out near 83,000 calls a second.
const CHANNELS: usize = 4;
/// The last coupon is there well within this.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Stage {
    members: Vec<Client>,
    admin: Client,
    database: PgPool,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), ServeError>>,
    _folder: tempfile::TempDir,
}

impl Stage {
    pub(crate) async fn new(plan: &Plan, services: &Services) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let url = services.postgres.create();
        let mut sources = Sources::read(None)
            .with("data", folder.path())
            .with("listen", "127.0.0.1:0")
            .with("http", "127.0.0.1:0")
            .with("metrics", "")
            .with("database", &url)
            .with("redis", services.redis.url())
            .with("queue", services.rabbit.url())
            .with("payment.allow_simulator", true)
            .with("password.memory_kib", 8)
            .with("limit.calls", 100_000)
            .with("limit.calls_per_service", 100_000)
            // Longer than the bench takes.
            .with("token.access_minutes", 60);
        for limit in ["member_calls_per_second", "member_burst", "address_calls_per_second", "address_burst"] {
            sources = sources.with(&format!("limit.{limit}"), 1_000_000);
        }
        let platform = Platform::open(sources.config()?, World::default()).await?;
        let told = |error: yeyak_server::error::Error| Failure::from(error.to_string());
        platform.members.create_admin("admin@example.kr", PASSWORD, "관리자").await.map_err(told)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, listening) = oneshot::channel();
        let serving = tokio::spawn(platform.serve(move |ports| _ = ready.send(*ports), async { _ = stopped.await }));
        let server = format!("http://{}", listening.await?.grpc);
        let options = Options::default().channels(CHANNELS).attempts(1).deadline(Duration::from_secs(60));
        let client = Client::connect_with(&server, options).await?;
        let admin = client.anonymous();
        admin.log_in("admin@example.kr", PASSWORD).await?;
        let members = members(&client, plan.coupons).await?;
        let database = PgPoolOptions::new().max_connections(1).connect(&url).await?;
        sqlx::query("VACUUM ANALYZE").execute(&database).await?;
        Ok(Self { members, admin, database, stop, serving, _folder: folder })
    }

    pub(crate) async fn stop(self: std::sync::Arc<Self>) -> Result<(), Failure> {
        let Ok(stage) = std::sync::Arc::try_unwrap(self).map_err(|_| ()) else { return Ok(()) };
        let Self { members, admin, stop, serving, database, .. } = stage;
        drop((members, admin));
        database.close().await;
        _ = stop.send(());
        Ok(serving.await??)
    }

    /// New policies, as many coupons in each as there are members.
    pub(crate) async fn policies(&self, plan: &Plan) -> Result<Vec<String>, Failure> {
        let mut ids = Vec::new();
        for number in 0..plan.policies {
            let amount = Value::Amount(Money { currency_code: "KRW".into(), minor_units: 5_000 });
            let amount = CouponParameter { name: "amount".into(), value: Some(amount) };
            let policy = CouponPolicy {
                name: format!("선착순 {number}"),
                issuing: Issuing::FirstCome.into(),
                benefit: Some(CouponTerm { kind: "FIXED_AMOUNT".into(), parameters: vec![amount] }),
                validity: Some(Validity::ValidDays(30)),
                total_count: Some(i64::try_from(plan.coupons)?),
                ..Default::default()
            };
            let create = CreateCouponPolicyRequest { coupon_policy: Some(policy), ..Default::default() };
            ids.push(self.admin.coupon_policies().create_coupon_policy(create).await?.id);
        }
        Ok(ids)
    }

    pub(crate) async fn ask(&self, member: usize, policy: &str) -> Result<(), Failure> {
        let request = IssueCouponRequest { policy_id: policy.to_owned(), ..Default::default() };
        self.members[member].coupons().issue_coupon(request).await?;
        Ok(())
    }

    pub(crate) async fn empty(&self, member: usize) -> Result<(), Failure> {
        let request = VerifyTokenRequest { access_token: "x.y.z".into() };
        self.members[member].auth().verify_token(request).await?;
        Ok(())
    }

    pub(crate) async fn now(&self) -> Result<DateTime<Utc>, Failure> {
        Ok(sqlx::query("SELECT clock_timestamp()").fetch_one(&self.database).await?.try_get(0)?)
    }

    /// Waits until so many coupons of these policies are there.
    pub(crate) async fn all_issued(&self, policies: &[String], count: usize) -> Result<(), Failure> {
        let began = Instant::now();
        loop {
            let select = "SELECT count(*) FROM coupon WHERE policy_id = ANY($1)";
            let row = sqlx::query(select).bind(uuids(policies)?).fetch_one(&self.database).await?;
            let issued: i64 = row.try_get(0)?;
            if usize::try_from(issued)? >= count {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                return Err(format!("{issued} of {count} were issued").into());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Seconds from a moment to the last coupon.
    pub(crate) async fn last_coupon_since(&self, policies: &[String], start: DateTime<Utc>) -> Result<f64, Failure> {
        let select = "SELECT max(create_time) FROM coupon WHERE policy_id = ANY($1)";
        let row = sqlx::query(select).bind(uuids(policies)?).fetch_one(&self.database).await?;
        let last: DateTime<Utc> = row.try_get(0)?;
        Ok((last - start).as_seconds_f64())
    }

    /// How many were issued, how many twice, and how many too many.
    pub(crate) async fn audit(&self, plan: &Plan, policies: &[String]) -> Result<(i64, i64, i64), Failure> {
        let audit = "
SELECT count(*), count(*) - count(DISTINCT (policy_id, member_id)),
  coalesce((SELECT sum(greatest(n - $1, 0)) FROM (
    SELECT count(*) AS n FROM coupon WHERE policy_id = ANY($2) GROUP BY policy_id) AS c), 0)::BIGINT
FROM coupon WHERE policy_id = ANY($2)";
        let total = i64::try_from(plan.coupons)?;
        let row = sqlx::query(audit).bind(total).bind(uuids(policies)?).fetch_one(&self.database).await?;
        Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
    }
}

fn uuids(policies: &[String]) -> Result<Vec<Uuid>, Failure> {
    policies.iter().map(|id| Ok(id.parse::<PolicyId>()?.0)).collect()
}

async fn members(client: &Client, count: usize) -> Result<Vec<Client>, Failure> {
    let sign_up = |number| async move {
        let member = client.anonymous();
        member.sign_up(&format!("member{number}@example.kr"), PASSWORD, "민아").await?;
        Ok::<_, Failure>(member)
    };
    futures::stream::iter(0..count).map(sign_up).buffer_unordered(64).collect::<Vec<_>>().await.into_iter().collect()
}
