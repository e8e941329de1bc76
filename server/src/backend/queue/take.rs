//! Messages given to a consumer, and what is to become of those that it failed on: the same for every queue.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use metrics::counter;

use super::{Consumer, Delays, Message, TRIES, Unreadable};
use crate::error::{Error, Unavailable};
use crate::kit::trace;

/// What becomes of a message that its consumer failed on.
#[derive(Debug)]
pub(super) enum Fate {
    /// It comes again.
    Again { failures: i64, delay: Duration },
    /// It is put aside.
    Aside { failures: i64 },
}

/// Gives messages to a consumer: together where it takes batches, and each alone when that fails, so that one that can't be
/// taken does not take the others with it. The outcome of each; copies of one event, which come when a publication that
/// failed is repeated, are given once and share their outcome.
pub(super) async fn give(consumer: &dyn Consumer, messages: &[Message]) -> Vec<Result<(), Error>> {
    let mut places = HashMap::with_capacity(messages.len());
    let mut different: Vec<Message> = Vec::with_capacity(messages.len());
    for message in messages {
        places.entry(message.id).or_insert_with(|| {
            different.push(message.clone());
            different.len() - 1
        });
    }
    let outcomes = give_different(consumer, &different).await;
    messages.iter().map(|message| outcomes[places[&message.id]].clone()).collect()
}

async fn give_different(consumer: &dyn Consumer, messages: &[Message]) -> Vec<Result<(), Error>> {
    let kinds = consumer.kinds();
    let name = consumer.name();
    if messages.len() > 1 && messages.iter().all(|message| kinds.contains(&message.kind)) {
        match caught(consumer.take_batch(messages)).await {
            Ok(()) => {
                counter!("yeyak_queue_taken_total", "consumer" => name).increment(messages.len() as u64);
                return vec![Ok(()); messages.len()];
            }
            Err(error) => {
                let count = messages.len();
                tracing::warn!(consumer = name, "{name} failed on {count} messages, each is tried alone: {error}");
            }
        }
    }
    let mut outcomes: Vec<Result<(), Error>> = Vec::with_capacity(messages.len());
    for message in messages {
        // Without the database nothing succeeds; trying the rest would only wait for it over and over.
        let outcome = match outcomes.last() {
            Some(Err(error)) if is_without_database(error) => Err(error.clone()),
            _ if kinds.contains(&message.kind) => {
                trace::scope(message.trace.clone(), caught(consumer.take(message))).await
            }
            _ => Err(Error::internal(format!("{name} of this release does not take {}", message.kind))),
        };
        if outcome.is_ok() {
            counter!("yeyak_queue_taken_total", "consumer" => name).increment(1);
        }
        outcomes.push(outcome);
    }
    outcomes
}

/// Decides about a message that a consumer failed on, which had failed so often before.
pub(super) fn fate(consumer: &dyn Consumer, delays: &Delays, message: &str, before: i64, error: &Error) -> Fate {
    let name = consumer.name();
    // The message is not to blame for an outage, however long.
    let failures = if is_outage(error) { before.max(0) } else { before.max(0) + 1 };
    let hopeless = error.fault::<Unreadable>().is_some();
    if hopeless || (failures >= TRIES && !consumer.never_gives_up()) {
        tracing::error!(consumer = name, event = message, failures, "{name} gave up on {message}: {error}");
        counter!("yeyak_queue_aside_total", "consumer" => name).increment(1);
        return Fate::Aside { failures };
    }
    let delay = delays.after(failures);
    tracing::warn!(
        consumer = name,
        event = message,
        failures,
        "{name} failed on {message}, again in {delay:?}: {error}"
    );
    counter!("yeyak_queue_retried_total", "consumer" => name).increment(1);
    Fate::Again { failures, delay }
}

/// Whether what failed was something that the consumer needs, or its turn at the database, whatever the message.
fn is_outage(error: &Error) -> bool {
    error.fault::<Unavailable>().is_some() || error.is_repeatable()
}

fn is_without_database(error: &Error) -> bool {
    error.is_unreached() || error.fault::<Unavailable>().is_some_and(|away| away.what == "the database")
}

/// A consumer that panics has failed on the message, and goes on with the next.
async fn caught(taking: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    match AssertUnwindSafe(taking).catch_unwind().await {
        Ok(outcome) => outcome,
        Err(_) => Err(Error::internal("the consumer panicked")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use uuid::Uuid;

    use super::super::suite::{message, messages};
    use super::*;

    /// Fails on everything with one error, or takes batches that hold no event twice.
    #[derive(Debug, Default)]
    struct Strict {
        error: Option<Error>,
        batches: Mutex<Vec<Vec<Uuid>>>,
        alone: Mutex<Vec<Uuid>>,
    }

    #[async_trait]
    impl Consumer for Strict {
        fn name(&self) -> &'static str {
            "strict"
        }

        fn kinds(&self) -> Vec<String> {
            vec![message(1, 1).kind]
        }

        async fn take(&self, message: &Message) -> Result<(), Error> {
            self.alone.lock().unwrap().push(message.id);
            self.error.clone().map_or(Ok(()), Err)
        }

        async fn take_batch(&self, messages: &[Message]) -> Result<(), Error> {
            self.batches.lock().unwrap().push(messages.iter().map(|message| message.id).collect());
            self.error.clone().map_or(Ok(()), Err)
        }
    }

    fn outages() -> [(Error, bool); 4] {
        [
            (Unavailable { what: "the database" }.into(), true),
            (Error::unreached("no connection"), true),
            (Unavailable { what: "the provider" }.into(), false),
            (Error::contention("deadlock detected"), false),
        ]
    }

    /// Guard: `is_outage`.
    #[test]
    fn no_outage_and_no_contention_is_counted_against_a_message() {
        let (consumer, delays) = (Strict::default(), Delays::default());
        let failures = |error: &Error| match fate(&consumer, &delays, "an event", TRIES - 1, error) {
            Fate::Again { failures, .. } => Some(failures),
            Fate::Aside { .. } => None,
        };
        for (outage, _) in outages() {
            assert_eq!(failures(&outage), Some(TRIES - 1), "{outage}");
        }
        assert_eq!(failures(&Error::internal("poison")), None);
    }

    /// Guard: `is_without_database`.
    #[tokio::test]
    async fn the_rest_of_a_batch_is_not_tried_without_the_database_alone() {
        for (outage, stops) in outages() {
            let consumer = Strict { error: Some(outage.clone()), ..Strict::default() };

            let outcomes = give(&consumer, &messages(3)).await;

            assert!(outcomes.iter().all(Result::is_err), "{outage}");
            assert_eq!(consumer.alone.lock().unwrap().len(), if stops { 1 } else { 3 }, "{outage}");
        }
    }

    /// Guard: `give` looks for copies.
    #[tokio::test]
    async fn copies_of_an_event_in_one_batch_are_given_once_and_share_their_outcome() {
        let (first, second) = (message(1, 1), message(2, 1));
        let copies = [first.clone(), second.clone(), first.clone()];
        let consumer = Strict::default();
        let failing = Strict { error: Some(Error::internal("poison")), ..Strict::default() };

        assert!(give(&consumer, &copies).await.iter().all(Result::is_ok));
        let failed = give(&failing, &copies).await;

        assert_eq!(*consumer.batches.lock().unwrap(), [[first.id, second.id]]);
        assert_eq!(*failing.alone.lock().unwrap(), [first.id, second.id]);
        assert_eq!((failed.len(), failed.iter().filter(|outcome| outcome.is_err()).count()), (3, 3));
    }
}
