//! What the tests of first-come issuing stand on.

use std::sync::Arc;

use chrono::TimeDelta;
use futures::future::join_all;
use sea_orm::entity::prelude::*;
use sea_orm::{FromQueryResult, Statement};
use tokio_util::task::TaskTracker;
use yeyak_proto::yeyak::coupon::v1::CouponPolicyReport;

use super::super::{Answer, Issue};
use crate::backend::bus::MemoryBus;
use crate::backend::gate::{Gate, MemoryGate, RedisGate, Sale};
use crate::backend::queue::{Consumer, DatabaseQueue, Queue, Relay};
use crate::backend::redis::Redis;
use crate::coupon::best::Stacking;
use crate::coupon::kind::{Term, Value, Wording};
use crate::coupon::model::{Issuing, Offer, Policy, PolicyId, Receipt, ReceiptId, RefundPolicy, Validity};
use crate::coupon::{Coupons, store};
use crate::error::{Error, ErrorReason};
use crate::harness::Harness;
use crate::kit::caller::{Member, Roles};
use crate::kit::clock::Clock;
use crate::kit::id::MemberId;
use crate::kit::job::Job;
use crate::kit::lease::Leases;

/// A platform with coupons alone: on what needs nothing installed or, with `YEYAK_TEST_BACKENDS=production`, on PostgreSQL and
/// Redis.
pub(super) struct Stage {
    pub(super) yeyak: Harness,
    pub(super) coupons: Coupons,
    pub(super) consumer: Arc<dyn Consumer>,
    pub(super) queue: Arc<dyn Queue>,
    pub(super) relay: Relay,
    jobs: Vec<Arc<dyn Job>>,
}

impl Stage {
    pub(super) async fn new() -> Self {
        let gate: Arc<dyn Gate> = match yeyak_services::on_production() {
            true => Arc::new(RedisGate::new(Redis::for_test().await)),
            false => Arc::new(MemoryGate::default()),
        };
        let yeyak = Harness::new().await;
        let coupons = process(&yeyak, gate, 1);
        let consumer = coupons.consumer();
        let queue: Arc<dyn Queue> = Arc::new(DatabaseQueue::new(yeyak.kit.clone(), std::slice::from_ref(&consumer)));
        let relay = Relay::new(yeyak.kit.clone(), queue.clone());
        let jobs = coupons.jobs();
        Self { yeyak, coupons, consumer, queue, relay, jobs }
    }

    /// A process of its own over the same tables, with a gate of its own.
    pub(super) fn beside(&self, number: u128) -> Coupons {
        process(&self.yeyak, Arc::new(MemoryGate::default()), number)
    }

    /// A policy of so many coupons, one a member, which issues now.
    pub(super) async fn policy(&self, total: Option<u64>) -> Policy {
        self.policy_with(|offer| offer.total = total).await
    }

    pub(super) async fn policy_with(&self, terms: impl FnOnce(&mut Offer)) -> Policy {
        let now = self.yeyak.clock.now();
        let mut offer = Offer {
            name: "선착순".into(),
            description: String::new(),
            total: None,
            per_member: 1,
            per_member_daily: None,
            start_time: None,
            end_time: None,
            validity: Validity::Days(7),
            budget: None,
            giftable: false,
        };
        terms(&mut offer);
        let policy = Policy {
            id: PolicyId::new(&self.yeyak.kit.ids, now),
            seller: None,
            issuing: Issuing::FirstCome,
            wording: Wording {
                benefit: Term::of("FIXED_AMOUNT").with("amount", Value::won(1_000)),
                conditions: Vec::new(),
            },
            zone: chrono_tz::Asia::Seoul,
            stacking: Stacking { group: "default".into(), exclusive: false, priority: 100 },
            seller_share: 0,
            refund: RefundPolicy::Restore,
            offer,
            sale: Sale::Open,
            version: 1,
            gate_epoch: 0,
            end_told: None,
            created_by: "a test".into(),
            create_time: now,
            update_time: now,
        };
        self.yeyak.db.write(async |tx| store::policy::insert(&tx, &policy).await).await.expect("a policy");
        policy
    }

    /// As [`Self::policy_with`], with its gate open.
    pub(super) async fn open(&self, terms: impl FnOnce(&mut Offer)) -> Policy {
        let policy = self.policy_with(terms).await;
        assert!(self.coupons.open_gate(policy.id).await.expect("opens"));
        policy
    }

    /// Writes a change of a policy, as its owner's call does, and tells the gate.
    pub(super) async fn change(&self, policy: &Policy, change: impl FnOnce(&mut Policy)) -> Policy {
        let changed = self.change_row(policy, change).await;
        self.coupons.change_gate(&changed).await.expect("is in force");
        changed
    }

    /// Writes a change of a policy that its gate is not told of.
    pub(super) async fn change_row(&self, policy: &Policy, change: impl FnOnce(&mut Policy)) -> Policy {
        let mut changed = policy.clone();
        change(&mut changed);
        changed.version += 1;
        let before = policy.version;
        let written = self.yeyak.db.write(async |tx| store::policy::update(&tx, before, &changed).await).await;
        written.expect("is written");
        changed
    }

    pub(super) async fn ask(&self, number: u128, policy: &Policy, request: Option<u128>) -> Answer {
        ask(&self.coupons, number, policy, request).await
    }

    /// The members of these numbers ask at once, each for one.
    pub(super) async fn all(&self, numbers: std::ops::Range<u128>, policy: &Policy) -> Vec<Answer> {
        join_all(numbers.map(|number| self.ask(number, policy, None))).await
    }

    /// Everything that is due now, once.
    pub(super) async fn settle(&self) {
        self.calm().await;
        loop {
            let done = self.relay.publish_due().await.expect("publishes")
                + self.queue.consume_due(&*self.consumer).await.expect("takes");
            if done == 0 {
                return;
            }
        }
    }

    /// What goes on behind the answers has come to its end.
    pub(super) async fn calm(&self) {
        self.coupons.tasks.close();
        self.coupons.tasks.wait().await;
        self.coupons.tasks.reopen();
    }

    pub(super) async fn run(&self, job: &str) -> u64 {
        let job = self.jobs.iter().find(|known| known.name() == job).expect("a job");
        job.run().await.expect("runs")
    }

    pub(super) fn advance(&self, by: TimeDelta) {
        self.yeyak.clock.advance(by);
    }

    pub(super) async fn report(&self, policy: &Policy) -> CouponPolicyReport {
        self.coupons.report(policy).await.expect("a report")
    }

    pub(super) async fn receipt(&self, id: ReceiptId) -> Receipt {
        store::receipt::find(self.yeyak.db.read(), id).await.expect("reads").expect("it is there")
    }

    /// How many rows a query counts.
    pub(super) async fn count(&self, from: &str) -> i64 {
        #[derive(FromQueryResult)]
        struct Count {
            count: i64,
        }
        let db = &self.yeyak.db;
        let statement = Statement::from_string(db.backend(), format!("SELECT count(*) AS count FROM {from}"));
        Count::find_by_statement(statement).one(db.read()).await.expect("reads").expect("a row").count
    }

    pub(super) async fn execute(&self, statement: &str) {
        let statement = statement.to_owned();
        let run = async |tx: crate::kit::tx::Tx| {
            sea_orm::ConnectionTrait::execute_unprepared(&*tx, &statement).await?;
            Ok(())
        };
        self.yeyak.db.write(run).await.expect("runs");
    }

    /// So many coupons were issued, every receipt is one, and every promise is kept.
    pub(super) async fn ends_with(&self, policy: &Policy, count: i64) {
        self.settle().await;
        let report = self.report(policy).await;
        assert_eq!((report.receipt_count, report.coupon_count, report.pending_count), (count, count, 0));
        assert!(report.consistent, "{report:?}");
        assert_eq!(self.coupons.check().await.expect("checks"), []);
    }
}

pub(super) fn process(yeyak: &Harness, gate: Arc<dyn Gate>, number: u128) -> Coupons {
    let leases = Leases::new(yeyak.db.clone(), yeyak.clock.clone(), Uuid::from_u128(number));
    Coupons::new(yeyak.kit.clone(), gate, Arc::new(MemoryBus::default()), leases, TaskTracker::new())
}

pub(super) fn member(number: u128) -> Member {
    Member { id: MemberId(Uuid::from_u128(1000 + number)), roles: Roles::default(), session: None, by: None }
}

pub(super) async fn ask(coupons: &Coupons, number: u128, policy: &Policy, request: Option<u128>) -> Answer {
    coupons.issue(&member(number), Issue { policy: policy.id, request: request.map(Uuid::from_u128) }).await
}

/// The receipts that were answered.
pub(super) fn accepted(answers: &[Answer]) -> Vec<Receipt> {
    answers.iter().filter_map(|answer| answer.as_ref().ok()).map(|reply| reply.value.clone()).collect()
}

/// How many were refused for a reason.
pub(super) fn refused(answers: &[Answer], reason: ErrorReason) -> usize {
    let is = |error: &Error| error.reason() == reason;
    answers.iter().filter(|answer| answer.as_ref().err().is_some_and(is)).count()
}

pub(super) fn reason(answer: Answer) -> ErrorReason {
    answer.expect_err("is refused").reason()
}
