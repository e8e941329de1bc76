//! Counts and times every call, by RPC and outcome. A path that is no RPC counts as `unknown`, so that labels stay few.
//!
//! - `yeyak_rpc_total{rpc, code, reason}`: calls that have ended; `reason` is empty where an answer gives none, and a
//!   call whose caller went away has the code `cancelled`;
//! - `yeyak_rpc_duration_seconds{rpc}`: from arrival to the end of the answer's body;
//! - `yeyak_rpc_in_flight`: calls that have not ended.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use ::metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use http::HeaderMap;
use http_body::Body as _;
use tokio::time::Instant;
use tonic::{Code, Status};

use super::body::{Watch, code_in, code_name, watched};
use super::call::{Around, Call};
use super::{Answer, Catalog, Request, RequestContext, Response};
use crate::error::reason_of;

const TOTAL: &str = "yeyak_rpc_total";
const DURATION: &str = "yeyak_rpc_duration_seconds";
const IN_FLIGHT: &str = "yeyak_rpc_in_flight";

/// Counts and times every call.
#[derive(Clone, Debug)]
pub struct Layer {
    meters: Arc<Meters>,
}

impl Layer {
    /// Registers a meter for each RPC with the recorder, which must be installed before.
    pub fn new(catalog: &Catalog) -> Self {
        describe_counter!(TOTAL, "Calls that have ended, by RPC, status code and reason.");
        describe_histogram!(DURATION, ::metrics::Unit::Seconds, "From the arrival of a call to the end of its answer.");
        describe_gauge!(IN_FLIGHT, "Calls that have not ended.");
        let labels = catalog.rpcs().into_iter().map(|rpc| rpc.label());
        let rpcs = labels.chain(["unknown"]).map(Meter::new).collect();
        Self { meters: Arc::new(Meters { in_flight: gauge!(IN_FLIGHT), rpcs }) }
    }
}

impl<S> tower::Layer<S> for Layer {
    type Service = Service<S>;

    fn layer(&self, inner: S) -> Service<S> {
        Service { inner, meters: self.meters.clone() }
    }
}

struct Meters {
    in_flight: Gauge,
    /// By the index of the RPC; the last one is for unknown paths.
    rpcs: Vec<Meter>,
}

impl fmt::Debug for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meters").finish_non_exhaustive()
    }
}

/// Handles are kept for what nearly every call needs; refusals look theirs up.
struct Meter {
    rpc: &'static str,
    duration: Histogram,
    ok: Counter,
}

impl Meter {
    fn new(rpc: &'static str) -> Self {
        Self { rpc, duration: histogram!(DURATION, "rpc" => rpc), ok: total(rpc, Code::Ok, "") }
    }
}

fn total(rpc: &'static str, code: Code, reason: &'static str) -> Counter {
    counter!(TOTAL, "rpc" => rpc, "code" => code_name(code), "reason" => reason)
}

/// See [`Layer`].
#[derive(Clone, Debug)]
pub struct Service<S> {
    inner: S,
    meters: Arc<Meters>,
}

impl<S: Answer> tower::Service<Request> for Service<S> {
    type Response = Response;
    type Error = Infallible;
    type Future = Call<S::Future, InFlight>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let context = request.extensions().get::<RequestContext>();
        let unknown = self.meters.rpcs.len() - 1;
        let index = context.and_then(|context| context.rpc).map_or(unknown, |rpc| rpc.index());
        let arrival = context.map_or_else(Instant::now, |context| context.arrival);
        self.meters.in_flight.increment(1.0);
        let in_flight = InFlight { meters: self.meters.clone(), index, arrival, ended: false };
        Call::running(self.inner.call(request), in_flight)
    }
}

/// A call that has not ended; dropped before its end, it was cancelled.
#[derive(Debug)]
pub struct InFlight {
    meters: Arc<Meters>,
    index: usize,
    arrival: Instant,
    ended: bool,
}

impl InFlight {
    fn ended(&mut self, code: Code, status: Option<&Status>) {
        if self.ended {
            return;
        }
        self.ended = true;
        let meter = &self.meters.rpcs[self.index];
        if code == Code::Ok {
            meter.ok.increment(1);
        } else {
            let reason = status.and_then(reason_of).map_or("", |reason| reason.as_str_name());
            total(meter.rpc, code, reason).increment(1);
        }
        meter.duration.record(self.arrival.elapsed().as_secs_f64());
        self.meters.in_flight.decrement(1.0);
    }
}

impl Around for InFlight {
    fn answer(mut self, response: Response) -> Response {
        if let Some(code) = code_in(response.headers()) {
            self.ended(code, response.extensions().get::<Status>());
            return response;
        }
        if response.body().is_end_stream() {
            // Not an answer of gRPC; to its clients this is UNKNOWN.
            self.ended(Code::Unknown, None);
            return response;
        }
        watched(response, self)
    }
}

impl Watch for InFlight {
    fn trailers(&mut self, trailers: &mut HeaderMap) {
        let code = code_in(trailers).unwrap_or(Code::Unknown);
        let status = if code == Code::Ok { None } else { Status::from_header_map(trailers) };
        self.ended(code, status.as_ref());
    }

    fn end(&mut self) {
        self.ended(Code::Unknown, None);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.ended(Code::Cancelled, None);
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;
    use tower::{Layer as _, ServiceExt};

    use super::*;
    use crate::error::{ErrorReason, refusal};
    use crate::layer::testing::{READ, WATCH, catalog, named, service, streamed, trailers_of};

    #[tokio::test]
    async fn each_call_is_counted_once_by_its_outcome() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let _installed = ::metrics::set_default_local_recorder(&recorder);
        let layer = Layer::new(&catalog());
        let fine = layer.layer(service(|_| streamed(1, Status::ok(""))));
        let refused = layer.layer(service(|_| refusal(ErrorReason::NotFound, "no room", None).into_http()));
        let broken = layer.layer(service(|_| streamed(1, refusal(ErrorReason::ShuttingDown, "bye", None))));

        trailers_of(fine.clone().oneshot(named(READ)).await.unwrap()).await;
        trailers_of(fine.clone().oneshot(named("/no/such")).await.unwrap()).await;
        drop(fine.oneshot(named(WATCH)).await.unwrap());
        refused.oneshot(named(READ)).await.unwrap();
        trailers_of(broken.oneshot(named(WATCH)).await.unwrap()).await;

        let text = recorder.handle().render();
        for line in [
            r#"yeyak_rpc_total{rpc="test.v1.TestService/Read",code="ok",reason=""} 1"#,
            r#"yeyak_rpc_total{rpc="unknown",code="ok",reason=""} 1"#,
            r#"yeyak_rpc_total{rpc="test.v1.TestService/Watch",code="cancelled",reason=""} 1"#,
            r#"yeyak_rpc_total{rpc="test.v1.TestService/Read",code="not_found",reason="NOT_FOUND"} 1"#,
            r#"yeyak_rpc_total{rpc="test.v1.TestService/Watch",code="unavailable",reason="SHUTTING_DOWN"} 1"#,
            r#"yeyak_rpc_duration_seconds_count{rpc="test.v1.TestService/Read"} 2"#,
            "yeyak_rpc_in_flight 0",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
