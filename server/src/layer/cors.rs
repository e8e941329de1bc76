//! Lets browsers of configured origins call by gRPC-Web. It goes outside of `GrpcWebLayer`, and needs `accept_http1`.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, Uri};
use tower_http::cors::{AllowOrigin, CorsLayer};
use yeyak_proto::{ACT_AS_HEADER, REPLAYED_HEADER};

/// What a browser may send. `authorization` is among them, so no cookie is needed and credentials stay off.
const ALLOWED: [&str; 9] = [
    "authorization",
    "content-type",
    "grpc-timeout",
    "traceparent",
    "tracestate",
    "x-grpc-web",
    "x-request-id",
    "x-user-agent",
    ACT_AS_HEADER,
];

/// What a script may read of an answer; unlisted, even the status would be hidden from it.
const EXPOSED: [&str; 5] = ["grpc-message", "grpc-status", "grpc-status-details-bin", "x-request-id", REPLAYED_HEADER];

/// How long a browser may remember the answer to a preflight.
const MAX_AGE: Duration = Duration::from_secs(60 * 60);

/// A configured origin that no browser would ever send.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadOrigin {
    /// It is not one.
    #[error("`{0}` is not an origin: write `https://host` or `https://host:port`, without a path")]
    Malformed(String),
    /// It makes the others pointless.
    #[error("`*` allows every origin: list it alone")]
    WildcardAmongOthers,
}

/// Allows calls from these origins: from none when the list is empty, from any for `["*"]`.
///
/// Errors: [`BadOrigin`] for what is not an origin.
pub fn layer(origins: &[String]) -> Result<CorsLayer, BadOrigin> {
    let allowed = match origins {
        [] => return Ok(CorsLayer::new()),
        [any] if any == "*" => AllowOrigin::any(),
        _ => AllowOrigin::list(origins.iter().map(|origin| parse(origin)).collect::<Result<Vec<_>, _>>()?),
    };
    Ok(CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::POST])
        .allow_headers(ALLOWED.map(HeaderName::from_static))
        .expose_headers(EXPOSED.map(HeaderName::from_static))
        .max_age(MAX_AGE))
}

fn parse(origin: &str) -> Result<HeaderValue, BadOrigin> {
    if origin == "*" {
        return Err(BadOrigin::WildcardAmongOthers);
    }
    let malformed = || BadOrigin::Malformed(origin.to_owned());
    let uri: Uri = origin.parse().map_err(|_| malformed())?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(malformed()) };
    // A browser sends exactly this much, in lower case.
    if origin != format!("{scheme}://{authority}").to_ascii_lowercase() || authority.as_str().contains('@') {
        return Err(malformed());
    }
    HeaderValue::from_str(origin).map_err(|_| malformed())
}

#[cfg(test)]
mod tests {
    use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ORIGIN};
    use tonic::Status;
    use tower::{Layer as _, ServiceExt};

    use super::*;
    use crate::layer::Response;
    use crate::layer::testing::{READ, named, service, streamed};

    async fn answer(origins: &[&str]) -> Response {
        let origins: Vec<_> = origins.iter().map(|&origin| origin.to_owned()).collect();
        let mut call = named(READ);
        call.headers_mut().insert(ORIGIN, "https://shop.example".parse().unwrap());
        let handler = service(|_| streamed(1, Status::ok("")));
        layer(&origins).unwrap().layer(handler).oneshot(call).await.unwrap()
    }

    #[tokio::test]
    async fn only_listed_origins_are_allowed() {
        let listed = answer(&["https://other.example:8443", "https://shop.example"]).await;
        let exposed = listed.headers()[ACCESS_CONTROL_EXPOSE_HEADERS].to_str().unwrap();

        assert_eq!(listed.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "https://shop.example");
        assert!(exposed.contains("grpc-status-details-bin") && exposed.contains("yeyak-replayed"));
        assert_eq!(answer(&["*"]).await.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert!(!answer(&["https://other.example"]).await.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
        assert!(!answer(&[]).await.headers().contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
    }

    #[test]
    fn what_no_browser_would_send_is_refused() {
        for bad in
            ["", "shop.example", "https://", "https://a.example/", "https://A.example", "https://u@a.example", "a b"]
        {
            assert!(matches!(layer(&[bad.to_owned()]), Err(BadOrigin::Malformed(_))), "{bad:?}");
        }
        let both = ["https://a.example".to_owned(), "*".to_owned()];
        assert_eq!(layer(&both).err(), Some(BadOrigin::WildcardAmongOthers));
    }
}
