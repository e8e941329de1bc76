//! Who calls, and whether they may: decided by the access that the proto states, before any domain sees the call.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Request, Response};
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};
use yeyak_proto::yeyak::common::v1::Access;
use yeyak_proto::{ACT_AS_HEADER, Method};

use super::body::{Watch, watched};
use super::context::RequestContext;
use super::rate::Rates;
use crate::error::{Error, ErrorReason};
use crate::kit::caller::{Caller, Denied, Unauthenticated};
use crate::kit::violation::Violations;

/// How often it is looked whether the caller of an open stream may still have it.
const LOOK: Duration = Duration::from_secs(30);

/// What a caller shows.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    /// The bearer token.
    pub token: &'a str,
    /// The member that an API key says it acts for.
    pub act_as: Option<&'a str>,
    /// What is called: an API key is good for the RPCs that it names.
    pub method: &'static Method,
}

/// Finds out who a token belongs to.
#[async_trait]
pub trait Authenticate: Send + Sync + 'static {
    /// The caller, or `UNAUTHENTICATED` for a token that is not good.
    async fn caller(&self, credentials: Credentials<'_>) -> Result<Caller, Error>;

    /// A caller of before as they are now, or `UNAUTHENTICATED` when their session or their key has ended. Their token may have
    /// run out meanwhile.
    async fn again(&self, caller: &Caller) -> Result<Caller, Error>;
}

/// Makes [`Auth`].
#[derive(Clone)]
pub struct AuthLayer {
    authenticate: Arc<dyn Authenticate>,
    rates: Arc<Rates>,
    look: Duration,
}

impl std::fmt::Debug for AuthLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuthLayer")
    }
}

impl AuthLayer {
    /// Asks the one for callers, and the other whether they call too often.
    pub fn new(authenticate: Arc<dyn Authenticate>, rates: Arc<Rates>) -> Self {
        Self { authenticate, rates, look: LOOK }
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = Auth<S>;

    fn layer(&self, inner: S) -> Auth<S> {
        Auth { inner, layer: self.clone() }
    }
}

/// Refuses callers that the proto does not name.
#[derive(Clone)]
pub struct Auth<S> {
    inner: S,
    layer: AuthLayer,
}

impl<S> std::fmt::Debug for Auth<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Auth")
    }
}

impl<S> Service<Request<Body>> for Auth<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let context = request.extensions().get::<RequestContext>();
        let peer = context.and_then(|context| context.peer);
        // What is not in the catalog is closed, whoever routes it.
        let Some(rpc) = context.and_then(|context| context.rpc) else {
            return Box::pin(std::future::ready(Ok(Status::from(Error::from(Unauthenticated::Nobody)).into_http())));
        };
        // Health and reflection are open.
        if rpc.is_built_in() {
            return Box::pin(self.inner.call(request));
        }
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        let AuthLayer { authenticate, rates, look } = self.layer.clone();
        Box::pin(async move {
            let identified = identify(&*authenticate, request.headers(), rpc.method()).await;
            let admitted = match identified {
                Ok(caller) => rates.check(&caller, peer).await.map(|()| caller),
                // Who is refused is counted by address: guessing tokens is not free either.
                Err(refused) => rates.check(&Caller::Anonymous, peer).await.and(Err(refused)),
            };
            match admitted {
                Ok(caller) => {
                    request.extensions_mut().insert(caller.clone());
                    let answer = inner.call(request).await;
                    if !rpc.streaming || matches!(caller, Caller::Anonymous) {
                        return answer;
                    }
                    let refused = until_refused(authenticate, caller, rpc.method(), look);
                    answer.map(|answer| watched(answer, Open { refused: Box::pin(refused) }))
                }
                Err(refused) => Ok(Status::from(refused).into_http()),
            }
        })
    }
}

/// A stream that is open for as long as its caller may have it.
struct Open {
    refused: BoxFuture<'static, Status>,
}

impl Watch for Open {
    fn interrupt(&mut self, cx: &mut Context<'_>) -> Option<Status> {
        match self.refused.as_mut().poll(cx) {
            Poll::Ready(refused) => Some(refused),
            Poll::Pending => None,
        }
    }
}

/// Waits until a caller may not have a stream any more: whoever has stolen a token must not go on reading behind the session, and
/// what a stream shows goes by the roles that its caller had when it was opened.
async fn until_refused(
    authenticate: Arc<dyn Authenticate>,
    caller: Caller,
    method: &'static Method,
    look: Duration,
) -> Status {
    loop {
        tokio::time::sleep(look).await;
        let again = authenticate.again(&caller).await;
        match again.and_then(|now| permit(&now, method).and_then(|()| keeps_roles(&caller, &now))) {
            Ok(()) => {}
            Err(refused) if matches!(refused.reason(), ErrorReason::Unauthenticated | ErrorReason::AccessDenied) => {
                return refused.into();
            }
            Err(error) => tracing::debug!(rpc = %method, "whether a stream may go on is not known: {error}"),
        }
    }
}

/// Whether a caller has all the roles that they had.
fn keeps_roles(before: &Caller, now: &Caller) -> Result<(), Error> {
    let roles = |caller: &Caller| caller.known().map(|member| member.roles).unwrap_or_default();
    let (before, now) = (roles(before), roles(now));
    match () {
        () if before.admin && !now.admin => Err(Denied { needs: "the role admin" }.into()),
        () if before.seller && !now.seller => Err(Denied { needs: "the role seller" }.into()),
        () => Ok(()),
    }
}

async fn identify(
    authenticate: &dyn Authenticate,
    headers: &HeaderMap,
    method: &'static Method,
) -> Result<Caller, Error> {
    // One that can't be read is refused: without it, the call would be made as the key itself.
    let act_as = headers.get(ACT_AS_HEADER).map(readable).transpose()?;
    let caller = match bearer(headers)? {
        Some(token) => authenticate.caller(Credentials { token, act_as, method }).await?,
        None => Caller::Anonymous,
    };
    permit(&caller, method)?;
    Ok(caller)
}

fn readable(act_as: &HeaderValue) -> Result<&str, Error> {
    let mut violations = Violations::new();
    let member = violations.take(ACT_AS_HEADER, act_as.to_str().map_err(|_| "must be the id of a member"));
    violations.finish(member)
}

/// The bearer token, when there is one; any other `authorization` is refused rather than overlooked.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let Some(value) = headers.get(http::header::AUTHORIZATION) else { return Ok(None) };
    let text = value.to_str().map_err(|_| Unauthenticated::Nobody)?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() => Ok(Some(token.trim())),
        _ => Err(Unauthenticated::Nobody.into()),
    }
}

/// Whether the proto names this kind of caller for the RPC.
fn permit(caller: &Caller, method: &Method) -> Result<(), Error> {
    let names = |access| method.access.contains(&access);
    let by_role = |member: &crate::kit::caller::Member| {
        names(Access::Member)
            || (names(Access::Seller) && member.roles.seller)
            || (names(Access::Admin) && member.roles.admin)
    };
    let allowed = match caller {
        Caller::Anonymous => names(Access::Public),
        Caller::Member(member) => names(Access::Public) || by_role(member),
        Caller::Service { .. } => names(Access::Service) || names(Access::Public),
    };
    match (allowed, caller) {
        (true, _) => Ok(()),
        (false, Caller::Anonymous) => Err(Unauthenticated::Nobody.into()),
        (false, Caller::Service { .. }) => Err(Denied { needs: "a member; API keys may not call this" }.into()),
        (false, Caller::Member(_)) if names(Access::Seller) && !names(Access::Admin) => {
            Err(Denied { needs: "the role seller" }.into())
        }
        (false, Caller::Member(_)) if names(Access::Admin) => Err(Denied { needs: "the role admin" }.into()),
        (false, Caller::Member(_)) => Err(Denied { needs: "an API key" }.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicBool, Ordering};

    use futures::stream;
    use http_body_util::StreamBody;
    use tokio::time::timeout;
    use tonic::Code;
    use tower::ServiceExt;

    use super::*;
    use crate::backend::rate::Limit;
    use crate::kit::caller::{Member, Roles};
    use crate::kit::clock::ManualClock;
    use crate::kit::clock::Time;
    use crate::kit::id::{Ids, MemberId};
    use crate::layer::rate::RateLimits;
    use crate::layer::testing::{WATCH, named, service, status_of};

    fn method(access: &'static [Access]) -> Method {
        Method { access, ..yeyak_proto::METHODS[0] }
    }

    #[test]
    fn what_states_nothing_is_closed_to_everyone() {
        let roles = Roles { seller: true, admin: true };
        let id = MemberId::new(&Ids::seeded(1), Time::UNIX_EPOCH);
        let member = Caller::Member(Member { id, roles, session: None, by: None });
        for caller in [Caller::Anonymous, member] {
            assert!(permit(&caller, &method(&[])).is_err());
            assert!(permit(&caller, &method(&[Access::Public])).is_ok());
        }
    }

    #[test]
    fn an_authorization_that_is_no_bearer_token_is_refused() {
        for (value, good) in
            [("Bearer x", true), ("bearer x", true), ("Basic eDp5", false), ("Bearer ", false), ("", false)]
        {
            let mut headers = HeaderMap::new();
            headers.insert(http::header::AUTHORIZATION, value.parse().expect("a header"));
            assert_eq!(bearer(&headers).is_ok(), good, "{value}");
        }
    }

    /// One member's session: whether it lives, and whether the member is an admin.
    struct Session {
        lives: AtomicBool,
        is_admin: AtomicBool,
    }

    impl Session {
        fn caller(&self) -> Caller {
            let id = MemberId::new(&Ids::seeded(1), Time::UNIX_EPOCH);
            let roles = Roles { admin: self.is_admin.load(Ordering::Relaxed), ..Roles::default() };
            Caller::Member(Member { id, roles, session: None, by: None })
        }
    }

    #[async_trait]
    impl Authenticate for Session {
        async fn caller(&self, _: Credentials<'_>) -> Result<Caller, Error> {
            Ok(self.caller())
        }

        async fn again(&self, _: &Caller) -> Result<Caller, Error> {
            if self.lives.load(Ordering::Relaxed) { Ok(self.caller()) } else { Err(Unauthenticated::Token.into()) }
        }
    }

    /// Guard: the look at an open stream's caller.
    #[tokio::test]
    async fn a_stream_ends_with_the_session_that_opened_it() {
        let ended = ended_by(|session| session.lives.store(false, Ordering::Relaxed)).await;
        assert_eq!(ended.code(), Code::Unauthenticated);
    }

    /// Guard: the roles that the caller had.
    #[tokio::test]
    async fn a_stream_ends_with_a_role_that_is_withdrawn() {
        let ended = ended_by(|session| session.is_admin.store(false, Ordering::Relaxed)).await;
        assert_eq!(ended.code(), Code::PermissionDenied);
    }

    /// How a stream ends that an admin has opened, once something has happened.
    async fn ended_by(happens: impl FnOnce(&Session)) -> Status {
        let session = Arc::new(Session { lives: AtomicBool::new(true), is_admin: AtomicBool::new(true) });
        let limits = RateLimits { member: Limit::per_second(9, 9), address: Limit::per_second(9, 9) };
        let rates = Rates::new(limits, None, Arc::new(ManualClock::at(Time::UNIX_EPOCH)));
        let hanging = service(|_| Response::new(Body::new(StreamBody::new(stream::pending::<Result<_, Status>>()))));
        let mut request = named(WATCH);
        request.headers_mut().insert(http::header::AUTHORIZATION, "Bearer x".parse().expect("a header"));

        let look = Duration::from_millis(10);
        let layer = AuthLayer { look, ..AuthLayer::new(session.clone(), Arc::new(rates)) };
        let answer = layer.layer(hanging).oneshot(request).await;

        let mut end = pin!(status_of(answer.expect("answers")));
        assert!(timeout(10 * look, &mut end).await.is_err(), "it goes on while nothing has happened");
        happens(&session);
        end.await
    }
}
