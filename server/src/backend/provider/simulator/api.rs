//! The routes of the core API ("Toss Payments core API": confirm, look-up, cancel, idempotency, authentication).

use std::io;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use ring::digest::{Context, SHA256};
use sea_orm::DbErr;
use serde_json::Value;

use super::code::Code;
use super::entity::replay;
use super::fault::{Fault, Plan, When};
use super::{Secret, Simulator, store, webhook, wire};

pub(super) fn routes() -> Router<Simulator> {
    Router::new()
        .route("/v1/payments/confirm", post(confirm))
        .route("/v1/payments/orders/{order}", get(by_order))
        .route("/v1/payments/{key}", get(by_key))
        .route("/v1/payments/{key}/cancel", post(cancel))
}

/// What goes back to the caller.
pub(super) enum Reply {
    Answer { status: u16, body: String },
    Lost,
}

impl Reply {
    pub(super) fn error(name: &'static str) -> Self {
        Self::coded(Code::of(name))
    }

    pub(super) fn coded(code: Code) -> Self {
        Self::Answer { status: code.status, body: wire::error(code).to_string() }
    }

    pub(super) fn ok(body: &Value) -> Self {
        Self::Answer { status: 200, body: body.to_string() }
    }

    /// The answer when the simulator's own file fails.
    pub(super) fn broken(error: &DbErr) -> Self {
        tracing::error!(error = %error, "the simulator's file failed: {error}");
        Self::error("FAILED_INTERNAL_SYSTEM_PROCESSING")
    }

    /// The answer as a fault on this side of the effect leaves it; `None` when the fault strikes elsewhere.
    async fn struck(fault: Option<&Fault>, now: When) -> Option<Self> {
        match fault? {
            Fault::LoseAnswer { when } if *when == now => Some(Self::Lost),
            Fault::ServerError { when } if *when == now => Some(Self::error("FAILED_INTERNAL_SYSTEM_PROCESSING")),
            Fault::BrokenJson { when } if *when == now => {
                Some(Self::Answer { status: 200, body: r#"{"version":"2022-11-16","paymentKey":"si"#.to_owned() })
            }
            Fault::Delay { when, millis } if *when == now => {
                tokio::time::sleep(Duration::from_millis((*millis).min(3_600_000))).await;
                None
            }
            _ => None,
        }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        match self {
            Self::Answer { status, body } => {
                let status = StatusCode::from_u16(status).expect("statuses come from the table of codes");
                (status, [(header::CONTENT_TYPE, "application/json;charset=UTF-8")], body).into_response()
            }
            // A body that fails at once makes the server drop the connection before the head is sent.
            Self::Lost => {
                let cut = futures::stream::once(async { Err::<Bytes, _>(io::Error::other("an answer to be lost")) });
                Body::from_stream(cut).into_response()
            }
        }
    }
}

/// Lets the holder of the secret key in, and answers the error that `TossPayments-Test-Code` asks for.
pub(super) async fn authenticate(State(simulator): State<Simulator>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let Some(credentials) = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()) else {
        return Reply::error("UNAUTHORIZED_KEY").into_response();
    };
    let decoded = credentials.strip_prefix("Basic ").and_then(|basic| BASE64_STANDARD.decode(basic.trim()).ok());
    let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    let Some((key, _)) = decoded.as_deref().and_then(|pair| pair.split_once(':')) else {
        return Reply::error("INCORRECT_BASIC_AUTH_FORMAT").into_response();
    };
    if Secret::of(key).0 != simulator.inner.secret.0 {
        return Reply::error("UNAUTHORIZED_KEY").into_response();
    }
    let test_code = headers.get("TossPayments-Test-Code").and_then(|name| name.to_str().ok()).and_then(Code::find);
    match test_code {
        Some(code) => Reply::coded(code).into_response(),
        None => next.run(request).await,
    }
}

pub(super) async fn nothing_here() -> Reply {
    Reply::error("NOT_FOUND")
}

async fn by_key(State(simulator): State<Simulator>, Path(key): Path<String>) -> Reply {
    simulator.look_up(&key, false).await.unwrap_or_else(|error| Reply::broken(&error))
}

async fn by_order(State(simulator): State<Simulator>, Path(order): Path<String>) -> Reply {
    simulator.look_up(&order, true).await.unwrap_or_else(|error| Reply::broken(&error))
}

async fn confirm(State(simulator): State<Simulator>, headers: HeaderMap, body: Bytes) -> Reply {
    let Ok(body) = serde_json::from_slice::<wire::ConfirmBody>(&body) else { return Reply::error("INVALID_REQUEST") };
    simulator.post(&headers, Post::Confirm(body)).await
}

async fn cancel(State(simulator): State<Simulator>, Path(key): Path<String>, headers: HeaderMap, body: Bytes) -> Reply {
    let Ok(body) = serde_json::from_slice::<wire::CancelBody>(&body) else { return Reply::error("INVALID_REQUEST") };
    simulator.post(&headers, Post::Cancel(key, body)).await
}

enum Post {
    Confirm(wire::ConfirmBody),
    Cancel(String, wire::CancelBody),
}

impl Post {
    /// What an idempotency key is good for: the key alone is not, and the body is no part of it.
    fn scope(&self, idempotency_key: &str, secret: &Secret) -> String {
        let path = match self {
            Self::Confirm(_) => "confirm",
            Self::Cancel(key, _) => key,
        };
        let mut scope = Context::new(&SHA256);
        for part in [&secret.0, path.as_bytes(), &[0], idempotency_key.as_bytes()] {
            scope.update(part);
        }
        BASE64_URL_SAFE_NO_PAD.encode(scope.finish())
    }
}

/// Marks an idempotency key as being worked on.
struct Running {
    simulator: Simulator,
    scope: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.simulator.inner.running.lock().expect("nothing panics while it marks a key").remove(&self.scope);
    }
}

impl Simulator {
    async fn look_up(&self, id: &str, is_order: bool) -> Result<Reply, DbErr> {
        let tx = self.begin().await?;
        let found = if is_order { store::payment_of_order(&tx, id).await? } else { store::payment(&tx, id).await? };
        let Some(payment) = found else { return Ok(Reply::error("NOT_FOUND_PAYMENT")) };
        let payment = self.expire(&tx, payment).await?;
        let body = self.body(&tx, &payment).await?;
        tx.commit().await?;
        Ok(Reply::ok(&body))
    }

    /// Does a thing to its end, whether or not the caller waits for it.
    async fn post(self, headers: &HeaderMap, post: Post) -> Reply {
        let key = headers.get("Idempotency-Key").map(|key| String::from_utf8_lossy(key.as_bytes()));
        if key.as_ref().is_some_and(|key| key.chars().count() > 300) {
            return Reply::error("INVALID_IDEMPOTENCY_KEY");
        }
        let scope = key.map(|key| post.scope(&key, &self.inner.secret));
        let work = tokio::spawn(async move { self.perform(scope, post).await });
        match work.await {
            Ok(Ok(reply)) => reply,
            Ok(Err(error)) => Reply::broken(&error),
            Err(_) => Reply::Lost,
        }
    }

    async fn perform(&self, scope: Option<String>, post: Post) -> Result<Reply, DbErr> {
        let running = match &scope {
            Some(scope) => self.start(scope).map(Some),
            None => Some(None),
        };
        let Some(_running) = running else { return Ok(Reply::error("IDEMPOTENT_REQUEST_PROCESSING")) };
        let plan = self.plan(&post).await?;
        if let Some(reply) = Reply::struck(plan.answer.as_ref(), When::BeforeCommit).await {
            return Ok(reply);
        }
        let reply = self.transact(scope, &post, &plan).await?;
        self.wake();
        Ok(Reply::struck(plan.answer.as_ref(), When::AfterCommit).await.unwrap_or(reply))
    }

    fn start(&self, scope: &str) -> Option<Running> {
        let mut running = self.inner.running.lock().expect("nothing panics while it marks a key");
        running.insert(scope.to_owned()).then(|| Running { simulator: self.clone(), scope: scope.to_owned() })
    }

    /// The faults that were scripted for such a call.
    async fn plan(&self, post: &Post) -> Result<Plan, DbErr> {
        match post {
            Post::Confirm(body) => self.inner.faults.take(self.db(), &body.order_id, true).await,
            Post::Cancel(key, _) => {
                let payment = store::payment(self.db(), key).await?;
                let order = payment.map(|payment| payment.order_id).unwrap_or_default();
                self.inner.faults.take(self.db(), &order, false).await
            }
        }
    }

    /// The thing itself with the memory of its answer, or the answer remembered.
    async fn transact(&self, scope: Option<String>, post: &Post, plan: &Plan) -> Result<Reply, DbErr> {
        let now = self.now();
        let tx = self.begin().await?;
        if let Some(scope) = &scope
            && let Some(first) = store::replay(&tx, scope).await?
        {
            if now < first.time + webhook::MEMORY {
                return Ok(Reply::Answer { status: u16::try_from(first.status).unwrap_or(500), body: first.body });
            }
            store::forget_replays(&tx, now - webhook::MEMORY).await?;
        }
        let outcome = match post {
            Post::Confirm(body) => self.confirm(&tx, body, plan).await?,
            Post::Cancel(key, body) => self.cancel(&tx, key, body, plan).await?,
        };
        let passing = outcome.as_ref().is_err_and(|code| code.is_passing());
        let (status, body) = match outcome {
            Ok(payment) => (200, self.body(&tx, &payment).await?.to_string()),
            Err(code) => (code.status, wire::error(code).to_string()),
        };
        if let Some(scope) = scope
            && !passing
        {
            store::insert_replay(&tx, replay::Model { scope, status: status.into(), body: body.clone(), time: now })
                .await?;
        }
        tx.commit().await?;
        Ok(Reply::Answer { status, body })
    }
}
