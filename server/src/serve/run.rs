//! Serving: listen, work, and a stop that loses nothing.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};

use super::{Platform, ServeError, Stop, health, metrics, watch};
use crate::kit::tx::as_job;
use crate::layer;

/// Where a server listens.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// gRPC, gRPC-Web, reflection, health.
    pub grpc: SocketAddr,
    /// Pay pages, webhooks, `/healthz`, the JWKS.
    pub http: SocketAddr,
}

/// What workers have of the time to end.
const LAST: Duration = Duration::from_secs(5);
/// How often callers are forgotten who have been silent long enough for their full burst.
const FORGET_CALLERS: Duration = Duration::from_secs(60);

impl Platform {
    /// Listens, says so through `ready`, and serves until `stop` is done; then drains.
    pub async fn serve(
        self,
        ready: impl FnOnce(&Ports),
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ServeError> {
        metrics::start(&self.config, &self.stop).await?;
        let grpc = listen("listen", &self.config.listen.to_string()).await?;
        let ports = Ports { grpc: address(&grpc)?, http: self.http.address };
        self.start_http();
        self.start_work();

        let incoming = TcpIncoming::from(grpc).with_nodelay(Some(true));
        let mut server = Server::builder()
            .accept_http1(true)
            .http2_keepalive_interval(Some(Duration::from_secs(30)))
            .http2_keepalive_timeout(Some(Duration::from_secs(10)))
            // A client that resets streams as fast as it opens them is cut off.
            .http2_max_pending_accept_reset_streams(Some(64))
            .max_concurrent_streams(Some(1024));
        if let Some(tls) = self.tls()? {
            server = server.tls_config(tls).map_err(|error| ServeError::Other(error.to_string()))?;
        }
        let cors =
            layer::cors::layer(&self.config.cors_origins).map_err(|error| ServeError::Other(error.to_string()))?;
        let drained = CancellationToken::new();
        let serving = server
            .layer(cors)
            .layer(tonic_web::GrpcWebLayer::new())
            .layer(self.stack())
            .add_routes(self.routes()?)
            .serve_with_incoming_shutdown(incoming, drained.clone().cancelled_owned());
        let mut serving = tokio::spawn(serving);
        self.health.set_all(health::ServingStatus::Serving);
        let (kit, health, stopping) = (&self.kit, self.health.clone(), self.stop.streams.clone());
        self.stop.tasks.spawn(watch::clocks(kit.db.clone(), kit.clock.clone(), health, stopping));
        self.tell_health_of_the_queue();
        ready(&ports);
        tokio::select! {
            ended = &mut serving => return finished(ended),
            () = stop => {}
        }
        self.drain(drained, serving).await
    }

    /// Refuses new work by health first, then lets what is under way end: streams, calls, workers, in this order.
    async fn drain(
        self,
        drained: CancellationToken,
        mut serving: tokio::task::JoinHandle<Result<(), tonic::transport::Error>>,
    ) -> Result<(), ServeError> {
        let patience = self.config.drain();
        tracing::info!("stopping: calls in flight have {} seconds to end", patience.as_secs());
        let ending = async {
            self.health.set_all(health::ServingStatus::NotServing);
            self.stop.streams.cancel();
            drained.cancel();
            // One long call must not keep workers from being told.
            let served = tokio::time::timeout(patience.saturating_sub(LAST), &mut serving).await.ok();
            self.stop.workers.cancel();
            self.stop.tasks.close();
            self.stop.tasks.wait().await;
            // Another process need not wait for our leases to run out.
            if let Err(error) = self.jobs.release().await {
                tracing::warn!("leases could not be given up, and run out by themselves: {error}");
            }
            match served {
                Some(served) => finished(served),
                None => finished(serving.await),
            }
        };
        match tokio::time::timeout(patience, ending).await {
            Ok(outcome) => outcome,
            Err(_) => {
                tracing::warn!(
                    "calls were still under way after {patience:?}; what they changed is kept or undone whole"
                );
                Ok(())
            }
        }
    }

    fn start_work(&self) {
        let Stop { workers, tasks, .. } = &self.stop;
        let (stays, stop) = (self.stays.clone(), workers.clone());
        tasks.spawn(async move { stays.keep_index(stop).await });
        let (bookings, stop) = (self.bookings.clone(), workers.clone());
        tasks.spawn(async move { bookings.follow(stop).await });
        tasks.spawn(watch::pools(self.kit.db.clone(), workers.clone()));
        let wanted = |name: &str| self.config.workers.iter().any(|worker| worker == "all" || worker == name);
        if wanted("relay") {
            let (relay, stop) = (self.relay.clone(), workers.clone());
            tasks.spawn(as_job(async move { relay.run(stop).await }));
            let (measure, stop) = (self.measure.clone(), workers.clone());
            tasks.spawn(as_job(async move { measure.run(stop).await }));
        }
        for consumer in self.consumers.iter().filter(|consumer| wanted(consumer.name())) {
            let (queue, consumer, stop) = (self.queue.clone(), consumer.clone(), workers.clone());
            tasks.spawn(as_job(async move { queue.consume(consumer, stop).await }));
        }
        let (rates, bookings, stop) = (self.rates.clone(), self.bookings.clone(), workers.clone());
        tasks.spawn(async move {
            while !stop.is_cancelled() {
                tokio::select! { () = tokio::time::sleep(FORGET_CALLERS) => {} () = stop.cancelled() => {} }
                rates.tidy();
                bookings.tidy_look_ups();
            }
        });
        self.jobs.start(&wanted, workers, tasks);
    }

    /// Health has an entry for a queue that can be away. The services are as healthy without it: events wait in the outbox.
    fn tell_health_of_the_queue(&self) {
        let Some(mut reach) = self.queue.reach() else { return };
        let (health, stop) = (self.health.clone(), self.stop.workers.clone());
        let tell = move |reached| match reached {
            true => health.set(health::QUEUE, health::ServingStatus::Serving),
            false => health.set(health::QUEUE, health::ServingStatus::NotServing),
        };
        tell(*reach.borrow_and_update());
        self.stop.tasks.spawn(stop.run_until_cancelled_owned(async move {
            while reach.changed().await.is_ok() {
                tell(*reach.borrow_and_update());
            }
        }));
    }

    fn tls(&self) -> Result<Option<ServerTlsConfig>, ServeError> {
        let tls = &self.config.tls;
        if !self.config.has_tls() {
            return Ok(None);
        }
        let read = |option: &'static str, path: &str| {
            std::fs::read(path).map_err(|source| ServeError::Certificate { option, path: path.to_owned(), source })
        };
        let identity = Identity::from_pem(read("tls.certificate", &tls.certificate)?, read("tls.key", &tls.key)?);
        let mut config = ServerTlsConfig::new().identity(identity);
        if !tls.client_authority.is_empty() {
            let authority = read("tls.client_authority", &tls.client_authority)?;
            config = config.client_ca_root(Certificate::from_pem(authority));
        }
        Ok(Some(config))
    }
}

pub(super) async fn listen(option: &'static str, address: &str) -> Result<TcpListener, ServeError> {
    let refused = |source| ServeError::Listen { option, address: address.to_owned(), source };
    TcpListener::bind(address).await.map_err(refused)
}

pub(super) fn address(listener: &TcpListener) -> Result<SocketAddr, ServeError> {
    listener.local_addr().map_err(|error| ServeError::Other(error.to_string()))
}

fn finished(ended: Result<Result<(), tonic::transport::Error>, tokio::task::JoinError>) -> Result<(), ServeError> {
    match ended {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(ServeError::Other(error.to_string())),
        Err(error) => Err(ServeError::Other(error.to_string())),
    }
}
