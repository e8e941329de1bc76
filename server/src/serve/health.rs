//! `grpc.health.v1.Health`: whether this server, or one service of it, takes calls.
//!
//! Promises:
//! - `Check` of an unknown service is NOT_FOUND; `Watch` of one is not an error, but SERVICE_UNKNOWN until it appears;
//! - a watcher is told the state at once and then its changes; a state that is replaced before it was sent is left out.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::sync::watch;
use tonic::{Request, Response, Status};
pub use yeyak_proto::grpc::health::v1::health_check_response::ServingStatus;
use yeyak_proto::grpc::health::v1::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse, health_server,
};

use crate::error::{Error, NotFound};

/// The name of the whole server.
pub const SERVER: &str = "";

/// The name of the queue, where it can be away while the server takes calls.
pub const QUEUE: &str = "queue";

/// The names of services are short; a watcher's is kept for as long as it watches.
const MAX_REQUEST: usize = 1024;

type Statuses = BTreeMap<String, ServingStatus>;

/// The state of each service, and the RPCs that tell it. Cheap to clone; clones share the state.
#[derive(Clone, Debug)]
pub struct Health {
    statuses: Arc<watch::Sender<Statuses>>,
}

impl Health {
    /// Knows the server and these services, NOT_SERVING until it is told otherwise.
    pub fn new<'a>(services: impl IntoIterator<Item = &'a str>) -> Self {
        let names = services.into_iter().chain([SERVER]);
        let statuses = names.map(|name| (name.to_owned(), ServingStatus::NotServing)).collect();
        Self { statuses: Arc::new(watch::Sender::new(statuses)) }
    }

    /// Sets the state of one service, known before or not.
    pub fn set(&self, service: &str, status: ServingStatus) {
        self.statuses.send_if_modified(|statuses| statuses.insert(service.to_owned(), status) != Some(status));
    }

    /// Sets the state of the server and of every known service: SERVING when it is ready, NOT_SERVING first of all on a
    /// shutdown.
    pub fn set_all(&self, status: ServingStatus) {
        self.statuses.send_if_modified(|statuses| {
            let mut changed = false;
            // The queue has a state of its own.
            for (_, old) in statuses.iter_mut().filter(|(service, _)| *service != QUEUE) {
                changed |= *old != status;
                *old = status;
            }
            changed
        });
    }

    /// The state of one service, when it is known.
    pub fn get(&self, service: &str) -> Option<ServingStatus> {
        self.statuses.borrow().get(service).copied()
    }

    /// The service to add to the routes.
    pub fn server(&self) -> health_server::HealthServer<Self> {
        health_server::HealthServer::new(self.clone()).max_decoding_message_size(MAX_REQUEST)
    }
}

#[tonic::async_trait]
impl health_server::Health for Health {
    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        let service = request.into_inner().service;
        let status = self.get(&service).ok_or_else(|| Error::from(NotFound::new("service", &service)))?;
        Ok(Response::new(answer(status)))
    }

    async fn list(&self, _: Request<HealthListRequest>) -> Result<Response<HealthListResponse>, Status> {
        let statuses = self.statuses.borrow().iter().map(|(name, &status)| (name.clone(), answer(status))).collect();
        Ok(Response::new(HealthListResponse { statuses }))
    }

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let watcher =
            Watcher { statuses: self.statuses.subscribe(), service: request.into_inner().service, told: None };
        let news = stream::unfold(watcher, |mut watcher| async {
            let status = watcher.news().await?;
            Some((Ok(answer(status)), watcher))
        });
        Ok(Response::new(news.boxed()))
    }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

/// One watch of one service.
struct Watcher {
    statuses: watch::Receiver<Statuses>,
    service: String,
    told: Option<ServingStatus>,
}

impl Watcher {
    /// The next state that differs from the one told last; none when the server is gone.
    async fn news(&mut self) -> Option<ServingStatus> {
        loop {
            let known = self.statuses.borrow_and_update().get(&self.service).copied();
            let status = known.unwrap_or(ServingStatus::ServiceUnknown);
            if self.told != Some(status) {
                self.told = Some(status);
                return Some(status);
            }
            self.statuses.changed().await.ok()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;
    use yeyak_proto::grpc::health::v1::health_server::Health as _;

    use super::*;

    fn asked(service: &str) -> Request<HealthCheckRequest> {
        Request::new(HealthCheckRequest { service: service.to_owned() })
    }

    async fn next(news: &mut Response<BoxStream<'static, Result<HealthCheckResponse, Status>>>) -> ServingStatus {
        news.get_mut().next().await.unwrap().unwrap().status()
    }

    #[tokio::test]
    async fn check_and_list_answer_for_known_services() {
        let health = Health::new(["a.v1.A"]);
        health.set_all(ServingStatus::Serving);
        health.set("a.v1.A", ServingStatus::NotServing);

        let of = async |service| health.check(asked(service)).await.map(|answer| answer.into_inner().status());
        let all = health.list(Request::new(HealthListRequest {})).await.unwrap().into_inner().statuses;

        assert_eq!(of(SERVER).await.unwrap(), ServingStatus::Serving);
        assert_eq!(of("a.v1.A").await.unwrap(), ServingStatus::NotServing);
        assert_eq!(of("b.v1.B").await.unwrap_err().code(), Code::NotFound);
        assert_eq!(all.len(), 2);
        assert_eq!(all["a.v1.A"].status(), ServingStatus::NotServing);
    }

    #[tokio::test]
    async fn a_watch_tells_the_state_at_once_and_then_its_changes() {
        let health = Health::new(["a.v1.A"]);
        let mut news = health.watch(asked("a.v1.A")).await.unwrap();

        assert_eq!(next(&mut news).await, ServingStatus::NotServing);
        health.set("b.v1.B", ServingStatus::Serving);
        health.set("a.v1.A", ServingStatus::Serving);
        assert_eq!(next(&mut news).await, ServingStatus::Serving);
        health.set_all(ServingStatus::NotServing);
        assert_eq!(next(&mut news).await, ServingStatus::NotServing);
    }

    #[tokio::test]
    async fn an_unknown_service_is_watched_until_it_appears() {
        let health = Health::new([]);
        let mut news = health.watch(asked("a.v1.A")).await.unwrap();

        assert_eq!(next(&mut news).await, ServingStatus::ServiceUnknown);
        health.set("a.v1.A", ServingStatus::Serving);
        assert_eq!(next(&mut news).await, ServingStatus::Serving);
    }
}
