//! A whole server inside another program: for examples, benches and tests of applications. On embedded backends, free ports
//! and a folder of its own, with a small catalogue to book from.

use std::sync::Arc;

use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::config::Sources;
use crate::demo::{self, DemoSize};
use crate::serve::{Platform, Ports, ServeError, World};

/// A server in this process.
#[derive(Debug)]
pub struct Embedded {
    url: String,
    ports: Ports,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), ServeError>>,
    _folder: Arc<TempDir>,
}

impl Embedded {
    /// Starts a server and waits until it serves.
    pub async fn start() -> Result<Self, ServeError> {
        let folder = tempfile::tempdir().map_err(|error| ServeError::Other(error.to_string()))?;
        let config = Sources::read(None)
            .with("data", folder.path())
            .with("listen", "127.0.0.1:0")
            .with("http", "127.0.0.1:0")
            .with("metrics", "")
            .config()?;
        let platform = Platform::open(config, World::default()).await?;
        let size = DemoSize { properties: 20, days: 90, ..DemoSize::default() };
        demo::load(&platform, size, |_| {}).await?;
        let (ready, listening) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async { _ = stopped.await };
        let serving = tokio::spawn(platform.serve(move |ports| _ = ready.send(*ports), stopped));
        let ports = listening.await.map_err(|_| ServeError::Other("the server did not start".to_owned()))?;
        let url = format!("http://{}", ports.grpc);
        Ok(Self { url, ports, stop, serving, _folder: Arc::new(folder) })
    }

    /// Where the server is called.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens.
    pub fn ports(&self) -> Ports {
        self.ports
    }

    /// Stops the server, lets calls in flight end, and deletes its folder.
    pub async fn stop(self) -> Result<(), ServeError> {
        // Stopped already: its outcome is below.
        _ = self.stop.send(());
        self.serving.await.map_err(|error| ServeError::Other(error.to_string()))?
    }
}
