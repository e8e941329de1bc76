//! Gates in Redis: one hash for each, so that it is remembered whole or not at all. Each call is one script.

use std::sync::LazyLock;

use async_trait::async_trait;
use fred::types::Value;
use fred::types::scripts::Script;
use uuid::Uuid;

use super::{
    Accepted, Answer, Answers, Changed, Gate, Outcome, Place, Progress, Refused, Remaining, Sale, Settlement, Step,
    Taker, Terms,
};
use crate::backend::redis::Redis;
use crate::error::Error;
use crate::kit::clock::Time;

/// How many members one script takes care of: more would hold up whoever else asks Redis for something.
const CHUNK: usize = 500;
/// What stands for an absent total or time.
const NONE: i64 = -1;

macro_rules! script {
    ($file:literal) => {
        LazyLock::new(|| Script::from_lua(concat!(include_str!("server.lua"), include_str!($file))))
    };
}
static TAKE: LazyLock<Script> = script!("take.lua");
static SETTLE: LazyLock<Script> = script!("settle.lua");
static CHANGE: LazyLock<Script> = script!("change.lua");
static REMAINING: LazyLock<Script> = script!("remaining.lua");
static REBUILD: LazyLock<Script> = script!("rebuild.lua");

/// Gates in Redis.
#[derive(Clone, Debug)]
pub struct RedisGate {
    redis: Redis,
}

impl RedisGate {
    /// Over a connection.
    pub fn new(redis: Redis) -> Self {
        Self { redis }
    }

    async fn run(&self, script: &Script, policy: Uuid, arguments: Vec<Value>) -> Result<Value, Error> {
        let key = self.redis.key("gate", policy.as_simple(), "");
        self.redis.run(script, vec![key], arguments).await
    }

    async fn number(&self, script: &Script, policy: Uuid, arguments: Vec<Value>) -> Result<i64, Error> {
        self.run(script, policy, arguments).await?.convert().map_err(Error::internal)
    }

    async fn numbers(&self, script: &Script, policy: Uuid, arguments: Vec<Value>) -> Result<Vec<i64>, Error> {
        self.run(script, policy, arguments).await?.convert().map_err(Error::internal)
    }

    async fn step(&self, policy: Uuid, arguments: Vec<Value>) -> Result<Progress, Error> {
        match self.number(&REBUILD, policy, arguments).await? {
            0 => Ok(Progress::Superseded),
            _ => Ok(Progress::Done),
        }
    }
}

#[async_trait]
impl Gate for RedisGate {
    async fn take(&self, policy: Uuid, takers: &[Taker], now: Time) -> Result<Answers, Error> {
        let mut answers = Answers { each: Vec::with_capacity(takers.len()), is_complete: true, is_settled: true };
        for chunk in takers.chunks(CHUNK) {
            let mut arguments = vec![now.timestamp_millis().into()];
            arguments.extend(chunk.iter().flat_map(|taker| [text(taker.member), text(taker.token)]));
            let told = self.numbers(&TAKE, policy, arguments).await?;
            let [complete, settled, ref told @ ..] = told[..] else {
                answers.each.extend(chunk.iter().map(|_| Err(Refused::Closed)));
                (answers.is_complete, answers.is_settled) = (false, false);
                continue;
            };
            answers.is_complete &= complete == 1;
            // What the last of them leave behind.
            answers.is_settled = settled == 1;
            for answer in told.chunks_exact(3) {
                answers.each.push(answer_of(answer)?);
            }
        }
        Ok(answers)
    }

    async fn settle(&self, policy: Uuid, settlements: &[Settlement]) -> Result<(), Error> {
        let known: Vec<_> = settlements.iter().filter_map(|it| Some((it, name(it.outcome)?))).collect();
        for chunk in known.chunks(CHUNK) {
            let arguments =
                chunk.iter().flat_map(|(it, outcome)| [text(it.member), text(it.token), outcome.clone()]).collect();
            self.number(&SETTLE, policy, arguments).await?;
        }
        Ok(())
    }

    async fn change(&self, policy: Uuid, terms: &Terms) -> Result<Changed, Error> {
        Ok(match self.number(&CHANGE, policy, arguments_of(terms)).await? {
            NONE => Changed::Closed,
            0 => Changed::InForce,
            highest => Changed::TotalTooSmall(count(highest)?),
        })
    }

    async fn remaining(&self, policy: Uuid) -> Result<Option<Remaining>, Error> {
        let told = self.numbers(&REMAINING, policy, Vec::new()).await?;
        let [epoch, version, total, highest, free, kept] = told[..] else { return Ok(None) };
        let left = (total != NONE).then(|| (total - highest).max(0) + free);
        Ok(Some(Remaining {
            epoch,
            version,
            left: left.map(count).transpose()?,
            taken: count(highest - free)?,
            kept: count(kept)?,
        }))
    }

    async fn tidy(&self, _: Time) -> Result<(), Error> {
        // Redis does it by itself.
        Ok(())
    }

    async fn rebuild(&self, policy: Uuid, epoch: i64, step: Step<'_>) -> Result<Progress, Error> {
        match step {
            Step::Begin => self.step(policy, vec!["begin".into(), epoch.into()]).await,
            Step::Accepted(accepted) => {
                // Without any, the step still tells whether the rebuild goes on.
                let none = accepted.is_empty().then_some(accepted);
                for chunk in accepted.chunks(CHUNK).chain(none) {
                    let mut arguments = vec!["accepted".into(), epoch.into()];
                    for accepted in chunk {
                        arguments.extend(row(accepted)?);
                    }
                    if self.step(policy, arguments).await? == Progress::Superseded {
                        return Ok(Progress::Superseded);
                    }
                }
                Ok(Progress::Done)
            }
            Step::TakenBack(members) => {
                let none = members.is_empty().then_some(members);
                for chunk in members.chunks(CHUNK).chain(none) {
                    let mut arguments = vec!["taken_back".into(), epoch.into()];
                    arguments.extend(chunk.iter().map(|member| text(*member)));
                    if self.step(policy, arguments).await? == Progress::Superseded {
                        return Ok(Progress::Superseded);
                    }
                }
                Ok(Progress::Done)
            }
            Step::Open { terms, count } => {
                let mut arguments = vec!["open".into(), epoch.into(), number(count)?];
                arguments.extend(arguments_of(terms));
                self.step(policy, arguments).await
            }
        }
    }
}

fn text(id: Uuid) -> Value {
    id.as_simple().to_string().into()
}

fn number(count: u64) -> Result<Value, Error> {
    Ok(i64::try_from(count).map_err(Error::internal)?.into())
}

fn count(number: i64) -> Result<u64, Error> {
    u64::try_from(number).map_err(Error::internal)
}

fn row(accepted: &Accepted) -> Result<[Value; 4], Error> {
    let Accepted { member, place, token } = accepted;
    Ok([text(*member), text(*token), number(place.place)?, i64::from(place.ordinal).into()])
}

fn arguments_of(terms: &Terms) -> Vec<Value> {
    let millis = |time: Option<Time>| time.map_or(NONE, |time| time.timestamp_millis());
    let total = terms.total.map_or(NONE, |total| i64::try_from(total).unwrap_or(i64::MAX));
    let sale = match terms.sale {
        Sale::Open => "open",
        Sale::Paused => "paused",
        Sale::Ended => "ended",
    };
    vec![
        terms.version.into(),
        total.into(),
        i64::from(terms.per_member).into(),
        millis(terms.start_time).into(),
        millis(terms.end_time).into(),
        sale.into(),
    ]
}

/// What the script calls an outcome, unless there is nothing to do for it.
fn name(outcome: Outcome) -> Option<Value> {
    match outcome {
        Outcome::Kept => Some(Value::from_static_str("kept")),
        Outcome::KeptAs(place) => Some(place.to_string().into()),
        Outcome::Released => Some(Value::from_static_str("released")),
        Outcome::TakenBack => Some(Value::from_static_str("taken_back")),
        Outcome::Occupied => Some(Value::from_static_str("occupied")),
        Outcome::Unknown => None,
    }
}

fn answer_of(told: &[i64]) -> Result<Answer, Error> {
    let [code, place, ordinal] = *told else { return Err(Error::internal("the gate answered in other words")) };
    let told_place =
        || Ok::<_, Error>(Place { place: count(place)?, ordinal: u32::try_from(ordinal).map_err(Error::internal)? });
    Ok(match code {
        1 => Ok(told_place()?),
        2 => Err(Refused::NotStarted),
        3 => Err(Refused::Ended),
        4 => Err(Refused::Paused),
        5 => Err(Refused::SoldOut),
        6 => Err(Refused::AlreadyYours(told_place()?)),
        7 if place == 0 => Err(Refused::OverLimit(None)),
        7 => Err(Refused::OverLimit(Some(told_place()?))),
        other => return Err(Error::internal(format!("the gate answered {other}"))),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::TimeDelta;
    use fred::interfaces::KeysInterface;

    use super::super::agree::they_agree;
    use super::super::suite::{self, gate_suite};
    use super::super::suite::{POLICY, terms};
    use super::super::{Gate, MemoryGate, Sale, Step, Terms};
    use super::RedisGate;
    use crate::backend::redis::Redis;
    use crate::kit::clock::{Clock, SystemClock};

    async fn gate() -> Arc<dyn Gate> {
        Arc::new(RedisGate::new(Redis::for_test().await))
    }

    gate_suite!(needs Redis: gate().await);

    /// Guard: the expiry of a gate.
    #[tokio::test]
    #[ignore = "needs Redis: .ci/run"]
    async fn a_gate_is_forgotten_a_week_after_its_sale_has_ended_and_never_before() {
        let gate = RedisGate::new(Redis::for_test().await);
        let key = gate.redis.key("gate", POLICY.as_simple(), "");
        let left = async || {
            let key = key.clone();
            let left: i64 = gate.redis.call(|client| async move { client.pttl(key).await }).await.expect("answers");
            (left != -1).then(|| (left + 1_800_000).div_euclid(3_600_000))
        };
        let change = async |terms| gate.change(POLICY, &terms).await.expect("answers");
        gate.rebuild(POLICY, 1, Step::Begin).await.expect("answers");
        gate.rebuild(POLICY, 1, Step::Open { terms: &terms(2), count: 0 }).await.expect("answers");
        assert_eq!(left().await, None, "the sale never ends");

        let in_an_hour = Some(SystemClock.now() + TimeDelta::hours(1));
        change(Terms { version: 2, end_time: in_an_hour, ..terms(2) }).await;
        assert_eq!(left().await, Some(169));
        change(Terms { version: 3, sale: Sale::Ended, ..terms(2) }).await;
        assert_eq!(left().await, Some(168));
        change(Terms { version: 4, ..terms(2) }).await;
        assert_eq!(left().await, None, "the sale goes on");
        let long_ago = Some(SystemClock.now() - TimeDelta::days(30));
        change(Terms { version: 5, end_time: long_ago, ..terms(2) }).await;
        assert_eq!(left().await, Some(168));
    }

    #[tokio::test]
    #[ignore = "needs Redis: .ci/run"]
    async fn it_answers_as_the_one_in_memory_does() {
        for seed in 0..5 {
            they_agree(gate().await, Arc::new(MemoryGate::default()), seed).await;
        }
    }
}
