//! `yeyak serve`.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::failure::Failure;
use super::output;
use crate::config::{Config, LogFormat, Sources};
use crate::demo::DemoSize;
use crate::serve::{Platform, Ports, ServeError, World};

const SEARCH: &str = "yeyak.stay.v1.StaySearchService";

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
    /// Loads the demonstration catalogue first, as `yeyak demo` does.
    #[arg(long)]
    demo: bool,
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

    pub(super) fn run(self, sources: Sources) -> Result<(), Failure> {
        let demo = self.demo;
        let config = self.overrule(sources).config()?;
        log(&config)?;
        let runtime = tokio::runtime::Runtime::new().map_err(|error| ServeError::Other(error.to_string()))?;
        runtime.block_on(async {
            // From the first moment: a start may take a while, and nothing else ends the first process of a container.
            let stop = CancellationToken::new();
            let asked = asked_to_stop();
            tokio::spawn({
                let stop = stop.clone();
                async move {
                    asked.await;
                    stop.cancel();
                }
            });
            let opening = async {
                let platform = Platform::open(config.clone(), World::default()).await?;
                if demo {
                    super::demo::load(&platform, DemoSize::default()).await?;
                }
                Ok::<_, Failure>(platform)
            };
            let Some(platform) = stop.run_until_cancelled(opening).await else { return Ok(()) };
            let platform = platform?;
            let sells_here = config.is_embedded() && config.serves(SEARCH);
            // Nobody is kept from serving by a hint.
            let is_empty = sells_here && platform.stays.is_empty().await.unwrap_or(false);
            platform.serve(|ports| greet(&config, ports, is_empty), stop.cancelled_owned()).await?;
            Ok(())
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
fn greet(config: &Config, ports: &Ports, is_empty: bool) {
    let scheme = if config.has_tls() { "https" } else { "http" };
    let database =
        if config.is_embedded() { format!("SQLite in {}", config.data.display()) } else { "PostgreSQL".to_owned() };
    let queue = config.queue_url().map_or("", |_| "\n  queue     RabbitMQ");
    // As it was called: who runs it by `cargo run` has none in the path.
    let yeyak = std::env::args_os().next().map_or_else(|| "yeyak".into(), |name| name.to_string_lossy().into_owned());
    let hint = match is_empty {
        true => {
            let data = config.data.display();
            format!(
                "\nThere is nothing to find yet. Stop it, and `{yeyak} serve --demo --data {data}` loads 300 properties first."
            )
        }
        false => String::new(),
    };
    let text = format!(
        "yeyak {} is serving
  gRPC      {scheme}://{}
  HTTP      http://{}
  database  {database}{queue}
Try, with YEYAK_URL={scheme}://{} in the environment:
  cargo run --example book_a_stay
  {yeyak} call --list
  {yeyak} call {SEARCH}/SearchStays '{{\"region\": \"JEJU\"}}'{hint}",
        env!("CARGO_PKG_VERSION"),
        ports.grpc,
        ports.http,
        ports.grpc,
    );
    // Whoever reads no output serves all the same.
    _ = output::say(text.trim_end());
}

/// Done when the process is told to end: Ctrl-C, or SIGTERM. Listens from now on.
fn asked_to_stop() -> impl Future<Output = ()> {
    #[cfg(unix)]
    let mut terminate = {
        use tokio::signal::unix::{SignalKind, signal};
        signal(SignalKind::terminate()).ok()
    };
    async move {
        let interrupt = tokio::signal::ctrl_c();
        #[cfg(unix)]
        if let Some(terminate) = &mut terminate {
            tokio::select! { _ = interrupt => {} _ = terminate.recv() => {} }
            return;
        }
        drop(interrupt.await);
    }
}
