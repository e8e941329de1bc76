//! The configuration: compiled-in defaults, a file, the environment, flags; the later the stronger.
//!
//! Unknown keys and impossible pairs are refused at start, with a sentence each.

mod trouble;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::Figment;
use figment::providers::{Env, Format, Toml};
use serde::Deserialize;

use crate::backend::redis;
use crate::kit::tx::DatabaseSettings;

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

    fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut require = |holds: bool, sentence: &str| {
            if !holds {
                wrong.push(sentence.to_owned());
            }
        };
        let scheme = self.database_url();
        let known = ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme_of| scheme.starts_with(scheme_of));
        require(known, "`database` must begin with sqlite: or postgres://");
        require(
            !scheme.contains(":memory:"),
            "`database` can't be sqlite::memory:, since its readers and writer would each have their own; give a file",
        );
        require(
            self.tls.certificate.is_empty() == self.tls.key.is_empty(),
            "`tls.certificate` and `tls.key` go together: give both or none",
        );
        require(
            self.tls.client_authority.is_empty() || self.has_tls(),
            "`tls.client_authority` needs `tls.certificate` and `tls.key`",
        );
        require(
            self.master_key.reveal().is_none_or(|key| key.chars().count() >= 32),
            "`master_key` must have at least 32 characters",
        );
        require(
            self.metrics.is_empty() || self.metrics.parse::<SocketAddr>().is_ok(),
            "`metrics` must be an address such as 127.0.0.1:7072, or empty",
        );
        require(
            self.database_connections >= 1 && self.database_job_connections >= 1,
            "`database_connections` and `database_job_connections` must be at least 1",
        );
        require(
            (1..=3600).contains(&self.database_statement_seconds),
            "`database_statement_seconds` must be 1 to 3,600",
        );
        require((1..=86_400).contains(&self.database_idle_seconds), "`database_idle_seconds` must be 1 to 86,400");
        require(
            self.database_replica.reveal().is_none_or(|url| url.starts_with("postgres") && !self.is_embedded()),
            "`database_replica` must begin with postgres://, and `database` with it",
        );
        require(
            self.job_database.reveal().is_none_or(|url| url.starts_with("postgres") && !self.is_embedded()),
            "`job_database` must begin with postgres://, and `database` with it",
        );
        if let Some(Err(reason)) = self.redis.reveal().map(redis::check) {
            require(false, &format!("`redis` {reason}"));
        }
        let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
        require(
            (1..=32).contains(&self.redis_prefix.len()) && self.redis_prefix.chars().all(plain),
            "`redis_prefix` must be 1 to 32 letters, digits, - and _",
        );
        let amqp = |url: &str| url.starts_with("amqp://") || url.starts_with("amqps://");
        require(
            self.queue_url().is_none_or(|url| amqp(url) && url.parse::<lapin::uri::AMQPUri>().is_ok()),
            "`queue` must be empty, \"database\", or a URL such as amqp://user:password@host:5672/%2f",
        );
        let in_names = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
        require(
            (1..=60).contains(&self.queue_prefix.len()) && self.queue_prefix.chars().all(in_names),
            "`queue_prefix` must have 1 to 60 letters, digits, `-`, `_` and `.`",
        );
        let workers = [
            "all",
            "none",
            "relay",
            "expiry",
            "reconcile",
            "tidy-requests",
            "payment-webhook",
            "coupon-issuer",
            "coupon-receipts",
            "coupon-ends",
            "coupon-gates",
            "points-daily",
        ];
        require(
            self.workers.iter().all(|name| workers.contains(&&**name)),
            &format!("`workers` must name work of {}", workers.join(", ")),
        );
        require(
            (8 * 1024..=64 * 1024 * 1024).contains(&self.limit.message_bytes),
            "`limit.message_bytes` must be 8,192 to 67,108,864",
        );
        require(
            self.limit.calls >= 1 && self.limit.calls_per_service >= 1,
            "`limit.calls` and `limit.calls_per_service` must be at least 1",
        );
        require(
            [
                self.limit.member_calls_per_second,
                self.limit.member_burst,
                self.limit.address_calls_per_second,
                self.limit.address_burst,
            ]
            .iter()
            .all(|limit| *limit >= 1),
            "the rate limits under `limit` must be at least 1",
        );
        require(
            (1..=self.limit.longest_deadline_seconds).contains(&self.limit.default_deadline_seconds),
            "`limit.default_deadline_seconds` must be at least 1 and at most `limit.longest_deadline_seconds`",
        );
        require((1..=1440).contains(&self.token.access_minutes), "`token.access_minutes` must be 1 to 1,440");
        require((1..=3650).contains(&self.token.refresh_days), "`token.refresh_days` must be 1 to 3,650");
        require((8..=1_048_576).contains(&self.password.memory_kib), "`password.memory_kib` must be 8 to 1,048,576");
        require(self.password.failed_logins >= 1, "`password.failed_logins` must be at least 1");
        require((1..=1440).contains(&self.booking.hold_minutes), "`booking.hold_minutes` must be 1 to 1,440");
        require(
            (self.booking.hold_minutes..=10_080).contains(&self.booking.longest_hold_minutes),
            "`booking.longest_hold_minutes` must be at least `booking.hold_minutes` and at most 10,080",
        );
        require((1..=1440).contains(&self.booking.quote_minutes), "`booking.quote_minutes` must be 1 to 1,440");
        require((1..=720).contains(&self.booking.request_hours), "`booking.request_hours` must be 1 to 720");
        require((1..=60).contains(&self.booking.paying_minutes), "`booking.paying_minutes` must be 1 to 60");
        require((1..=60).contains(&self.payment.timeout_seconds), "`payment.timeout_seconds` must be 1 to 60");
        require((1..=10_080).contains(&self.payment.alarm_minutes), "`payment.alarm_minutes` must be 1 to 10,080");
        let simulated = self.payment.provider == ProviderKind::Simulator;
        require(
            simulated || self.payment.secret_key.reveal().is_some(),
            "`payment.provider` = \"toss\" needs `payment.secret_key`",
        );
        require(!simulated || self.payment.allow_simulator || !self.is_exposed(), EXPOSED);
        wrong
    }

    /// Whether strangers may reach this installation.
    fn is_exposed(&self) -> bool {
        let public = |address: IpAddr| !address.is_loopback();
        !self.is_embedded() || self.has_tls() || public(self.listen.ip()) || public(self.http.ip())
    }
}

const EXPOSED: &str = "`payment.provider` is the simulator, which takes no money, while PostgreSQL, TLS or a public address is configured; \
    set `payment.provider` and its key, or `payment.allow_simulator = true` if this is meant";

#[cfg(test)]
mod tests;
