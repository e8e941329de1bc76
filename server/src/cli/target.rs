//! Which server a command talks to.

use clap::Args;
use yeyak::{Client, Options};

use super::failure::Failure;

/// The server to talk to.
#[derive(Args, Clone, Debug)]
pub(super) struct Target {
    /// Where the server is.
    #[arg(long, env = "YEYAK_URL", default_value = "http://127.0.0.1:7070", value_name = "URL")]
    url: String,
}

impl Target {
    /// The address, in the one form that sessions are kept under.
    pub(super) fn url(&self) -> &str {
        self.url.trim_end_matches('/')
    }

    /// Connects, as nobody.
    pub(super) async fn connect(&self) -> Result<Client, Failure> {
        let url = self.url();
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(Failure::usage(format!("--url {url} must begin with http:// or https://, as http://{url}")));
        }
        // A command shows what one attempt gave; whoever wants another one runs it again.
        Ok(Client::connect_with(url, Options::default().attempts(1)).await?)
    }
}

/// Runs what a command does over the network.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::failed)?;
    runtime.block_on(work)
}
