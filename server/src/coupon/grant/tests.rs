//! Runs that are killed between any two steps, and runs with several leaders.

use chrono::TimeDelta;
use futures::future::join_all;
use uuid::Uuid;

use super::job::RUNS;
use super::model::{Counts, RunState};
use super::start::StartRun;
use super::{Audience, GrantJob, GrantRun};
use crate::backend::gate::Sale;
use crate::coupon::model::{Issuing, Policy};
use crate::coupon::{Coupons, stage, store};
use crate::harness::Harness;
use crate::kit::crash::How;
use crate::kit::id::MemberId;
use crate::kit::idempotency::RequestKey;
use crate::kit::job::Job;
use crate::member::{MemberSettings, Members, TokenSettings};

const CHUNK: u64 = 3;
/// Four chunks, of which the last has one.
const MEMBERS: u64 = 10;

struct Scene {
    yeyak: Harness,
    coupons: Coupons,
    members: Vec<MemberId>,
}

impl Scene {
    async fn new() -> Self {
        let yeyak = Harness::new().await;
        let tokens = TokenSettings {
            issuer: "test".into(),
            access_life: TimeDelta::minutes(1),
            refresh_life: TimeDelta::days(1),
        };
        let settings = MemberSettings { tokens, failed_logins: 10, hash_memory_kib: 8 };
        let known = Members::new(yeyak.kit.clone(), &settings);
        let mut members = Vec::new();
        for number in 0..MEMBERS {
            let email = format!("member{number}@example.kr");
            let member = known.create_admin(&email, "correct horse battery", "민아").await.expect("creates");
            members.push(member.id);
        }
        members.sort_unstable();
        Self { coupons: stage::coupons(&yeyak), yeyak, members }
    }

    async fn start(&self, policy: &Policy) -> GrantRun {
        let command = StartRun { policy: policy.id, audience: Audience::List, members: self.members.clone() };
        let started = self.coupons.start_run(&stage::admin(), &command, &RequestKey::default()).await;
        started.expect("starts").value
    }

    async fn read(&self, run: &GrantRun) -> GrantRun {
        store::run::find(self.yeyak.db.read(), run.id).await.expect("reads").expect("is there")
    }

    /// A run that went through gave each member one coupon, and counted so.
    async fn check(&self, run: &GrantRun, policy: &Policy) {
        let ended = self.read(run).await;
        assert_eq!(ended.state, RunState::Completed);
        assert_eq!(ended.counts, Counts { done: MEMBERS, granted: MEMBERS, skipped: 0 });
        let taken = store::given::taken(self.yeyak.db.read(), policy.id, &self.members).await.expect("reads");
        let mut have: Vec<_> = taken.iter().map(|taken| taken.member).collect();
        have.sort_unstable();
        assert_eq!(have, self.members, "each has one");
        let tally = store::tally::of(self.yeyak.db.read(), &[policy.id]).await.expect("reads");
        assert_eq!(tally[&policy.id].granted, MEMBERS);
    }
}

/// Guard: what a chunk gives, and how far the run is, are written in one transaction.
#[tokio::test]
async fn a_run_that_is_killed_at_every_chunk_gives_what_an_undisturbed_one_gives() {
    let scene = Scene::new().await;
    for point in ["coupon-grant.given", "coupon-grant.committed"] {
        for killed in 0..4 {
            let policy = stage::policy(&scene.yeyak, Issuing::Grant, 100).await;
            let run = scene.start(&policy).await;
            let mut chunk = 0;
            loop {
                if chunk == killed {
                    scene.yeyak.kit.crash.arm(point, How::Error);
                }
                let went = scene.coupons.go_on(run.id, CHUNK).await;
                assert_eq!(went.is_err(), chunk == killed, "{point} at {chunk}");
                chunk += 1;
                if matches!(went, Ok(None)) {
                    break;
                }
            }
            scene.check(&run, &policy).await;
        }
    }
}

/// Guard: the version in the condition of `store::run::update`.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_with_several_leaders_gives_nothing_twice() {
    let scene = Scene::new().await;
    let policy = stage::policy(&scene.yeyak, Issuing::Grant, 100).await;
    let run = scene.start(&policy).await;

    while scene.read(&run).await.state == RunState::Running {
        let leaders = (0..5).map(|_| {
            let (coupons, id) = (scene.coupons.clone(), run.id);
            tokio::spawn(async move { coupons.go_on(id, CHUNK).await })
        });
        for went in join_all(leaders).await {
            let went = went.expect("no panic");
            assert!(went.as_ref().is_ok() || went.as_ref().is_err_and(|error| error.is_lost()), "{went:?}");
        }
    }

    scene.check(&run, &policy).await;
}

/// Guard: `once`, should a position ever be lost.
#[tokio::test]
async fn a_member_is_given_one_coupon_by_a_run_however_often_it_begins_again() {
    let scene = Scene::new().await;
    let policy = stage::policy(&scene.yeyak, Issuing::Grant, 100).await;
    let run = scene.start(&policy).await;
    scene.coupons.go_on(run.id, CHUNK).await.expect("goes on");
    let went = scene.read(&run).await;
    let rewound = GrantRun { position: None, version: went.version + 1, ..went.clone() };
    scene.yeyak.db.write(async |tx| store::run::update(&tx, went.version, &rewound).await).await.expect("rewinds");

    while scene.coupons.go_on(run.id, CHUNK).await.expect("goes on").is_some() {}

    let taken = store::given::taken(scene.yeyak.db.read(), policy.id, &scene.members).await.expect("reads");
    assert_eq!(taken.len(), scene.members.len());
    assert_eq!(scene.read(&run).await.counts.skipped, CHUNK);
    assert!(taken.iter().all(|taken| taken.once.is_some_and(|once| once != Uuid::nil())));
}

/// Guard: the key behind which `store::run::running` goes on, without which runs that rest would hide all others.
#[tokio::test]
async fn as_many_runs_as_are_read_at_once_may_rest_and_others_go_on() {
    let scene = Scene::new().await;
    let open = stage::policy(&scene.yeyak, Issuing::Grant, 100).await;
    let paused = Policy { sale: Sale::Paused, version: 2, ..open };
    scene.yeyak.db.write(async |tx| store::policy::update(&tx, 1, &paused).await).await.expect("is written");
    for _ in 0..RUNS {
        scene.start(&paused).await;
    }
    scene.yeyak.clock.advance(TimeDelta::seconds(1));
    let policy = stage::policy(&scene.yeyak, Issuing::Grant, 100).await;
    let run = scene.start(&policy).await;

    GrantJob(scene.coupons.clone()).run().await.expect("runs");

    scene.check(&run, &policy).await;
}
