//! What options can't be, alone or together, with a sentence each.

use std::net::SocketAddr;

use super::{Booking, Config, Limit, ProviderKind};
use crate::backend::redis;

/// What `workers` may name.
const WORKERS: [&str; 15] = [
    "all",
    "none",
    "relay",
    "expiry",
    "reconcile",
    "tidy-requests",
    "tidy-logins",
    "payment-webhook",
    "coupon-issuer",
    "coupon-receipts",
    "coupon-ends",
    "coupon-gates",
    "coupon-grants",
    "coupon-grant-lists",
    "points-daily",
];
const EXPOSED: &str = "`payment.provider` is the simulator, which takes no money, while PostgreSQL, TLS or a public address is configured; \
    set `payment.provider` and its key, or `payment.allow_simulator = true` if this is meant";

/// What is wrong.
#[derive(Default)]
struct Wrong(Vec<String>);

impl Wrong {
    fn unless(&mut self, holds: bool, sentence: &str) {
        if !holds {
            self.0.push(sentence.to_owned());
        }
    }
}

impl Config {
    /// Everything that can't be.
    pub(super) fn wrong(&self) -> Vec<String> {
        let mut wrong = Wrong::default();
        self.check_database(&mut wrong);
        self.check_ports(&mut wrong);
        self.check_services(&mut wrong);
        self.limit.check(&mut wrong);
        self.check_accounts(&mut wrong);
        self.booking.check(&mut wrong);
        self.check_payment(&mut wrong);
        wrong.0
    }

    fn check_database(&self, wrong: &mut Wrong) {
        let scheme = self.database_url();
        let known = ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme_of| scheme.starts_with(scheme_of));
        wrong.unless(known, "`database` must begin with sqlite: or postgres://");
        wrong.unless(
            !scheme.contains(":memory:"),
            "`database` can't be sqlite::memory:, since its readers and writer would each have their own; give a file",
        );
        wrong.unless(
            self.database_connections >= 1 && self.database_job_connections >= 1,
            "`database_connections` and `database_job_connections` must be at least 1",
        );
        wrong.unless(
            (1..=3600).contains(&self.database_statement_seconds),
            "`database_statement_seconds` must be 1 to 3,600",
        );
        wrong.unless((1..=86_400).contains(&self.database_idle_seconds), "`database_idle_seconds` must be 1 to 86,400");
        wrong.unless(
            self.database_replica.reveal().is_none_or(|url| url.starts_with("postgres") && !self.is_embedded()),
            "`database_replica` must begin with postgres://, and `database` with it",
        );
        wrong.unless(
            self.job_database.reveal().is_none_or(|url| url.starts_with("postgres") && !self.is_embedded()),
            "`job_database` must begin with postgres://, and `database` with it",
        );
    }

    fn check_ports(&self, wrong: &mut Wrong) {
        wrong.unless(
            self.tls.certificate.is_empty() == self.tls.key.is_empty(),
            "`tls.certificate` and `tls.key` go together: give both or none",
        );
        wrong.unless(
            self.tls.client_authority.is_empty() || self.has_tls(),
            "`tls.client_authority` needs `tls.certificate` and `tls.key`",
        );
        wrong.unless(
            self.master_key.reveal().is_none_or(|key| key.chars().count() >= 32),
            "`master_key` must have at least 32 characters",
        );
        wrong.unless(
            self.metrics.is_empty() || self.metrics.parse::<SocketAddr>().is_ok(),
            "`metrics` must be an address such as 127.0.0.1:7072, or empty",
        );
    }

    fn check_services(&self, wrong: &mut Wrong) {
        if let Some(Err(reason)) = self.redis.reveal().map(redis::check) {
            wrong.unless(false, &format!("`redis` {reason}"));
        }
        let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
        wrong.unless(
            (1..=32).contains(&self.redis_prefix.len()) && self.redis_prefix.chars().all(plain),
            "`redis_prefix` must be 1 to 32 letters, digits, - and _",
        );
        let amqp = |url: &str| url.starts_with("amqp://") || url.starts_with("amqps://");
        wrong.unless(
            self.queue_url().is_none_or(|url| amqp(url) && url.parse::<lapin::uri::AMQPUri>().is_ok()),
            "`queue` must be empty, \"database\", or a URL such as amqp://user:password@host:5672/%2f",
        );
        let in_names = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
        wrong.unless(
            (1..=60).contains(&self.queue_prefix.len()) && self.queue_prefix.chars().all(in_names),
            "`queue_prefix` must have 1 to 60 letters, digits, `-`, `_` and `.`",
        );
        wrong.unless(
            self.workers.iter().all(|name| WORKERS.contains(&&**name)),
            &format!("`workers` must name work of {}", WORKERS.join(", ")),
        );
    }

    fn check_accounts(&self, wrong: &mut Wrong) {
        wrong.unless((1..=1440).contains(&self.token.access_minutes), "`token.access_minutes` must be 1 to 1,440");
        wrong.unless((1..=3650).contains(&self.token.refresh_days), "`token.refresh_days` must be 1 to 3,650");
        wrong.unless(
            (8..=1_048_576).contains(&self.password.memory_kib),
            "`password.memory_kib` must be 8 to 1,048,576",
        );
        wrong.unless(self.password.failed_logins >= 1, "`password.failed_logins` must be at least 1");
    }

    fn check_payment(&self, wrong: &mut Wrong) {
        wrong.unless((1..=60).contains(&self.payment.timeout_seconds), "`payment.timeout_seconds` must be 1 to 60");
        wrong.unless((1..=10_080).contains(&self.payment.alarm_minutes), "`payment.alarm_minutes` must be 1 to 10,080");
        let simulated = self.payment.provider == ProviderKind::Simulator;
        wrong.unless(
            simulated || self.payment.secret_key.reveal().is_some(),
            "`payment.provider` = \"toss\" needs `payment.secret_key`",
        );
        wrong.unless(!simulated || self.payment.allow_simulator || !self.is_exposed(), EXPOSED);
    }
}

impl Limit {
    fn check(&self, wrong: &mut Wrong) {
        wrong.unless(
            (8 * 1024..=64 * 1024 * 1024).contains(&self.message_bytes),
            "`limit.message_bytes` must be 8,192 to 67,108,864",
        );
        wrong.unless(
            self.calls >= 1 && self.calls_per_service >= 1,
            "`limit.calls` and `limit.calls_per_service` must be at least 1",
        );
        wrong.unless(
            [self.member_calls_per_second, self.member_burst, self.address_calls_per_second, self.address_burst]
                .iter()
                .all(|limit| *limit >= 1),
            "the rate limits under `limit` must be at least 1",
        );
        wrong.unless(
            (1..=self.longest_deadline_seconds).contains(&self.default_deadline_seconds),
            "`limit.default_deadline_seconds` must be at least 1 and at most `limit.longest_deadline_seconds`",
        );
    }
}

impl Booking {
    fn check(&self, wrong: &mut Wrong) {
        wrong.unless((1..=1440).contains(&self.hold_minutes), "`booking.hold_minutes` must be 1 to 1,440");
        wrong.unless(
            (self.hold_minutes..=10_080).contains(&self.longest_hold_minutes),
            "`booking.longest_hold_minutes` must be at least `booking.hold_minutes` and at most 10,080",
        );
        wrong.unless((1..=1440).contains(&self.quote_minutes), "`booking.quote_minutes` must be 1 to 1,440");
        wrong.unless((1..=720).contains(&self.request_hours), "`booking.request_hours` must be 1 to 720");
        wrong.unless((1..=60).contains(&self.paying_minutes), "`booking.paying_minutes` must be 1 to 60");
    }
}
