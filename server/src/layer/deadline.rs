//! A call is answered by its deadline: DEADLINE_EXCEEDED, which tonic alone answers as CANCELLED.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::HeaderMap;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Status;

use super::body::{Watch, watched};
use super::{Answer, Request, RequestContext, Response};
use crate::error::{ErrorReason, refusal};

/// By how much a call ends before tonic's own timer, which nobody can switch off: a call of 1 ms is over on arrival.
const HEAD_START: Duration = Duration::from_millis(1);

/// How long calls may take. A stream lasts as long as its caller asks, for ever by default.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of a unary call that sends no `grpc-timeout`, or a malformed one.
    pub default: Duration,
    /// Of any unary call.
    pub max: Duration,
}

/// When a call must be answered: an extension of its request, absent for a stream without one.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(pub Instant);

/// Answers for calls that take too long.
#[derive(Clone, Copy, Debug)]
pub struct Layer {
    limits: Limits,
}

impl Layer {
    /// A layer with these limits.
    pub fn new(limits: Limits) -> Self {
        Self { limits }
    }
}

impl<S> tower::Layer<S> for Layer {
    type Service = Service<S>;

    fn layer(&self, inner: S) -> Service<S> {
        Service { inner, limits: self.limits }
    }
}

/// See [`Layer`].
#[derive(Clone, Debug)]
pub struct Service<S> {
    inner: S,
    limits: Limits,
}

impl<S> Service<S> {
    fn deadline(&self, request: &Request) -> (Option<Instant>, bool) {
        let context = request.extensions().get::<RequestContext>();
        let arrival = context.map_or_else(Instant::now, |context| context.arrival);
        let streaming = context.and_then(|context| context.rpc).is_some_and(|rpc| rpc.streaming);
        let asked = timeout(request.headers());
        let allowed = match streaming {
            true => asked,
            false => Some(asked.unwrap_or(self.limits.default).min(self.limits.max)),
        };
        // What is too far away to be told apart from never is never.
        (allowed.and_then(|allowed| arrival.checked_add(allowed.saturating_sub(HEAD_START))), streaming)
    }
}

impl<S: Answer> tower::Service<Request> for Service<S> {
    type Response = Response;
    type Error = Infallible;
    type Future = Timed<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let (deadline, streaming) = self.deadline(&request);
        let Some(deadline) = deadline else { return Timed::Endless { inner: self.inner.call(request) } };
        if deadline <= Instant::now() {
            return Timed::Late;
        }
        request.extensions_mut().insert(Deadline(deadline));
        Timed::Running { inner: self.inner.call(request), sleep: sleep_until(deadline), streaming }
    }
}

pin_project! {
    /// A call with a deadline.
    #[project = TimedState]
    #[derive(Debug)]
    pub enum Timed<F> {
        /// It has time left.
        Running { #[pin] inner: F, #[pin] sleep: Sleep, streaming: bool },
        /// It has no deadline.
        Endless { #[pin] inner: F },
        /// It has none left.
        Late,
    }
}

impl<F: Future<Output = Result<Response, Infallible>>> Future for Timed<F> {
    type Output = Result<Response, Infallible>;

    /// Before tonic's own timer, which answers CANCELLED. That one is started after our `call` has returned, so it ends no
    /// earlier than ours, and it is polled after us. Timers that are due at once may fire in any order; so when tonic's
    /// has woken us, the clock tells that our deadline has passed too.
    ///
    /// With several worker threads tonic would still win when this thread is suspended right between the two polls for all
    /// of the time that is left: hence `HEAD_START`.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.as_mut().project() {
            TimedState::Running { inner, mut sleep, streaming } => {
                if let Poll::Ready(Ok(response)) = inner.poll(cx) {
                    let deadline = sleep.deadline();
                    return Poll::Ready(Ok(match streaming {
                        true => watched(response, Until { sleep: Box::pin(sleep_until(deadline)) }),
                        false => response,
                    }));
                }
                let passed = sleep.as_mut().poll(cx).is_ready() || sleep.deadline() <= Instant::now();
                if !passed {
                    return Poll::Pending;
                }
            }
            TimedState::Endless { inner } => return inner.poll(cx),
            TimedState::Late => {}
        }
        // The inner call is dropped here and now, with the permits that it holds.
        self.set(Self::Late);
        Poll::Ready(Ok(passed().into_http()))
    }
}

struct Until {
    sleep: Pin<Box<Sleep>>,
}

impl Watch for Until {
    fn interrupt(&mut self, cx: &mut Context<'_>) -> Option<Status> {
        self.sleep.as_mut().poll(cx).is_ready().then(passed)
    }
}

fn passed() -> Status {
    let message = "the deadline of the call passed; a change may have happened, and its request_id tells";
    refusal(ErrorReason::DeadlinePassed, message, None)
}

/// Reads `grpc-timeout`: 1 to 8 digits and a unit. A malformed one is as good as none, as it is to tonic: the default
/// bounds the call.
fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let (unit, digits) = headers.get("grpc-timeout")?.as_bytes().split_last()?;
    if !(1..=8).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
    Some(match unit {
        b'H' => Duration::from_secs(value * 60 * 60),
        b'M' => Duration::from_secs(value * 60),
        b'S' => Duration::from_secs(value),
        b'm' => Duration::from_millis(value),
        b'u' => Duration::from_micros(value),
        b'n' => Duration::from_nanos(value),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use http_body_util::StreamBody;
    use tonic::Code;
    use tonic::body::Body;
    use tower::{Layer as _, ServiceExt};

    use super::*;
    use crate::error::reason_of;
    use crate::layer::testing::{READ, WATCH, endless, named, service, status_of, streamed};

    const LIMITS: Limits = Limits { default: Duration::from_secs(10), max: Duration::from_secs(60) };

    fn sent(path: &str, timeout: &str) -> Request {
        let mut request = named(path);
        request.headers_mut().insert("grpc-timeout", timeout.parse().unwrap());
        request
    }

    fn seconds_left(request: Request, limits: Limits) -> Option<u64> {
        let arrival = request.extensions().get::<RequestContext>().unwrap().arrival;
        let (deadline, _) = Layer::new(limits).layer(()).deadline(&request);
        deadline.map(|deadline| (deadline - arrival + HEAD_START).as_secs())
    }

    #[test]
    fn timeouts_are_read_as_the_protocol_writes_them() {
        let read = |text: &str| timeout(sent(READ, text).headers());

        assert_eq!(read("2H"), Some(Duration::from_secs(7200)));
        assert_eq!(read("3M"), Some(Duration::from_secs(180)));
        assert_eq!(read("4S"), Some(Duration::from_secs(4)));
        assert_eq!(read("5m"), Some(Duration::from_millis(5)));
        assert_eq!(read("6u"), Some(Duration::from_micros(6)));
        assert_eq!(read("00000007n"), Some(Duration::from_nanos(7)));
        for bad in ["", "S", "5", "5s", "-1S", "+1S", "1.5S", "123456789S", "1 S", "5SS"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_unary_call_is_bounded_and_a_stream_only_by_its_caller() {
        let short = Limits { default: Duration::from_secs(90), max: Duration::from_secs(60) };

        assert_eq!(seconds_left(named(READ), LIMITS), Some(10));
        assert_eq!(seconds_left(named(READ), short), Some(60));
        assert_eq!(seconds_left(sent(READ, "5S"), LIMITS), Some(5));
        assert_eq!(seconds_left(sent(READ, "99999999H"), LIMITS), Some(60));
        assert_eq!(seconds_left(sent(READ, "nonsense"), LIMITS), Some(10));
        assert_eq!(seconds_left(named(WATCH), LIMITS), None);
        assert_eq!(seconds_left(sent(WATCH, "1H"), LIMITS), Some(3600));
    }

    #[tokio::test]
    async fn a_call_that_hangs_is_answered_at_its_deadline() {
        let handler = Layer::new(LIMITS).layer(endless());

        let status = status_of(handler.oneshot(sent(READ, "2m")).await.unwrap()).await;

        assert_eq!((status.code(), reason_of(&status)), (Code::DeadlineExceeded, Some(ErrorReason::DeadlinePassed)));
    }

    #[tokio::test]
    async fn a_call_without_time_left_is_not_begun() {
        let handler = Layer::new(LIMITS).layer(service(|_| panic!("it was begun")));

        let status = status_of(handler.oneshot(sent(READ, "0S")).await.unwrap()).await;

        assert_eq!(status.code(), Code::DeadlineExceeded);
    }

    #[tokio::test]
    async fn a_stream_ends_at_its_deadline_and_a_unary_answer_arrives_whole() {
        let hanging = service(|_| Response::new(Body::new(StreamBody::new(stream::pending::<Result<_, Status>>()))));
        let quick = service(|request: Request| {
            assert!(request.extensions().get::<Deadline>().is_some());
            streamed(1, Status::ok(""))
        });

        let cut = status_of(Layer::new(LIMITS).layer(hanging).oneshot(sent(WATCH, "2m")).await.unwrap()).await;
        let whole = status_of(Layer::new(LIMITS).layer(quick).oneshot(named(READ)).await.unwrap()).await;

        assert_eq!(cut.code(), Code::DeadlineExceeded);
        assert_eq!(whole.code(), Code::Ok);
    }
}
