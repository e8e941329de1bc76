//! `yeyak serve`.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat, Sources};
use crate::serve::{Platform, Ports, ServeError, World};

/// Options that are often given by hand; all others come from the file and the environment.
#[derive(Args, Debug, Default)]
pub(super) struct Serve {
    /// Where gRPC is served [default: 127.0.0.1:7070].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where pay pages and webhooks are served [default: 127.0.0.1:7071].
    #[arg(long, value_name = "ADDRESS")]
    http: Option<SocketAddr>,
    /// The folder of the embedded database [default: yeyak-data].
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Which domains to serve, such as `member,stay` [default: all].
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    services: Option<Vec<String>>,
    /// Which background work to do, such as `expiry,reconcile` [default: all].
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    workers: Option<Vec<String>>,
}

impl Serve {
    fn overrule(self, mut sources: Sources) -> Sources {
        if let Some(listen) = self.listen {
            sources = sources.with("listen", listen);
        }
        if let Some(http) = self.http {
            sources = sources.with("http", http);
        }
        if let Some(data) = self.data {
            sources = sources.with("data", data);
        }
        if let Some(services) = self.services {
            sources = sources.with("services", services);
        }
        if let Some(workers) = self.workers {
            sources = sources.with("workers", workers);
        }
        sources
    }

    pub(super) fn run(self, sources: Sources) -> Result<(), ServeError> {
        let config = self.overrule(sources).config()?;
        log(&config)?;
        let runtime = tokio::runtime::Runtime::new().map_err(|error| ServeError::Other(error.to_string()))?;
        runtime.block_on(async {
            let platform = Platform::open(config.clone(), World::default()).await?;
            platform.serve(|ports| greet(&config, ports), asked_to_stop()).await
        })
    }
}

fn log(config: &Config) -> Result<(), ServeError> {
    let filter = EnvFilter::try_new(&config.log.filter)
        .map_err(|error| ServeError::Other(format!("`log.filter` can't be read: {error}")))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log.format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    Ok(())
}

/// Tells in a few lines what is served where, and what to try.
fn greet(config: &Config, ports: &Ports) {
    let scheme = if config.has_tls() { "https" } else { "http" };
    let database =
        if config.is_embedded() { format!("SQLite in {}", config.data.display()) } else { "PostgreSQL".to_owned() };
    println!("yeyak {} is serving", env!("CARGO_PKG_VERSION"));
    println!("  gRPC      {scheme}://{}", ports.grpc);
    println!("  HTTP      http://{}", ports.http);
    println!("  database  {database}");
    println!("Try:");
    println!("  cargo run --example book_a_stay            # sign up, book, pay, cancel");
    println!("  yeyak demo                                 # load 300 properties to look at");
    println!("  yeyak call yeyak.stay.v1.StaySearchService/SearchStays '{{\"region\":\"JEJU\"}}'");
}

/// Done when the process is told to end: Ctrl-C, or SIGTERM.
async fn asked_to_stop() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => tokio::select! { _ = interrupt => {} _ = terminate.recv() => {} },
            Err(_) => drop(interrupt.await),
        }
    }
    #[cfg(not(unix))]
    drop(interrupt.await);
}
