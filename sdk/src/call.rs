//! One logical call: deadline, identity, trace, tries.

use std::time::Duration;

use http::uri::PathAndQuery;
use tokio::time::{Instant, sleep, timeout_at};
use tonic::codec::{CompressionEncoding, Streaming};
use tonic::metadata::{Ascii, MetadataMap, MetadataValue};
use tonic::{Code, Request, Response, Status};
use tonic_prost::ProstCodec;
use yeyak_proto::yeyak::common::v1::ErrorReason;
use yeyak_proto::{ACT_AS_HEADER, Call, Effect, Method};

use crate::client::Client;
use crate::error::Error;
use crate::proto::common::v1::Access;
use crate::retry;
use crate::session::Identity;
use crate::trace;
use crate::transport::Pick;

impl Call for Client {
    type Error = Error;

    fn request_id(&self) -> String {
        uuid::Builder::from_random_bytes(rand::random()).into_uuid().to_string()
    }

    async fn unary<Q, A>(&self, method: &'static Method, mut request: Q) -> Result<A, Error>
    where
        Q: prost::Message + Clone + 'static,
        A: prost::Message + Default + 'static,
    {
        let asked = self.seen().ask(&mut request);
        let answer = self.repeat(method, async |mut grpc, deadline, metadata| {
            let request = prepare(request.clone(), deadline, metadata);
            grpc.unary(request, path(method), ProstCodec::<Q, A>::default()).await
        });
        let answer = answer.await?.into_inner();
        self.seen().note(asked, &request, &answer);
        Ok(answer)
    }

    async fn server_streaming<Q, A>(&self, method: &'static Method, request: Q) -> Result<Streaming<A>, Error>
    where
        Q: prost::Message + Clone + 'static,
        A: prost::Message + Default + 'static,
    {
        let answer = self.repeat(method, async |mut grpc, _, metadata| {
            // A watch lasts as long as it is read: only its opening has a deadline.
            let mut request = Request::new(request.clone());
            *request.metadata_mut() = metadata;
            grpc.server_streaming(request, path(method), ProstCodec::<Q, A>::default()).await
        });
        Ok(answer.await?.into_inner())
    }
}

type Grpc = tonic::client::Grpc<Pick>;

impl Client {
    async fn repeat<A, F, Fut>(&self, method: &'static Method, call: F) -> Result<Response<A>, Error>
    where
        F: Fn(Grpc, Instant, MetadataMap) -> Fut,
        Fut: Future<Output = Result<Response<A>, Status>>,
    {
        let deadline = Instant::now() + self.options().deadline;
        let traceparent = self.traceparent();
        let (mut tries, mut tried) = (0, Vec::new());
        let mut renewed = false;
        let mut nameless = false;
        loop {
            let identity = match nameless {
                true => Identity::Nobody,
                false => timeout_at(deadline, self.identity(method)).await.map_err(|_| Error::deadline())?,
            };
            let pick = self.transport().pick(&tried);
            let mut sent = false;
            let attempt = async {
                let mut grpc = self.grpc(pick.clone());
                grpc.ready().await.map_err(|error| Status::unavailable(format!("the connection broke: {error}")))?;
                sent = true;
                call(grpc, deadline, metadata(&identity, &traceparent)).await
            };
            let error = match timeout_at(deadline, attempt).await {
                Ok(Ok(answer)) => {
                    self.budget().succeeded();
                    return Ok(answer);
                }
                Ok(Err(status)) => Error::from(status),
                Err(_) => return Err(Error::deadline()),
            };
            tries += 1;
            // A token can be refused before it expires: its session may live on under a newer one.
            if error.code == Code::Unauthenticated && !renewed {
                renewed = timeout_at(deadline, self.renew(&identity)).await.map_err(|_| Error::deadline())?;
                if renewed {
                    continue;
                }
            }
            // Anyone may ask this: a session that has ended is no reason to be refused.
            let session = matches!(identity, Identity::Member(_)) && method.access.contains(&Access::Public);
            if error.code == Code::Unauthenticated && session {
                tracing::debug!(rpc = %method, "{method} is called as nobody, since the session was refused: {error}");
                nameless = true;
                continue;
            }
            // Another server may answer what this one can't, at once: unless it is said when to come back, as by one that is as
            // badly off as all others.
            let is_gone = error.retry_after.is_none() || error.reason == ErrorReason::ShuttingDown;
            let elsewhere = error.code == Code::Unavailable && is_gone && self.transport().avoid(&pick, &mut tried);
            // A server that could not be reached is spared a call by another, and a refusal that would be the same again is an
            // answer: neither is counted.
            let within_budget = elsewhere || !error.is_retryable() || self.budget().failed();
            // It may have happened, and no `request_id` would tell the server so.
            let harmless = method.effect != Effect::Each || !sent;
            let again = error.is_retryable() && harmless && within_budget && tries < self.options().attempts;
            let wake = Instant::now() + if elsewhere { Duration::ZERO } else { retry::delay(&error, tries) };
            if !again || wake >= deadline {
                return Err(error);
            }
            tracing::debug!(rpc = %method, tries, "{method} is tried again: {error}");
            sleep(wake.duration_since(Instant::now())).await;
        }
    }

    fn grpc(&self, pick: Pick) -> Grpc {
        let grpc = Grpc::new(pick);
        match self.options().gzip {
            true => grpc.send_compressed(CompressionEncoding::Gzip).accept_compressed(CompressionEncoding::Gzip),
            false => grpc,
        }
    }
}

fn path(method: &'static Method) -> PathAndQuery {
    PathAndQuery::from_static(method.path)
}

fn prepare<Q>(message: Q, deadline: Instant, metadata: MetadataMap) -> Request<Q> {
    let mut request = Request::new(message);
    *request.metadata_mut() = metadata;
    request.set_timeout(deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1)));
    request
}

fn metadata(identity: &Identity, traceparent: &MetadataValue<Ascii>) -> MetadataMap {
    let mut metadata = MetadataMap::new();
    metadata.insert(trace::HEADER, traceparent.clone());
    let bearer = match identity {
        Identity::Nobody => None,
        Identity::Member(tokens) => Some(&tokens.access_token),
        Identity::Service { key, .. } => Some(key),
    };
    if let Some(mut value) = bearer.and_then(|token| MetadataValue::try_from(format!("Bearer {token}")).ok()) {
        value.set_sensitive(true);
        metadata.insert("authorization", value);
    }
    if let Identity::Service { act_as: Some(member), .. } = identity
        && let Ok(value) = MetadataValue::try_from(member)
    {
        metadata.insert(ACT_AS_HEADER, value);
    }
    metadata
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, VecDeque};
    use std::sync::{Arc, Mutex};

    use tonic_types::{ErrorDetails, StatusExt};
    use tower::util::BoxCloneSyncService;
    use yeyak_proto::ERROR_DOMAIN;
    use yeyak_proto::yeyak::member::v1::VerifyTokenRequest;

    use super::*;

    /// A client of a server that answers so, one call after the other, and what is left of it.
    fn client_of(answers: impl IntoIterator<Item = Status>) -> (Client, Arc<Mutex<VecDeque<Status>>>) {
        let left = Arc::new(Mutex::new(answers.into_iter().collect::<VecDeque<_>>()));
        let shared = left.clone();
        let answer = move |_: http::Request<tonic::body::Body>| {
            let next = shared.lock().unwrap().pop_front();
            async move { Ok(next.unwrap_or_else(|| Status::internal("nobody was to ask any more")).into_http()) }
        };
        (Client::embedded(BoxCloneSyncService::new(tower::service_fn(answer))), left)
    }

    async fn code(client: &Client) -> Code {
        let request = VerifyTokenRequest { access_token: "x.y.z".to_owned() };
        client.auth().verify_token(request).await.unwrap_err().code
    }

    /// Guard: only what may be repeated is counted; a rush is full of refusals.
    #[tokio::test]
    async fn refusals_cost_none_of_the_tries_that_an_outage_needs() {
        let refused = std::iter::repeat_n(Status::not_found("no"), 30);
        let outage = [Status::unavailable("gone"), Status::not_found("no")];
        let (client, left) = client_of(refused.chain(outage));
        for _ in 0..30 {
            assert_eq!(code(&client).await, Code::NotFound);
        }

        assert_eq!(code(&client).await, Code::NotFound, "behind another try");

        assert!(left.lock().unwrap().is_empty());
    }

    /// Guard: a limit that comes back by itself is waited for, as the server says.
    #[tokio::test]
    async fn who_calls_too_often_waits_and_calls_again() {
        let mut details = ErrorDetails::with_retry_info(Some(Duration::from_millis(1)));
        details.set_error_info("RATE_LIMITED", ERROR_DOMAIN, HashMap::new());
        let often = Status::with_error_details(Code::ResourceExhausted, "too often", details);
        let (client, left) = client_of([often, Status::not_found("no")]);

        assert_eq!(code(&client).await, Code::NotFound);

        assert!(left.lock().unwrap().is_empty());
    }
}
