//! Encryption: a server with a certificate, clients that know its authority, and callers that must show one of their own.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tonic::Code;
use yeyak::{Client, Error, Options};
use yeyak_server::config::Sources;
use yeyak_server::kit::clock::SystemClock;
use yeyak_server::kit::id::Ids;
use yeyak_server::serve::{Platform, World};

use crate::wire::Serving;

/// One who vouches for others.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, as PEM.
struct Certified {
    certificate: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("signs itself"))
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    fn vouches_for(&self, name: &str) -> Certified {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.0).expect("signs");
        Certified { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

/// Serves with the certificate, and asks callers for theirs when there is an authority for them.
async fn serve(folder: &TempDir, own: &Certified, callers: Option<&Authority>) -> Serving {
    // As `yeyak` itself does at its start.
    _ = rustls::crypto::ring::default_provider().install_default();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("writes");
        path
    };
    let mut sources = Sources::read(None)
        .with("data", folder.path().join("data"))
        .with("listen", "127.0.0.1:0")
        .with("http", "127.0.0.1:0")
        .with("metrics", "")
        .with("payment.allow_simulator", true)
        .with("tls.certificate", file("server.pem", &own.certificate))
        .with("tls.key", file("server.key", &own.key));
    if let Some(callers) = callers {
        sources = sources.with("tls.client_authority", file("callers.pem", &callers.pem()));
    }
    let world = World { clock: Arc::new(SystemClock), ids: Arc::new(Ids::seeded(1)), ..World::default() };
    let platform = Platform::open(sources.config().expect("a configuration"), world).await.expect("opens");
    Serving::start(platform).await
}

/// Connects and asks something that anyone may.
async fn ask(serving: &Serving, scheme: &str, options: Options) -> Result<(), Error> {
    let url = format!("{scheme}://localhost:{}", serving.ports.grpc.port());
    let client = Client::connect_with(&url, options.attempts(1)).await?;
    client.stay_search().search_stays(yeyak::proto::stay::v1::SearchStaysRequest::default()).await.map(drop)
}

#[tokio::test]
async fn an_encrypted_server_is_reached_by_those_who_know_its_authority_alone() {
    let (ours, another) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().expect("a folder");
    let serving = serve(&folder, &ours.vouches_for("localhost"), None).await;
    let trusting = |authority: &Authority| Options::default().authority(authority.pem());

    ask(&serving, "https", trusting(&ours)).await.expect("is answered");

    let strangers = [
        ask(&serving, "https", trusting(&another)).await,
        ask(&serving, "https", Options::default()).await,
        ask(&serving, "http", Options::default()).await,
    ];
    for refused in strangers {
        assert_eq!(refused.expect_err("not trusted").code, Code::Unavailable);
    }
    serving.end().await;
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_believed() {
    let ours = Authority::new();
    let folder = tempfile::tempdir().expect("a folder");
    let serving = serve(&folder, &ours.vouches_for("elsewhere.kr"), None).await;

    let refused = ask(&serving, "https", Options::default().authority(ours.pem())).await;

    assert_eq!(refused.expect_err("another's").code, Code::Unavailable);
    serving.end().await;
}

/// Guard: `tls.client_authority`.
#[tokio::test]
async fn a_caller_without_a_certificate_of_the_authority_is_refused() {
    let (ours, callers, another) = (Authority::new(), Authority::new(), Authority::new());
    let folder = tempfile::tempdir().expect("a folder");
    let serving = serve(&folder, &ours.vouches_for("localhost"), Some(&callers)).await;
    let known = || Options::default().authority(ours.pem());
    let showing = |own: Certified| known().certificate(own.certificate, own.key);

    ask(&serving, "https", showing(callers.vouches_for("partner"))).await.expect("is answered");

    ask(&serving, "https", known()).await.expect_err("shows nothing");
    ask(&serving, "https", showing(another.vouches_for("partner"))).await.expect_err("nobody vouches for it here");
    serving.end().await;
}
