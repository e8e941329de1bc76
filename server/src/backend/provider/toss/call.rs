//! One call, and its repetitions.

use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use serde::Serialize;
use tokio::time::Instant;

use super::super::Answer;
use super::verdict::{self, Verdict};
use super::{Toss, wire};
use crate::backend::breaker::Call;

/// How often a call is made, with one idempotency key, while it is answered "again".
const TRIES: u32 = 3;
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The largest body that is read. A payment takes some 2 KiB.
const BODY_LIMIT: usize = 256 * 1024;

impl Toss {
    /// Posts until there is an answer other than "again", three times at most and within the deadline.
    ///
    /// The pauses are exponential with full jitter, so that callers refused together do not come back together.
    pub(super) async fn repeat(&self, url: Url, idempotency_key: &str, body: &impl Serialize) -> Answer {
        let deadline = Instant::now() + self.settings.deadline;
        let mut ceiling = self.settings.first_pause;
        let mut tries = 1;
        loop {
            // Whatever was called before, nothing has happened by it.
            let Some(turn) = self.breaker.begin() else { return Answer::Again { after: self.settings.left_alone } };
            let request = self.client.post(url.clone()).header("Idempotency-Key", idempotency_key).json(body);
            let (after, why) = match self.call(turn, request, deadline).await {
                Verdict::Done(charge) => return Answer::Done(charge),
                Verdict::Refused { code, message } => return Answer::Refused { code, message },
                Verdict::Unknown { why } => return Answer::Unknown { why },
                Verdict::Again { after, why } => (after, why),
            };
            let pause = after.unwrap_or(Duration::ZERO).max(self.jitter(ceiling));
            if tries == TRIES || Instant::now() + pause >= deadline {
                tracing::warn!(
                    provider = self.settings.name,
                    tries,
                    "the payment provider keeps asking to try again: {why}"
                );
                return Answer::Again { after: after.unwrap_or(ceiling) };
            }
            tokio::time::sleep(pause).await;
            tries += 1;
            ceiling = (ceiling * 2).min(LONGEST_PAUSE);
        }
    }

    /// Anything from nothing to the ceiling.
    fn jitter(&self, ceiling: Duration) -> Duration {
        let mut chance = [0; 4];
        self.ids.fill(&mut chance);
        ceiling.mul_f64(f64::from(u32::from_le_bytes(chance)) / f64::from(u32::MAX))
    }

    /// One call and what its answer means. Silence and what the provider says of itself from 500 on count against it, and nothing
    /// that it says of the payment.
    pub(super) async fn call(&self, turn: Call<'_>, request: RequestBuilder, deadline: Instant) -> Verdict {
        let left = deadline.saturating_duration_since(Instant::now()).min(self.settings.call_timeout);
        let response = match request.timeout(left).send().await {
            Ok(response) => response,
            Err(error) => {
                turn.failed();
                return match error.is_connect() {
                    // Nothing was sent, so nothing can have happened.
                    true => Verdict::Again { after: None, why: format!("no connection: {}", told(error)) },
                    false => Verdict::Unknown { why: told(error) },
                };
            }
        };
        let status = response.status();
        let after = retry_after(&response);
        let trace =
            response.headers().get("x-tosspayments-trace-id").and_then(|id| id.to_str().ok()).unwrap_or("-").to_owned();
        let body = match bounded(response).await {
            Ok(body) => body,
            Err(why) => {
                turn.failed();
                return Verdict::Unknown { why };
            }
        };
        match status.is_server_error() {
            true => turn.failed(),
            false => turn.succeeded(),
        }
        let verdict = if status.is_success() { success(status, &body) } else { verdict::of(status, &body, after) };
        tracing::debug!(
            provider = self.settings.name,
            status = status.as_u16(),
            trace,
            "the payment provider answered {status}"
        );
        verdict
    }
}

fn success(status: StatusCode, body: &[u8]) -> Verdict {
    match wire::charge(body) {
        Ok(charge) => Verdict::Done(charge),
        Err(error) => Verdict::Unknown { why: format!("{status} with a body that is no payment: {error}") },
    }
}

/// Reads a body up to the limit.
async fn bounded(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    loop {
        let Some(chunk) = response.chunk().await.map_err(told)? else { return Ok(body) };
        if body.len() + chunk.len() > BODY_LIMIT {
            return Err(format!("the answer is longer than {BODY_LIMIT} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
}

/// `Retry-After` in seconds, at most an hour; its form as a date is not used by Toss Payments.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds: u64 = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(3600)))
}

/// The error with its causes, without the URL.
fn told(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = if error.is_timeout() { "timed out".to_owned() } else { error.to_string() };
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
