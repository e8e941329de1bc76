//! A platform for the fuzz targets: opened once, called in-process through every layer.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::ServiceExt;
use yeyak::proto::{METHODS, Method};
use yeyak::{Client, Embedded};
use yeyak_server::config::Sources;
use yeyak_server::kit::clock::ManualClock;
use yeyak_server::kit::id::Ids;
use yeyak_server::serve::{Platform, World};

/// A platform that lives as long as the process.
pub struct Target {
    runtime: Runtime,
    server: Embedded,
    token: String,
    _platform: Platform,
    _folder: TempDir,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Target")
    }
}

impl Target {
    /// The one platform of this process.
    pub fn get() -> &'static Self {
        static TARGET: OnceLock<Target> = OnceLock::new();
        TARGET.get_or_init(|| {
            let runtime = Runtime::new().expect("a runtime");
            runtime.block_on(Self::open()).with(runtime)
        })
    }

    async fn open() -> Opened {
        let folder = tempfile::tempdir().expect("a folder");
        let config = Sources::read(None)
            .with("data", folder.path())
            .with("listen", "127.0.0.1:0")
            .with("http", "127.0.0.1:0")
            .with("metrics", "")
            .with("password.memory_kib", 8)
            .with("limit.member_calls_per_second", 1_000_000)
            .with("limit.member_burst", 1_000_000)
            .with("limit.address_calls_per_second", 1_000_000)
            .with("limit.address_burst", 1_000_000)
            .config()
            .expect("a configuration");
        let start = "2026-03-02T03:00:00Z".parse().expect("an instant");
        let world = World { clock: Arc::new(ManualClock::at(start)), ids: Arc::new(Ids::seeded(1)), ..World::default() };
        let platform = Platform::open(config, world).await.expect("opens");
        let server = platform.embedded().expect("composes");
        let client = Client::embedded(server.clone());
        client.sign_up("fuzz@example.kr", "correct horse battery", "fuzz").await.expect("signs up");
        let token = client.tokens().expect("is signed in").access_token;
        Opened { server, token, platform, folder }
    }

    /// Calls the RPC that a byte chooses, as a member unless another token is given; panics when it was the server's fault.
    pub fn call(&self, choice: u8, token: Option<&[u8]>, message: &[u8]) {
        let method = &METHODS[usize::from(choice) % METHODS.len()];
        let Ok(length) = u32::try_from(message.len()) else { return };
        let body = [&[0], &length.to_be_bytes()[..], message].concat();
        let bearer = [b"Bearer ", token.unwrap_or(self.token.as_bytes())].concat();
        // What no header can hold never reaches us.
        let Ok(bearer) = http::HeaderValue::from_bytes(&bearer) else { return };
        let request = http::Request::post(method.path)
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("grpc-timeout", "2S")
            .header("authorization", bearer)
            .body(Body::new(Full::new(Bytes::from(body))));
        let Ok(request) = request else { return };
        self.runtime.block_on(self.judge(method, request));
    }

    async fn judge(&self, method: &Method, request: http::Request<Body>) {
        let response = self.server.clone().oneshot(request).await.expect("answers");
        let (parts, mut body) = response.into_parts();
        let mut status = Status::from_header_map(&parts.headers);
        while let (None, Some(frame)) = (&status, body.frame().await) {
            let frame = frame.expect("a whole body");
            if method.streaming && frame.is_data() {
                return;
            }
            status = frame.trailers_ref().and_then(Status::from_header_map);
        }
        let status = status.unwrap_or_else(|| panic!("{method} ended without a status"));
        let fault = matches!(status.code(), Code::Internal | Code::Unknown | Code::DataLoss);
        assert!(!fault, "{method}: {status:?}");
    }
}

struct Opened {
    server: Embedded,
    token: String,
    platform: Platform,
    folder: TempDir,
}

impl Opened {
    fn with(self, runtime: Runtime) -> Target {
        let Self { server, token, platform, folder } = self;
        Target { runtime, server, token, _platform: platform, _folder: folder }
    }
}
