//! Runs that are killed between any two steps, and runs with several leaders.

use std::collections::HashSet;

use chrono::TimeDelta;
use futures::future::join_all;
use uuid::Uuid;

use super::job::RUNS;
use super::model::{Counts, RunState};
use super::start::StartRun;
use super::{Audience, GrantJob, GrantListsJob, GrantRun};
use crate::backend::gate::Sale;
use crate::coupon::model::{Issuing, Policy, PolicyId};
use crate::coupon::{Coupons, stage, store};
use crate::error::ErrorReason;
use crate::harness::Harness;
use crate::kit::clock::{Clock, Time};
use crate::kit::crash::How;
use crate::kit::id::MemberId;
use crate::kit::idempotency::RequestKey;
use crate::kit::job::Job;
use crate::member::directory::Joined;
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
    let policy = stage::policy(&scene.yeyak, Issuing::Grant, 100).await;
    // Who signs up at this moment may not be in the table yet.
    let audience = Audience::Segment(Joined { from: None, before: scene.yeyak.clock.now() });
    let command = StartRun { policy: policy.id, audience, members: Vec::new() };
    for _ in 0..RUNS {
        scene.coupons.start_run(&stage::admin(), &command, &RequestKey::default()).await.expect("starts");
    }
    scene.yeyak.clock.advance(TimeDelta::seconds(1));
    let policy = stage::policy(&scene.yeyak, Issuing::Grant, 100).await;
    let run = scene.start(&policy).await;

    GrantJob(scene.coupons.clone()).run().await.expect("runs");

    scene.check(&run, &policy).await;
}

/// Guard: the condition on the policy in `store::run::running`; those of one that has ended are come to, and stopped.
#[tokio::test]
async fn runs_are_taken_up_whose_policy_gives_now_or_has_ended() {
    let scene = Scene::new().await;
    let now = scene.yeyak.clock.now();
    let (mut started, hour) = (Vec::new(), TimeDelta::hours(1));
    let changes: [fn(&mut Policy, Time, TimeDelta); 5] = [
        |_, _, _| {},
        |policy, _, _| policy.sale = Sale::Paused,
        |policy, now, hour| policy.offer.start_time = Some(now + hour),
        |policy, _, _| policy.sale = Sale::Ended,
        |policy, now, _| (policy.sale, policy.offer.end_time) = (Sale::Paused, Some(now)),
    ];
    for change in changes {
        let policy = stage::policy(&scene.yeyak, Issuing::Grant, 100).await;
        started.push(scene.start(&policy).await.id);
        let mut changed = Policy { version: 2, ..policy };
        change(&mut changed, now, hour);
        scene.yeyak.db.write(async |tx| store::policy::update(&tx, 1, &changed).await).await.expect("is written");
    }

    let found = store::run::running(scene.yeyak.db.read(), None, now, RUNS).await.expect("reads");

    let found: HashSet<_> = found.into_iter().map(|(_, run)| run).collect();
    assert_eq!(found, HashSet::from([started[0], started[3], started[4]]));
    let later = store::run::running(scene.yeyak.db.read(), None, now + hour, RUNS).await.expect("reads");
    assert_eq!(later.len(), 4, "it has begun");
}

/// Guards: the turn of the policy, in which runs are counted; those that have ended make room.
#[tokio::test]
async fn a_policy_has_at_most_a_hundred_runs_that_have_not_ended() {
    let scene = Scene::new().await;
    let policy = stage::policy(&scene.yeyak, Issuing::Grant, 100).await;
    let (admin, key) = (stage::admin(), RequestKey::default());
    let start = async |policy: PolicyId| {
        let command = StartRun { policy, audience: Audience::List, members: scene.members.clone() };
        scene.coupons.start_run(&admin, &command, &key).await
    };

    let all = join_all((0..110).map(|_| start(policy.id))).await;

    let runs: Vec<_> = all.iter().flatten().map(|reply| reply.value.id).collect();
    assert_eq!(runs.len(), 100);
    let is_limit = |error: &crate::error::Error| error.reason() == ErrorReason::CouponPolicyLimitReached;
    assert!(all.iter().filter_map(|one| one.as_ref().err()).all(is_limit));
    scene.coupons.cancel_run(&admin, runs[0], &key).await.expect("cancels");
    start(policy.id).await.expect("there is room for another");
    start(stage::policy(&scene.yeyak, Issuing::Grant, 100).await.id).await.expect("each policy has its own");
}

/// Guard: the state of the run, before whose end nobody on its list is forgotten.
#[tokio::test]
async fn the_list_of_a_run_is_forgotten_once_it_has_ended() {
    let scene = Scene::new().await;
    let policy = stage::policy(&scene.yeyak, Issuing::Grant, 100).await;
    let other = stage::policy(&scene.yeyak, Issuing::Grant, 100).await;
    let [going, cancelled, done] = [scene.start(&policy).await, scene.start(&other).await, scene.start(&other).await];
    let listed = async |run: &GrantRun| {
        let listed = store::run::listed(scene.yeyak.db.read(), run.id, None, 1_000).await.expect("reads");
        listed.len() as u64
    };
    scene.coupons.go_on(going.id, CHUNK).await.expect("goes on");
    scene.coupons.cancel_run(&stage::admin(), cancelled.id, &RequestKey::default()).await.expect("cancels");
    while scene.coupons.go_on(done.id, CHUNK).await.expect("goes on").is_some() {}
    let job = GrantListsJob(scene.coupons.clone());

    assert_eq!(job.run().await.expect("runs"), 2 * MEMBERS);

    assert_eq!([listed(&going).await, listed(&cancelled).await, listed(&done).await], [MEMBERS, 0, 0]);
    assert_eq!(job.run().await.expect("runs"), 0);
    while scene.coupons.go_on(going.id, CHUNK).await.expect("goes on").is_some() {}
    scene.check(&going, &policy).await;
}
