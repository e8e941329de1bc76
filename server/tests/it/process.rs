//! Servers in processes of their own, over one installation.

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;
use tokio::process::{Child, Command};
use yeyak::{Client, Options};

use crate::harness::{Installation, Yeyak};
use crate::place::{Place, Plan};

const PATIENCE: Duration = Duration::from_secs(30);

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("listens");
    listener.local_addr().expect("an address").port()
}

/// The command `yeyak` over an installation, with no limit that a load would meet.
pub(crate) fn command(installation: &Installation) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_yeyak"));
    command
        .current_dir(installation.folder.path())
        .env_clear()
        .envs(installation.environment())
        .env("YEYAK_PASSWORD__MEMORY_KIB", "8")
        .env("YEYAK_METRICS", "")
        .env("YEYAK_LOG__FILTER", "error")
        .env("YEYAK_LIMIT__MEMBER_CALLS_PER_SECOND", "1000000")
        .env("YEYAK_LIMIT__MEMBER_BURST", "1000000")
        .env("YEYAK_LIMIT__ADDRESS_CALLS_PER_SECOND", "1000000")
        .env("YEYAK_LIMIT__ADDRESS_BURST", "1000000")
        .env("YEYAK_BOOKING__HOLDS_PER_MEMBER", "100000")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// The command `yeyak serve`, on ports that stay the same.
pub(crate) struct Server {
    installation: Arc<Installation>,
    ports: [u16; 2],
    flags: Vec<String>,
    variables: Vec<(String, String)>,
    log: NamedTempFile,
    child: Child,
}

impl Server {
    pub(crate) async fn start(installation: &Arc<Installation>) -> Self {
        Self::start_with(installation, &[]).await
    }

    /// With flags of its own, such as `["--services", "stay"]`.
    pub(crate) async fn start_with(installation: &Arc<Installation>, flags: &[&str]) -> Self {
        Self::start_as(installation, flags, &[]).await
    }

    /// With variables of its own in its environment.
    pub(crate) async fn start_in(installation: &Arc<Installation>, variables: &[(&str, &str)]) -> Self {
        Self::start_as(installation, &[], variables).await
    }

    pub(crate) async fn start_as(installation: &Arc<Installation>, flags: &[&str], variables: &[(&str, &str)]) -> Self {
        let ports = [free_port(), free_port()];
        let flags: Vec<_> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| (String::from(*name), String::from(*value))).collect();
        let log = NamedTempFile::new().expect("a file");
        let child = spawn(installation, ports, &flags, &variables, &log).await;
        Self { installation: installation.clone(), ports, flags, variables, log, child }
    }

    /// What it has said so far, in all its lives.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).expect("a log")
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    /// `kill -9`.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.expect("kills");
    }

    /// Another one over what is left.
    pub(crate) async fn start_again(&mut self) {
        self.child = spawn(&self.installation, self.ports, &self.flags, &self.variables, &self.log).await;
    }

    /// SIGTERM, and the end that follows; how long that took.
    pub(crate) async fn stop(&mut self) -> Duration {
        let began = Instant::now();
        let id = self.child.id().expect("it runs").to_string();
        let sent = Command::new("sh").arg("-c").arg(format!("kill -TERM {id}")).status().await.expect("a shell");
        assert!(sent.success());
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends").expect("our own child");
        assert!(ended.success(), "{ended}");
        began.elapsed()
    }

    /// What `yeyak health --json` says.
    pub(crate) async fn health(&self) -> String {
        let health = command(&self.installation).args(["health", "--json", "--url", &self.url()]).output();
        let health = health.await.expect("runs");
        assert!(health.status.success(), "{health:?}");
        String::from_utf8_lossy(&health.stdout).into_owned()
    }

    pub(crate) async fn connect(&self) -> Client {
        let options = Options::default().attempts(1).deadline(Duration::from_secs(3));
        Client::connect_with(&self.url(), options).await.expect("connects")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        eprint!("{}", self.log());
    }
}

async fn spawn(
    installation: &Installation,
    ports: [u16; 2],
    flags: &[String],
    variables: &[(String, String)],
    log: &NamedTempFile,
) -> Child {
    let [grpc, http] = ports.map(|port| format!("127.0.0.1:{port}"));
    let mut serve = command(installation);
    serve.arg("serve").args(["--listen", &grpc, "--http", &http]).args(flags);
    serve.envs(variables.iter().map(|(name, value)| (name, value)));
    let log = std::fs::File::options().append(true).open(log.path()).expect("a log");
    let mut child = serve.stdout(Stdio::null()).stderr(log).spawn().expect("starts");
    let began = Instant::now();
    while tokio::net::TcpStream::connect(&grpc).await.is_err() {
        assert!(child.try_wait().expect("asks").is_none(), "the server ended by itself");
        assert!(began.elapsed() < PATIENCE, "the server does not listen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    child
}

impl Installation {
    /// One with a place to book in it, which no process uses.
    pub(crate) async fn with_a_place(rooms: i32) -> (Arc<Self>, Arc<Place>) {
        Self::with_a_place_on(yeyak_services::on_production(), rooms).await
    }

    /// One that processes can share, whatever this test run is on.
    pub(crate) async fn of_production(rooms: i32) -> (Arc<Self>, Arc<Place>) {
        Self::with_a_place_on(true, rooms).await
    }

    async fn with_a_place_on(production: bool, rooms: i32) -> (Arc<Self>, Arc<Place>) {
        Self::new(production).await.open(rooms).await
    }

    /// Has a place to book in it.
    pub(crate) async fn open(self, rooms: i32) -> (Arc<Self>, Arc<Place>) {
        let now = yeyak_server::serve::World::default().clock.now();
        let yeyak = Yeyak::on(self, now).await;
        let arrival = now.date_naive() + chrono::Days::new(31);
        let place = yeyak.place(Plan { rooms, arrival, ..Plan::default() }).await;
        (Arc::new(yeyak.leave().await), Arc::new(place))
    }

    /// `yeyak check` finds nothing.
    pub(crate) async fn check(&self) {
        let check = command(self).arg("check").output().await.expect("runs");
        assert!(check.status.success(), "{check:?}");
    }
}
