//! The configuration: compiled-in defaults, a file, the environment, flags; the later the stronger.
//!
//! Unknown keys and impossible pairs are refused at start, with a sentence each.

mod possible;
mod trouble;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::Figment;
use figment::providers::{Env, Format, Toml};
use serde::Deserialize;

use crate::kit::tx::DatabaseSettings;
use crate::layer::proxies::Proxies;

pub use self::trouble::ConfigError;

const DEFAULTS: &str = include_str!("../config.toml");
/// Variables of ours that are not options of the server: where clients find it, and what they call with;
/// and what tests run with.
const CLIENT_VARIABLES: &[&str] = &["url", "token", "api_key", "session", "config", "python", "test_backends"];

/// A secret: never shown.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The secret, unless it is empty.
    pub fn reveal(&self) -> Option<&str> {
        (!self.0.is_empty()).then_some(&*self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "(not set)" } else { "(secret)" })
    }
}

macro_rules! section {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $kind:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(missing_docs, reason = "each field is documented in config.toml")]
        pub struct $name { $(pub $field: $kind,)* }
    };
}

section!(
    /// Every option; each is documented in `config.toml`.
    Config {
        listen: SocketAddr,
        http: SocketAddr,
        metrics: String,
        public_url: String,
        data: PathBuf,
        database: Secret,
        database_connections: u32,
        database_job_connections: u32,
        job_database: Secret,
        database_replica: Secret,
        database_replica_lag_seconds: u64,
        database_statement_seconds: u64,
        database_idle_seconds: u64,
        redis: Secret,
        redis_prefix: String,
        queue: Secret,
        queue_prefix: String,
        master_key: Secret,
        services: Vec<String>,
        workers: Vec<String>,
        cors_origins: Vec<String>,
        trusted_proxies: Proxies,
        drain_seconds: u64,
        log: Log,
        limit: Limit,
        tls: Tls,
        token: Token,
        password: Password,
        payment: Payment,
        booking: Booking,
    }
);
section!(
    /// What is logged, and how.
    Log { filter: String, format: LogFormat, }
);
section!(
    /// How much is taken at once.
    Limit {
        message_bytes: usize,
        calls: usize,
        calls_per_service: usize,
        streams: usize,
        member_calls_per_second: u32,
        member_burst: u32,
        address_calls_per_second: u32,
        address_burst: u32,
        default_deadline_seconds: u64,
        longest_deadline_seconds: u64,
    }
);
section!(
    /// Encryption of the gRPC port.
    Tls { certificate: String, key: String, client_authority: String, }
);
section!(
    /// Access and refresh tokens.
    Token { issuer: String, access_minutes: i64, refresh_days: i64, }
);
section!(
    /// Password hashes and failed logins.
    Password { memory_kib: u32, failed_logins: u32, }
);
section!(
    /// The payment provider.
    Payment { provider: ProviderKind, url: String, secret_key: Secret, timeout_seconds: u64, alarm_minutes: i64, allow_simulator: bool, }
);
section!(
    /// Holds, quotes and requests to book.
    Booking {
        hold_minutes: i64,
        longest_hold_minutes: i64,
        quote_minutes: i64,
        holds_per_member: u64,
        request_hours: i64,
        paying_minutes: i64,
    }
);

/// How log lines look.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// Who takes the money.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum ProviderKind {
    /// The built-in simulator.
    Simulator,
    /// Toss Payments.
    Toss,
}

/// One option, for people to look at.
#[derive(Clone, Debug)]
pub struct OptionLine {
    /// Its name, with dots.
    pub name: String,
    /// Its value as JSON; `(secret)` for secrets.
    pub value: String,
    /// Where the value came from.
    pub source: String,
}

/// Where options come from.
#[derive(Clone, Debug)]
pub struct Sources {
    figment: Figment,
    file: Option<PathBuf>,
}

impl Sources {
    /// The defaults, then a file when one is given, then the environment.
    pub fn read(file: Option<&Path>) -> Self {
        let mut figment = Figment::from(Toml::string(DEFAULTS));
        if let Some(file) = file {
            figment = figment.merge(Toml::file_exact(file));
        }
        let figment = figment.merge(Env::prefixed("YEYAK_").ignore(CLIENT_VARIABLES).split("__"));
        Self { figment, file: file.map(Path::to_owned) }
    }

    /// Overrules one option, as a flag does.
    #[must_use]
    pub fn with(self, name: &str, value: impl serde::Serialize) -> Self {
        Self { figment: self.figment.merge((name, value)), ..self }
    }

    /// The configuration, checked.
    pub fn config(&self) -> Result<Config, ConfigError> {
        let config: Config = self.read_as()?;
        let wrong = config.wrong();
        if wrong.is_empty() { Ok(config) } else { Err(ConfigError::Impossible(wrong)) }
    }

    /// Every option with its value and where it came from, in the order of `config.toml`.
    pub fn lines(&self) -> Result<Vec<OptionLine>, ConfigError> {
        let all: figment::value::Dict = self.read_as()?;
        let mut lines = Vec::new();
        collect(&self.figment, "", &all, &mut lines);
        let position =
            |line: &OptionLine| DEFAULTS.find(&format!("\n{} =", line.name.rsplit('.').next().unwrap_or("")));
        lines.sort_by_key(|line| {
            (line.name.contains('.'), line.name.split('.').next().map(str::to_owned), position(line))
        });
        Ok(lines)
    }
}

fn collect(figment: &Figment, prefix: &str, values: &figment::value::Dict, lines: &mut Vec<OptionLine>) {
    const SECRET: &[&str] =
        &["master_key", "payment.secret_key", "database", "database_replica", "job_database", "redis", "queue"];
    for (key, value) in values {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        if let figment::value::Value::Dict(_, inner) = value {
            collect(figment, &name, inner, lines);
            continue;
        }
        let source = match figment.find_metadata(&name) {
            Some(metadata) if metadata.name.contains("TOML source string") => "default".to_owned(),
            Some(metadata) if metadata.name.contains("environment variable") => {
                format!("environment: YEYAK_{}", name.to_uppercase().replace('.', "__"))
            }
            Some(metadata) => match &metadata.source {
                Some(source) => source.to_string(),
                None => metadata.name.to_string(),
            },
            None => "flag".to_owned(),
        };
        let shown = match value {
            figment::value::Value::String(_, text) if SECRET.contains(&&*name) && !text.is_empty() => {
                "(secret)".to_owned()
            }
            value => serde_json::to_string(value).unwrap_or_default(),
        };
        lines.push(OptionLine { name, value: shown, source });
    }
}

impl Config {
    /// The URL of the database.
    pub fn database_url(&self) -> String {
        match self.database.reveal() {
            Some(url) => url.to_owned(),
            None => format!("sqlite:{}", self.data.join("yeyak.db").display()),
        }
    }

    /// How the database is reached that runs of jobs are kept in, where that is another.
    pub fn job_database_settings(&self) -> Option<DatabaseSettings> {
        let url = self.job_database.reveal()?.to_owned();
        // As many as there are sessions of a run, and one that tells how far it is.
        Some(DatabaseSettings { url, replica: None, connections: 3, job_connections: 3, ..self.database_settings() })
    }

    /// How the database is reached.
    pub fn database_settings(&self) -> DatabaseSettings {
        DatabaseSettings {
            url: self.database_url(),
            replica: self.database_replica.reveal().map(str::to_owned),
            replica_lag: Duration::from_secs(self.database_replica_lag_seconds),
            connections: self.database_connections,
            job_connections: self.database_job_connections,
            statement_timeout: Duration::from_secs(self.database_statement_seconds),
            idle: Duration::from_secs(self.database_idle_seconds),
        }
    }

    /// Whether everything is kept in the data folder.
    pub fn is_embedded(&self) -> bool {
        self.database_url().starts_with("sqlite:")
    }

    /// The URL of RabbitMQ, when it carries the events.
    pub fn queue_url(&self) -> Option<&str> {
        self.queue.reveal().filter(|queue| *queue != "database")
    }

    /// Whether this process serves a service, given by its full name.
    pub fn serves(&self, service: &str) -> bool {
        let domain = service.split('.').nth(1).unwrap_or_default();
        self.services.iter().any(|wanted| wanted == "all" || wanted == domain)
    }

    /// How long calls in flight may go on after a stop is asked for.
    pub fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }

    /// Whether the gRPC port is encrypted.
    pub fn has_tls(&self) -> bool {
        !self.tls.certificate.is_empty()
    }

    /// Whether strangers may reach this installation.
    fn is_exposed(&self) -> bool {
        let public = |address: IpAddr| !address.is_loopback();
        !self.is_embedded() || self.has_tls() || public(self.listen.ip()) || public(self.http.ip())
    }
}

#[cfg(test)]
mod tests;
