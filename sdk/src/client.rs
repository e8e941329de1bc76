//! The client.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::timeout;
use tonic::metadata::{Ascii, MetadataValue};
use yeyak_proto::Method;
use yeyak_proto::yeyak::member::v1::{LogInRequest, Member, RefreshSessionRequest, SignUpRequest, Tokens};

use crate::error::Error;
use crate::options::Options;
use crate::retry::Budget;
use crate::seen::Seen;
use crate::session::{Identity, Session, expires_within};
use crate::trace;
use crate::transport::{Embedded, Transport};

/// An access token is renewed this long before it expires, so that none expires on its way.
const EARLY: Duration = Duration::from_secs(30);
/// How long a call whose token is still good waits for a newer one.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long one try to refresh may take, and how many are made: within the ten seconds in which the server repeats its answer.
const REFRESH: Duration = Duration::from_secs(5);
const REFRESHES: usize = 2;

/// A client of one Yeyak, as one caller. Cheap to clone; clones share connections and session.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
    /// The trace that its caller is in; without one each call is a trace of its own.
    traceparent: Option<MetadataValue<Ascii>>,
}

struct Inner {
    transport: Transport,
    options: Options,
    session: Session,
    budget: Arc<Budget>,
    seen: Seen,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("options", &self.inner.options).finish_non_exhaustive()
    }
}

impl Client {
    /// Connects to a server, such as `http://127.0.0.1:7070`; or to several of one installation, with commas between: calls
    /// take turns among them, and leave one alone that can't be reached or shuts down.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), yeyak::Error> {
    /// let client = yeyak::Client::connect("http://127.0.0.1:7070").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn connect(url: &str) -> Result<Self, Error> {
        Self::connect_with(url, Options::default()).await
    }

    /// Connects to a server with options.
    pub async fn connect_with(url: &str, options: Options) -> Result<Self, Error> {
        let transport = Transport::connect(url, &options).await?;
        Ok(Self::of(transport, options))
    }

    /// Calls a server in the same process, through the same layers and without a socket.
    pub fn embedded(server: Embedded) -> Self {
        Self::embedded_with(server, Options::default())
    }

    /// Calls a server in the same process with options.
    pub fn embedded_with(server: Embedded, options: Options) -> Self {
        Self::of(Transport::Embedded(server), options)
    }

    fn of(transport: Transport, options: Options) -> Self {
        let inner =
            Inner { transport, options, session: Session::default(), budget: Arc::default(), seen: Seen::default() };
        Self { inner: Arc::new(inner), traceparent: None }
    }

    /// A client over the same connections, as nobody yet: each caller has a client of their own.
    #[must_use]
    pub fn anonymous(&self) -> Self {
        self.identified(Identity::Nobody)
    }

    /// A client over the same connections that calls with an API key.
    #[must_use]
    pub fn with_api_key(&self, key: impl Into<String>) -> Self {
        self.identified(Identity::Service { key: key.into(), act_as: None })
    }

    /// A client over the same connections that calls with an API key for a member; the key needs the scope `act_as`.
    #[must_use]
    pub fn acting_for(&self, key: impl Into<String>, member_id: impl Into<String>) -> Self {
        self.identified(Identity::Service { key: key.into(), act_as: Some(member_id.into()) })
    }

    /// A client over the same connections that calls with tokens from an earlier session.
    #[must_use]
    pub fn with_tokens(&self, tokens: Tokens) -> Self {
        self.identified(Identity::Member(tokens))
    }

    fn identified(&self, identity: Identity) -> Self {
        let inner = Inner {
            transport: self.inner.transport.clone(),
            options: self.inner.options.clone(),
            session: Session::of(identity),
            budget: self.inner.budget.clone(),
            seen: Seen::default(),
        };
        Self { inner: Arc::new(inner), traceparent: self.traceparent.clone() }
    }

    /// A clone whose calls belong to a trace that is under way, by its `traceparent` of W3C Trace Context (version 00).
    ///
    /// ```no_run
    /// # use yeyak::proto::stay::v1::SearchStaysRequest;
    /// # async fn example(client: yeyak::Client) -> Result<(), yeyak::Error> {
    /// let traced = client.in_trace("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")?;
    /// let found = traced.stay_search().search_stays(SearchStaysRequest::default()).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn in_trace(&self, traceparent: &str) -> Result<Self, Error> {
        Ok(Self { traceparent: Some(trace::given(traceparent)?), ..self.clone() })
    }

    /// Creates a member and calls as them from now on.
    pub async fn sign_up(&self, email: &str, password: &str, display_name: &str) -> Result<Member, Error> {
        let request = SignUpRequest {
            email: email.to_owned(),
            password: password.to_owned(),
            display_name: display_name.to_owned(),
            ..Default::default()
        };
        let answer = self.auth().sign_up(request).await?;
        self.keep(answer.tokens);
        Ok(answer.member.unwrap_or_default())
    }

    /// Logs in and calls as this member from now on. Tokens are refreshed as they expire.
    pub async fn log_in(&self, email: &str, password: &str) -> Result<Member, Error> {
        let request = LogInRequest { email: email.to_owned(), password: password.to_owned() };
        let answer = self.auth().log_in(request).await?;
        self.keep(answer.tokens);
        Ok(answer.member.unwrap_or_default())
    }

    /// The tokens of the session, to be kept by whoever wants to go on with it later.
    pub fn tokens(&self) -> Option<Tokens> {
        match self.inner.session.get() {
            Identity::Member(tokens) => Some(tokens),
            _ => None,
        }
    }

    fn keep(&self, tokens: Option<Tokens>) {
        self.inner.seen.forget_own();
        self.inner.session.set(tokens.map(Identity::Member).unwrap_or_default());
    }

    pub(crate) fn options(&self) -> &Options {
        &self.inner.options
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.inner.transport
    }

    pub(crate) fn seen(&self) -> &Seen {
        &self.inner.seen
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.inner.budget
    }

    /// The trace of a new call.
    pub(crate) fn traceparent(&self) -> MetadataValue<Ascii> {
        self.traceparent.clone().unwrap_or_else(trace::fresh)
    }

    /// Who calls now, with a fresh access token when the one at hand is about to expire.
    pub(crate) async fn identity(&self, method: &'static Method) -> Identity {
        // Getting tokens needs none.
        if method.service == "yeyak.member.v1.AuthService"
            && method.access.contains(&crate::proto::common::v1::Access::Public)
        {
            return Identity::Nobody;
        }
        let identity = self.inner.session.get();
        let Identity::Member(tokens) = &identity else { return identity };
        if !expires_within(tokens, EARLY) {
            return identity;
        }
        let renewing = self.renew(&identity);
        match expires_within(tokens, Duration::ZERO) {
            true => _ = renewing.await,
            // The token at hand is still good: a call does not wait long for a better one.
            false => _ = timeout(PATIENCE, renewing).await,
        }
        self.inner.session.get()
    }

    /// Refreshes the tokens, unless another call has done so since `used` was read; whether there are newer ones.
    ///
    /// In a task of its own: a refresh token works once, and if the call that refreshes were given up, its successor would be
    /// lost, and the session with it.
    pub(crate) async fn renew(&self, used: &Identity) -> bool {
        let Identity::Member(used) = used else { return false };
        tokio::spawn(self.clone().renew_in_turn(used.clone())).await.unwrap_or(false)
    }

    /// Boxed, since refreshing is a call itself.
    fn renew_in_turn(self, used: Tokens) -> BoxFuture<'static, bool> {
        Box::pin(async move {
            let session = &self.inner.session;
            let before = session.failures.load(Ordering::Acquire);
            let _alone = session.refreshing.lock().await;
            match session.get() {
                // By what each refresh changes: access tokens of one second are the same.
                Identity::Member(now) if now.refresh_token != used.refresh_token => return true,
                // Who waited behind one that failed would fail as well.
                Identity::Member(_) if session.failures.load(Ordering::Acquire) == before => {}
                _ => return false,
            }
            let answer = self.refresh(used.refresh_token.clone()).await;
            match answer {
                Some(tokens) => session.replace(&used, tokens),
                None => {
                    session.failures.fetch_add(1, Ordering::AcqRel);
                    false
                }
            }
        })
    }

    /// New tokens for a refresh token. An answer that is late is asked for again: the server gives the same for ten seconds.
    async fn refresh(&self, refresh_token: String) -> Option<Tokens> {
        for _ in 0..REFRESHES {
            let request = RefreshSessionRequest { refresh_token: refresh_token.clone() };
            match timeout(REFRESH, self.auth().refresh_session(request)).await {
                Ok(Ok(answer)) => return answer.tokens,
                Ok(Err(error)) if !error.is_retryable() => {
                    tracing::debug!("the session could not be refreshed: {error}");
                    return None;
                }
                Ok(Err(error)) => tracing::debug!("the session could not be refreshed yet: {error}"),
                Err(_) => tracing::debug!("no answer came to a refresh of the session"),
            }
        }
        None
    }

    /// The transport itself, for a client generated by tonic.
    pub fn raw(&self) -> impl tonic::client::GrpcService<tonic::body::Body, ResponseBody = tonic::body::Body> + Clone {
        self.inner.transport.pick(&[])
    }
}

macro_rules! accessors {
    ($($name:ident: $api:path = $doc:literal;)*) => {
        impl Client {
            $(
                #[doc = $doc]
                pub fn $name(&self) -> $api {
                    <$api>::new(self.clone())
                }
            )*
        }
    };
}

yeyak_proto::services!(accessors);

#[cfg(test)]
mod tests {
    use tower::util::BoxCloneSyncService;

    use super::*;

    /// Guard: the refresh token, by which a call that waited knows that another was faster. Access tokens of one second are the same.
    #[tokio::test]
    async fn who_waited_for_a_refresh_does_not_show_the_token_that_it_has_used_up() {
        let tokens = |refresh_token: &str| Tokens {
            access_token: "the same".to_owned(),
            refresh_token: refresh_token.to_owned(),
            ..Default::default()
        };
        let server = tower::service_fn(|_: http::Request<tonic::body::Body>| async { Err("nobody was to ask".into()) });
        let client = Client::embedded(BoxCloneSyncService::new(server)).with_tokens(tokens("second"));

        assert!(client.renew(&Identity::Member(tokens("first"))).await);

        assert_eq!(client.tokens(), Some(tokens("second")));
    }
}
