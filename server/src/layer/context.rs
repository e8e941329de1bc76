//! What is known of a call before anyone looks into it.

use std::fmt;
use std::net::IpAddr;

use http::{Extensions, HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};

use super::Rpc;
use super::proxies::Proxies;
use crate::kit::clock::Clock;
use crate::kit::id::Ids;

/// Request and response header: the id under which a call is found in the log.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
const REQUEST_ID_LENGTH: usize = 128;

/// What is known of a call before anyone looks into it: an extension of the request, put there by the trace layer.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The caller's id for the call, or a fresh one.
    pub request_id: RequestId,
    /// The trace that the call belongs to, or a fresh one.
    pub trace_id: TraceId,
    /// Which RPC is called; none for an unknown path.
    pub rpc: Option<Rpc>,
    /// Who calls: the other end of the connection or, where that is a proxy, whom it calls for; none for a call from this process.
    pub peer: Option<IpAddr>,
    /// When the call came in.
    pub arrival: Instant,
    user_agent: Option<HeaderValue>,
}

impl RequestContext {
    /// Reads what the caller sent and makes up what is missing.
    pub fn new(
        request: &http::request::Parts,
        rpc: Option<Rpc>,
        proxies: &Proxies,
        ids: &Ids,
        clock: &dyn Clock,
    ) -> Self {
        let headers = &request.headers;
        Self {
            request_id: RequestId::sent(headers).unwrap_or_else(|| RequestId::fresh(ids, clock)),
            trace_id: TraceId::sent(headers).unwrap_or_else(|| TraceId::fresh(ids)),
            rpc,
            peer: proxies.caller(peer(&request.extensions), headers),
            arrival: Instant::now(),
            user_agent: headers.get(http::header::USER_AGENT).cloned(),
        }
    }

    /// The program that calls, as it names itself; empty for one that doesn't.
    pub fn user_agent(&self) -> &str {
        self.user_agent.as_ref().and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// 1 to 128 visible ASCII characters.
#[derive(Clone, Eq, PartialEq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    fn sent(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(&REQUEST_ID)?;
        let visible = value.as_bytes().iter().all(u8::is_ascii_graphic);
        (visible && (1..=REQUEST_ID_LENGTH).contains(&value.len())).then(|| Self(value.clone()))
    }

    fn fresh(ids: &Ids, clock: &dyn Clock) -> Self {
        let uuid = ids.uuid(clock.now());
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        let text = uuid.hyphenated().encode_lower(&mut text);
        Self(HeaderValue::from_str(text).expect("hexadecimal digits and hyphens make a header"))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().expect("only visible ASCII was let in")
    }

    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The trace id of W3C Trace Context; shows as 32 hexadecimal digits.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct TraceId([u8; 16]);

impl TraceId {
    /// Of a valid `traceparent`, `00-{trace id}-{parent id}-{flags}`; later versions may append to it.
    fn sent(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(&TRACE_PARENT)?.to_str().ok()?;
        let mut fields = text.split('-');
        let [version, trace, parent, flags] = [fields.next()?, fields.next()?, fields.next()?, fields.next()?];
        let more = fields.next().is_some();
        let lengths = [version.len(), trace.len(), parent.len(), flags.len()];
        let lower_hex = |field: &str| field.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let well_formed = lengths == [2, 32, 16, 2] && [version, trace, parent, flags].into_iter().all(lower_hex);
        if !well_formed || version == "ff" || (version == "00" && more) {
            return None;
        }
        let id = u128::from_str_radix(trace, 16).ok()?;
        let parent = u64::from_str_radix(parent, 16).ok()?;
        (id != 0 && parent != 0).then(|| Self(id.to_be_bytes()))
    }

    fn fresh(ids: &Ids) -> Self {
        let mut id = [0; 16];
        ids.fill(&mut id);
        Self(id)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn peer(extensions: &Extensions) -> Option<IpAddr> {
    let plain = || extensions.get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr);
    let tls = || extensions.get::<TlsConnectInfo<TcpConnectInfo>>().and_then(|info| info.get_ref().remote_addr());
    // An IPv4 caller of an IPv6 socket is still the same caller.
    plain().or_else(tls).map(|address| address.ip().to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::clock::SystemClock;

    fn context(headers: &[(&'static str, &str)]) -> RequestContext {
        let mut request = http::Request::new(());
        for (name, value) in headers {
            request.headers_mut().insert(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        RequestContext::new(&request.into_parts().0, None, &Proxies::default(), &Ids::seeded(1), &SystemClock)
    }

    #[test]
    fn a_request_id_is_kept_when_it_is_short_and_visible() {
        let long = "x".repeat(129);

        assert_eq!(context(&[("x-request-id", "r-1")]).request_id.as_str(), "r-1");
        assert_eq!(context(&[("x-request-id", &long[..128])]).request_id.as_str(), &long[..128]);
        for bad in ["", &long, "a b", "a\tb", "é"] {
            assert_eq!(context(&[("x-request-id", bad)]).request_id.as_str().len(), 36, "{bad:?} gives way to a UUID");
        }
    }

    #[test]
    fn a_trace_goes_on_when_its_parent_is_valid() {
        const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
        let valid = format!("00-{TRACE}-00f067aa0ba902b7-01");
        let later = format!("cc-{TRACE}-00f067aa0ba902b7-01-more");

        for good in [&valid, &later] {
            assert_eq!(context(&[("traceparent", good)]).trace_id.to_string(), TRACE);
        }
        for bad in [
            "".to_owned(),
            format!("{valid}-more"),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-0000000000000000-01"),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            format!("00-+{}-00f067aa0ba902b7-01", &TRACE[1..]),
            format!("00-{TRACE}-00f067aa0ba902b7"),
        ] {
            assert_ne!(context(&[("traceparent", &bad)]).trace_id.to_string(), TRACE, "{bad:?} starts a new trace");
        }
    }

    #[test]
    fn a_call_from_this_process_has_no_peer() {
        assert_eq!(context(&[]).peer, None);
        assert_eq!(context(&[("user-agent", "grpcurl/1")]).user_agent(), "grpcurl/1");
    }
}
