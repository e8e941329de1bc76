//! How long a start takes, and what the process weighs at rest.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use yeyak::{Client, Options};
use yeyak_proto::grpc::health::v1::HealthCheckRequest;
use yeyak_proto::grpc::health::v1::health_check_response::ServingStatus;
use yeyak_proto::grpc::health::v1::health_client::HealthClient;

use crate::Done;

/// A child that ends with this process.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Ended already.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// Starts the binary on a folder that is in use for some time, until it says that it serves.
pub(crate) async fn start(folder: &Path) -> Done {
    let free = || TcpListener::bind("127.0.0.1:0")?.local_addr();
    let (grpc, http) = (free()?, free()?);
    let mut command = Command::new(env!("CARGO_BIN_EXE_yeyak"));
    command.args(["serve", "--listen", &grpc.to_string(), "--http", &http.to_string(), "--data"]).arg(folder);
    command.env("YEYAK_METRICS", "").env("YEYAK_LOG__FILTER", "warn").stdout(Stdio::null());
    let begun = Instant::now();
    let child = Running(command.spawn()?);
    let url = format!("http://{grpc}");
    while !serves(&url).await {
        if begun.elapsed() > Duration::from_secs(20) {
            return Err("the server did not start within 20 seconds".into());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let ms = begun.elapsed().as_secs_f64() * 1000.0;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.0.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    println!(r#"{{"bench":"booking","what":"start","ms":{ms:.0},"rss_mb":{:.1}}}"#, kilobytes / 1024.0);
    Ok(())
}

async fn serves(url: &str) -> bool {
    let Ok(client) = Client::connect_with(url, Options::default().attempts(1)).await else { return false };
    let check = HealthClient::new(client.raw()).check(HealthCheckRequest { service: String::new() }).await;
    check.is_ok_and(|answer| answer.into_inner().status() == ServingStatus::Serving)
}
