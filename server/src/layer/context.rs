//! What the layers know of a call.
use std::net::IpAddr;
use yeyak_proto::Method;

/// What the layers know of a call.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// Where it came from.
    pub peer: Option<IpAddr>,
    /// With what.
    pub user_agent: String,
}

/// The RPC of a request, when it is one of ours.
pub fn method_of<T>(request: &http::Request<T>) -> Option<&'static Method> {
    yeyak_proto::METHODS.iter().find(|method| method.path == request.uri().path())
}

/// The trace.
pub fn trace_parent() -> String {
    String::new()
}
