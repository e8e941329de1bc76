//! A change that has begun runs to its end: in a task of its own, which outlives the caller's connection and deadline.
//!
//! It has begun when its request has arrived whole. Until then it ends with its caller, so that nobody can leave tasks
//! behind that wait for the rest of a request.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use tonic::Status;
use tracing::Instrument;
use yeyak_proto::Effect;

use super::body::arriving;
use super::catch::Caught;
use super::shed::Permits;
use super::{Answer, Request, RequestContext, Response, drain, trace};
use crate::error::{ErrorReason, refusal};
use crate::kit;

/// Runs every unary call that changes something in a task of the tracker.
#[derive(Clone, Debug)]
pub struct Layer {
    tasks: TaskTracker,
}

impl Layer {
    /// A layer that runs changes here; a shutdown waits for them.
    pub fn new(tasks: TaskTracker) -> Self {
        Self { tasks }
    }
}

impl<S> tower::Layer<S> for Layer {
    type Service = Service<S>;

    fn layer(&self, inner: S) -> Service<S> {
        Service { inner, tasks: self.tasks.clone() }
    }
}

/// See [`Layer`].
#[derive(Clone, Debug)]
pub struct Service<S> {
    inner: S,
    tasks: TaskTracker,
}

impl<S: Answer> tower::Service<Request> for Service<S> {
    type Response = Response;
    type Error = Infallible;
    type Future = Running<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let context = request.extensions().get::<RequestContext>();
        let rpc = context.and_then(|context| context.rpc);
        // Events that the change puts name the trace they belong to.
        let trace_id = context.map(|context| context.trace_id.to_string()).unwrap_or_default();
        let changes = rpc.is_some_and(|rpc| rpc.effect != Effect::None && !rpc.streaming);
        if !changes {
            return Running::Here { inner: self.inner.call(request) };
        }
        let (caller, mut gone) = oneshot::channel();
        // Work that nobody waits for any more takes room like any other.
        let permits = request.extensions().get::<Permits>().cloned();
        let broke_off = move |cx: &mut Context<'_>| match Pin::new(&mut gone).poll(cx) {
            Poll::Ready(Err(_)) => Some(Status::cancelled("the caller went away before the request was whole")),
            Poll::Ready(Ok(_)) | Poll::Pending => None,
        };
        let request = request.map(|inner| arriving(inner, broke_off));
        let call = Caught::new(self.inner.call(request));
        let call = async move {
            let answer = call.await;
            drop(permits);
            // Its caller may have gone, and the trace layer with it.
            answer.inspect(trace::log_fault)
        };
        Running::Detached {
            task: self.tasks.spawn(kit::trace::scope(trace_id, call).in_current_span()),
            _caller: caller,
        }
    }
}

pin_project! {
    /// A call that runs here, or whose task is awaited here.
    #[project = RunningState]
    #[derive(Debug)]
    pub enum Running<F> {
        /// It changes nothing, and ends with its caller.
        Here { #[pin] inner: F },
        /// It runs elsewhere.
        Detached { task: JoinHandle<Result<Response, Infallible>>, _caller: oneshot::Sender<Infallible> },
    }
}

impl<F: Future<Output = Result<Response, Infallible>>> Future for Running<F> {
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            RunningState::Here { inner } => inner.poll(cx),
            RunningState::Detached { task, .. } => match ready!(Pin::new(task).poll(cx)) {
                Ok(answer) => Poll::Ready(answer),
                // Panics are caught inside of the task: what ended it is the end of the runtime.
                Err(_) => {
                    let message = "the server is shutting down; the request_id tells whether the change happened";
                    Poll::Ready(Ok(refusal(ErrorReason::ShuttingDown, message, Some(drain::RETRY_AFTER)).into_http()))
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use futures::stream;
    use http_body_util::{BodyExt, StreamBody};
    use tokio::sync::Notify;
    use tonic::Code;
    use tonic::body::Body;
    use tower::{Layer as _, ServiceExt};

    use super::super::proxies::Proxies;
    use super::super::shed;
    use super::*;
    use crate::error::Error;
    use crate::kit::clock::SystemClock;
    use crate::kit::id::Ids;
    use crate::layer::testing::{READ, WRITE, catalog, named, recorded, request, service, status_of, streamed};

    /// Reads its request, waits to be let go, and then says that it is done.
    fn slow(go: Arc<Notify>, done: Arc<Notify>) -> impl Answer + Clone {
        tower::service_fn(move |request: Request| {
            let (go, done) = (go.clone(), done.clone());
            async move {
                if request.into_body().collect().await.is_ok() {
                    go.notified().await;
                    done.notify_one();
                }
                Ok(streamed(0, Status::ok("")))
            }
        })
    }

    #[tokio::test]
    async fn a_change_ends_though_its_caller_went_away() {
        let (go, done, tasks) = (Arc::new(Notify::new()), Arc::new(Notify::new()), TaskTracker::new());
        let server = Layer::new(tasks.clone()).layer(slow(go.clone(), done.clone()));

        let call = tokio::spawn(server.oneshot(named(WRITE)));
        tokio::task::yield_now().await;
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        go.notify_one();

        let done = tokio::time::timeout(Duration::from_secs(1), done.notified());
        done.await.expect("the change runs on");
        tasks.close();
        tasks.wait().await;
    }

    #[tokio::test]
    async fn a_read_ends_with_its_caller() {
        let (done, tasks) = (Arc::new(Notify::new()), TaskTracker::new());
        let server = Layer::new(tasks.clone()).layer(slow(Arc::default(), done));

        let call = tokio::spawn(server.oneshot(named(READ)));
        tokio::task::yield_now().await;

        assert!(tasks.is_empty());
        call.abort();
    }

    #[tokio::test]
    async fn a_request_that_never_arrives_whole_leaves_no_task_behind() {
        let tasks = TaskTracker::new();
        let server = Layer::new(tasks.clone()).layer(slow(Arc::default(), Arc::default()));
        let half = named(WRITE).map(|_| Body::new(StreamBody::new(stream::pending::<Result<_, Status>>())));

        let call = tokio::spawn(server.oneshot(half));
        tokio::task::yield_now().await;
        assert_eq!(tasks.len(), 1);
        call.abort();

        tasks.close();
        tasks.wait().await;
    }

    #[tokio::test]
    async fn an_error_that_nobody_waits_for_is_logged_under_its_call() {
        let (lines, _guard) = recorded();
        let (go, tasks) = (Arc::new(Notify::new()), TaskTracker::new());
        let waiting = go.clone();
        let handler = tower::service_fn(move |_: Request| {
            let waiting = waiting.clone();
            async move {
                waiting.notified().await;
                Ok(Status::from(Error::internal("the disk is on fire")).into_http())
            }
        });
        let named_calls =
            trace::Layer::new(catalog(), Proxies::default(), Arc::new(Ids::seeded(1)), Arc::new(SystemClock));
        let server = named_calls.layer(Layer::new(tasks.clone()).layer(handler));

        let call = tokio::spawn(server.oneshot(request(WRITE)));
        tokio::task::yield_now().await;
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        go.notify_one();
        tasks.close();
        tasks.wait().await;

        let log = lines.text();
        assert_eq!(log.matches("the disk is on fire").count(), 1, "{log}");
        assert!(log.contains("test.v1.TestService/Write"), "{log}");
    }

    /// Guard: the room that the task keeps, by which changes that nobody waits for are bounded.
    #[tokio::test]
    async fn a_change_has_its_room_until_it_ends_though_its_caller_went_away() {
        let (go, done, tasks) = (Arc::new(Notify::new()), Arc::new(Notify::new()), TaskTracker::new());
        let room = shed::Layer::new(&catalog(), shed::Limits { calls: 1, calls_per_service: 1, streams: 1 });
        let server = room.layer(Layer::new(tasks.clone()).layer(slow(go.clone(), done.clone())));

        let call = tokio::spawn(server.clone().oneshot(named(WRITE)));
        tokio::task::yield_now().await;
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        let meanwhile = tokio::time::timeout(Duration::from_secs(1), server.clone().oneshot(named(READ))).await;
        go.notify_one();
        tasks.close();
        tasks.wait().await;

        let meanwhile = meanwhile.expect("it is refused at once").unwrap();
        assert_eq!(status_of(meanwhile).await.code(), Code::Unavailable);
        go.notify_one();
        assert_eq!(status_of(server.oneshot(named(READ)).await.unwrap()).await.code(), Code::Ok);
    }

    #[tokio::test]
    async fn a_panic_in_a_change_is_answered() {
        let tasks = TaskTracker::new();
        let handler = tower::service_fn(|_: Request| async { panic!("no") });
        let server = Layer::new(tasks).layer(handler);
        let fine = Layer::new(TaskTracker::new()).layer(service(|_| streamed(1, Status::ok(""))));

        assert_eq!(status_of(server.oneshot(named(WRITE)).await.unwrap()).await.code(), Code::Internal);
        assert_eq!(status_of(fine.oneshot(named(WRITE)).await.unwrap()).await.code(), Code::Ok);
    }
}
