//! `yeyak health`.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use comfy_table::{Cell, Color};
use serde_json::json;
use tonic::{Code, Request, Status};
use yeyak::Client;
use yeyak_proto::grpc::health::v1::health_check_response::ServingStatus;
use yeyak_proto::grpc::health::v1::health_client::HealthClient;
use yeyak_proto::grpc::health::v1::{HealthCheckRequest, HealthListRequest};

use super::failure::Failure;
use super::output;
use super::target::{Target, block_on};
use crate::serve::health::QUEUE;

/// A probe that waits longer has its answer already.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks whether a server takes calls; exits with 0 when it does, and with 1 when not.
#[derive(Args, Debug)]
pub(super) struct Health {
    /// One service, such as `yeyak.member.v1.AuthService`; all of them when left out.
    service: Option<String>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

type Statuses = BTreeMap<String, ServingStatus>;

impl Health {
    pub(super) fn run(self) -> Result<(), Failure> {
        let statuses = block_on(async {
            let client = self.target.connect().await?;
            let asked = match &self.service {
                Some(service) => check(&client, service).await,
                None => list(&client).await,
            };
            asked.map_err(Failure::refused)
        });
        // An installation that can't be reached is not serving, whatever the reason.
        let statuses = statuses.map_err(Failure::not_serving)?;
        self.print(&statuses)?;
        // A server whose queue is away takes calls all the same: that is for people to see, not for a probe to act on.
        let matters = |name: &str| self.service.is_some() || name != QUEUE;
        let serving = statuses.iter().all(|(name, status)| *status == ServingStatus::Serving || !matters(name));
        if serving { Ok(()) } else { Err(Failure::told()) }
    }

    fn print(&self, statuses: &Statuses) -> Result<(), Failure> {
        if self.json {
            let all: Vec<_> = statuses
                .iter()
                .map(|(service, status)| json!({ "service": service, "status": status.as_str_name() }))
                .collect();
            return output::json(&all);
        }
        let rows = statuses.iter().map(|(service, status)| {
            let colour = if *status == ServingStatus::Serving { Color::Green } else { Color::Red };
            let service = if service.is_empty() { "(the server)" } else { service };
            [Cell::new(service), Cell::new(status.as_str_name()).fg(colour)]
        });
        output::table(&["service", "status"], rows)
    }
}

async fn check(client: &Client, service: &str) -> Result<Statuses, Status> {
    let mut request = Request::new(HealthCheckRequest { service: service.to_owned() });
    request.set_timeout(PATIENCE);
    let answer = HealthClient::new(client.raw()).check(request).await?.into_inner();
    Ok(BTreeMap::from([(service.to_owned(), answer.status())]))
}

async fn list(client: &Client) -> Result<Statuses, Status> {
    let mut request = Request::new(HealthListRequest {});
    request.set_timeout(PATIENCE);
    match HealthClient::new(client.raw()).list(request).await {
        Ok(answer) => {
            let statuses = answer.into_inner().statuses.into_iter();
            Ok(statuses.map(|(service, answer)| (service, answer.status())).collect())
        }
        // `List` is younger than `Check`.
        Err(status) if status.code() == Code::Unimplemented => check(client, "").await,
        Err(status) => Err(status),
    }
}
