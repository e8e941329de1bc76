//! Payments put together: the provider that is configured, and the simulator when it is the one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio_util::task::TaskTracker;

use super::ServeError;
use crate::backend::provider::simulator::{self, Simulator};
use crate::backend::provider::toss::{self, Toss};
use crate::config::{Config, ProviderKind};
use crate::kit::Kit;
use crate::kit::keyring::Purpose;
use crate::payment::{PaymentSettings, Payments};

/// How this machine reaches its own HTTP port.
pub(super) fn local_url(http: SocketAddr) -> String {
    let host = match http.ip() {
        IpAddr::V4(address) if address.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(address) if address.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        address => address,
    };
    format!("http://{}", SocketAddr::new(host, http.port()))
}

fn public_url(config: &Config, http: SocketAddr) -> String {
    match config.public_url.trim_end_matches('/') {
        "" => local_url(http),
        url => url.to_owned(),
    }
}

/// The payments of an installation, and the simulator when it takes them.
pub(super) async fn open(
    config: &Config,
    kit: &Kit,
    http: SocketAddr,
    tasks: TaskTracker,
) -> Result<(Payments, Option<Simulator>), ServeError> {
    let other = |error: &dyn std::fmt::Display| ServeError::Other(error.to_string());
    let public_url = public_url(config, http);
    let (simulator, mut settings) = match config.payment.provider {
        ProviderKind::Simulator => {
            let base = format!("{}/simulator", local_url(http));
            // The same in every process that shares the keys; the oldest key gives it, so a rotation changes nothing.
            let secret = kit.keys.index(Purpose::Simulator, b"secret key");
            let secret: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
            let secret_key = format!("test_sk_{secret}");
            let settings = simulator::Settings {
                secret_key: secret_key.clone(),
                public_url: format!("{public_url}/simulator"),
                webhook_url: Some(format!("{}/webhooks/toss", local_url(http))),
            };
            let file = config.data.join("simulator.db");
            let opened = Simulator::open(&file, kit.clock.clone(), kit.ids.clone(), settings).await;
            (Some(opened.map_err(|error| other(&error))?), toss::Settings::new("simulator", base, secret_key))
        }
        ProviderKind::Toss => {
            let secret_key = config.payment.secret_key.reveal().unwrap_or_default();
            (None, toss::Settings::new("toss", &config.payment.url, secret_key))
        }
    };
    settings.call_timeout = Duration::from_secs(config.payment.timeout_seconds);
    settings.deadline = settings.call_timeout * 2;
    let provider = Toss::new(settings, kit.ids.clone()).map_err(|error| other(&error))?;
    let settings = PaymentSettings {
        public_url,
        paying: TimeDelta::minutes(config.booking.paying_minutes),
        alarm: TimeDelta::minutes(config.payment.alarm_minutes),
        tasks,
    };
    Ok((Payments::new(kit.clone(), Arc::new(provider), simulator.clone(), settings), simulator))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_every_interface_is_reached_by_loopback() {
        assert_eq!(local_url("0.0.0.0:80".parse().expect("an address")), "http://127.0.0.1:80");
        assert_eq!(local_url("[::]:80".parse().expect("an address")), "http://[::1]:80");
        assert_eq!(local_url("10.0.0.1:80".parse().expect("an address")), "http://10.0.0.1:80");
    }
}
