//! A rush through a gate whose Redis fails: what the rows prove is never lost, never more than the total, and nothing is left over.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::sync::{Mutex, watch};
use uuid::Uuid;
use yeyak_services::{Redis as Server, Sentinel};

use super::suite::{now, terms};
use super::{Accepted, Answer, Gate, Outcome, Place, Progress, RedisGate, Refused, Settlement, Step, Taker};
use crate::backend::redis::Redis;
use crate::error::ErrorReason;

const POLICY: Uuid = Uuid::from_u128(0x9011c7);
const TOTAL: u64 = 2_000;
const MEMBERS: u128 = 3_000;
/// After so many accepted places comes the fault; after so many more everybody waits until it has come.
const FAULT: usize = 500;
const HALT: usize = 1_000;
const WORKERS: u128 = 32;
/// A rush goes on well within this, whatever becomes of Redis.
const PATIENCE: Duration = Duration::from_secs(60);

/// The rows: unique on place and on member, as the table is.
#[derive(Debug, Default)]
struct Rows {
    of_place: HashMap<u64, Uuid>,
    of_member: HashMap<Uuid, Accepted>,
}

/// What came of writing a row.
#[derive(Debug, Eq, PartialEq)]
enum Written {
    Done,
    PlaceTaken,
    MemberHas,
}

impl Rows {
    fn write(&mut self, row: Accepted) -> Written {
        if self.of_member.contains_key(&row.member) {
            return Written::MemberHas;
        }
        if self.of_place.contains_key(&row.place.place) {
            return Written::PlaceTaken;
        }
        assert!(row.place.place <= TOTAL && row.place.place >= 1, "{row:?}");
        self.of_place.insert(row.place.place, row.member);
        self.of_member.insert(row.member, row);
        Written::Done
    }

    fn ascending(&self) -> Vec<Accepted> {
        let mut rows: Vec<Accepted> = self.of_member.values().copied().collect();
        rows.sort_by_key(|row| row.place.place);
        rows
    }
}

struct Rush {
    gate: RedisGate,
    rows: Mutex<Rows>,
    count: watch::Sender<usize>,
    fault_done: watch::Sender<bool>,
    /// The lease under which a gate is rebuilt: the last epoch, and how often it was.
    rebuilding: Mutex<(i64, u32)>,
}

impl Rush {
    async fn new(url: &str) -> Arc<Self> {
        let gate = RedisGate::new(Redis::for_test_at(url).await);
        let (rows, rebuilding) = (Mutex::default(), Mutex::default());
        let rush = Self { gate, rows, count: watch::channel(0).0, fault_done: watch::channel(false).0, rebuilding };
        Arc::new(rush)
    }

    /// As a process does that finds the gate closed.
    async fn rebuild(&self) {
        let mut rebuilding = self.rebuilding.lock().await;
        if matches!(self.gate.remaining(POLICY).await, Ok(Some(_))) {
            return;
        }
        rebuilding.0 += 1;
        rebuilding.1 += 1;
        // Any step may find that Redis is away or was lost again: the next who finds the gate closed begins anew.
        _ = self.rebuild_as(rebuilding.0).await;
    }

    async fn rebuild_as(&self, epoch: i64) -> Result<Progress, crate::error::Error> {
        if self.gate.rebuild(POLICY, epoch, Step::Begin).await? == Progress::Superseded {
            return Ok(Progress::Superseded);
        }
        let rows = self.rows.lock().await.ascending();
        if self.gate.rebuild(POLICY, epoch, Step::Accepted(&rows)).await? == Progress::Superseded {
            return Ok(Progress::Superseded);
        }
        let open = Step::Open { terms: &terms(TOTAL), count: rows.len() as u64 };
        self.gate.rebuild(POLICY, epoch, open).await
    }

    async fn ask(&self, taker: Taker) -> Answer {
        loop {
            match self.gate.take(POLICY, &[taker], now()).await {
                Ok(answers) if answers.each == [Err(Refused::Closed)] => self.rebuild().await,
                Ok(answers) => return answers.each[0],
                Err(error) => assert_eq!(error.reason(), ErrorReason::DependencyUnavailable),
            }
            // What a caller does that was told to come back.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// One member's call, until there is an answer that is final: the place, or none when all are gone.
    async fn issue(&self, taker: Taker) -> Option<Place> {
        loop {
            let place = match self.ask(taker).await {
                Ok(place) | Err(Refused::AlreadyYours(place)) => place,
                Err(Refused::SoldOut) => return None,
                Err(refused) => panic!("{refused:?}"),
            };
            let Taker { member, token } = taker;
            let written = self.rows.lock().await.write(Accepted { member, place, token });
            let outcome = match written {
                Written::Done => Outcome::Kept,
                Written::PlaceTaken => Outcome::Occupied,
                Written::MemberHas => Outcome::Unknown,
            };
            // A gate that does not hear of it is rebuilt from the rows.
            _ = self.gate.settle(POLICY, &[Settlement { member, token, outcome }]).await;
            if written != Written::PlaceTaken {
                self.count.send_modify(|count| *count += 1);
                return Some(self.rows.lock().await.of_member[&member].place);
            }
        }
    }

    async fn work(&self, worker: u128) -> Vec<(Uuid, Place)> {
        let mut answered = Vec::new();
        for number in (worker..MEMBERS).step_by(usize::try_from(WORKERS).expect("small")) {
            if *self.count.borrow() >= HALT {
                self.fault_done.subscribe().wait_for(|done| *done).await.expect("it lives");
            }
            let member = Uuid::from_u128(1 + number);
            if let Some(place) = self.issue(Taker { member, token: Uuid::from_u128(1_000_000 + number) }).await {
                answered.push((member, place));
            }
        }
        answered
    }

    /// Runs the rush through a fault and looks at what is left.
    async fn run(self: Arc<Self>, fault: impl Future<Output = ()>) {
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let rush = self.clone();
                tokio::spawn(async move { rush.work(worker).await })
            })
            .collect();
        self.count.subscribe().wait_for(|count| *count >= FAULT).await.expect("it lives");
        fault.await;
        self.fault_done.send_replace(true);
        let ended = tokio::time::timeout(PATIENCE, join_all(workers)).await.expect("somebody is never answered");
        let answered: Vec<_> = ended.into_iter().flat_map(|worker| worker.expect("ends")).collect();

        assert!(self.rebuilding.lock().await.1 > 1, "the loss was never noticed");
        self.check(&answered).await;
    }

    async fn check(&self, answered: &[(Uuid, Place)]) {
        let rows = self.rows.lock().await;
        assert_eq!(rows.of_place.len() as u64, TOTAL, "neither more nor less than there is");
        for (member, place) in answered {
            assert_eq!(rows.of_member[member].place, *place, "an answer was lost");
        }
        assert_eq!(answered.len() as u64, TOTAL);
        let proven = rows.ascending();
        drop(rows);
        // And every gate that is rebuilt gives each their own again, and nothing to others.
        let mut rebuilding = self.rebuilding.lock().await;
        rebuilding.0 += 1;
        assert_eq!(self.rebuild_as(rebuilding.0).await.expect("answers"), Progress::Done);
        drop(rebuilding);
        for row in proven {
            assert_eq!(self.ask(Taker { member: row.member, token: row.token }).await, Ok(row.place));
        }
        let late = Taker { member: Uuid::from_u128(u128::MAX), token: Uuid::from_u128(1) };
        assert_eq!(self.ask(late).await, Err(Refused::SoldOut));
    }
}

/// Guard: a gate that Redis forgot is closed, not new.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: .ci/run"]
async fn a_flush_in_the_middle_loses_nobody_and_sells_no_place_twice() {
    let server = Server::start();
    let rush = Rush::new(&server.url()).await;
    rush.run(async {
        server.ask(&["FLUSHALL"]);
    })
    .await;
}

/// Guard: a gate that another server has opened is closed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: .ci/run"]
async fn a_restart_in_the_middle_loses_nobody_and_sells_no_place_twice() {
    let mut server = Server::start();
    let rush = Rush::new(&server.url()).await;
    rush.run(async {
        server.kill();
        server.start_again();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: .ci/run"]
async fn a_master_that_is_killed_loses_nobody_and_sells_no_place_twice() {
    let mut sentinel = Sentinel::start();
    let rush = Rush::new(&sentinel.url()).await;
    rush.run(async {
        let port = sentinel.master_port();
        sentinel.master().kill();
        sentinel.wait_for_master_other_than(port);
    })
    .await;
}

/// Guards: the server's history in the gate, which a replica has copied; the word of the sentinels.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: .ci/run"]
async fn a_planned_failover_loses_nobody_and_sells_no_place_twice() {
    let sentinel = Sentinel::start();
    let rush = Rush::new(&sentinel.url()).await;
    rush.run(async {
        let port = sentinel.master_port();
        sentinel.fail_over();
        sentinel.wait_for_master_other_than(port);
    })
    .await;
}

/// Guard: the watchdog, without which nobody ever leaves a master that hangs.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Redis: .ci/run"]
async fn a_master_that_hangs_loses_nobody_and_sells_no_place_twice() {
    let mut sentinel = Sentinel::start();
    let rush = Rush::new(&sentinel.url()).await;
    rush.run(async {
        let port = sentinel.master_port();
        sentinel.master().hang();
        sentinel.wait_for_master_other_than(port);
    })
    .await;
    // The old master goes on, and learns that it is none.
    for node in sentinel.nodes() {
        node.go_on();
    }
}
