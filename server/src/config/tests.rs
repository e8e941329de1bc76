//! Which configurations are refused, and what is never shown.

use super::*;

fn sources() -> Sources {
    Sources { figment: Figment::from(Toml::string(DEFAULTS)), file: None }
}

#[test]
fn the_defaults_are_a_configuration() {
    let config = sources().config().expect("the defaults are good");
    assert!(config.is_embedded());
}

#[test]
fn what_nobody_knows_and_what_can_not_be_is_refused() {
    let unknown = sources().with("lisden", "x").config().expect_err("unknown");
    assert_eq!(unknown.to_string(), "there is no option `lisden`; did you mean `listen`?");
    let cases = [
        ("listen", "0.0.0.0:7070", "allow_simulator"),
        ("tls.key", "key.pem", "tls.certificate"),
        ("database", "sqlite::memory:", "memory"),
        ("database", "mysql://x", "sqlite:"),
        ("redis", "http://host", "`redis` must begin with"),
        ("redis_prefix", "a:b", "`redis_prefix`"),
        ("queue", "redis://localhost", "`queue`"),
        ("queue", "amqp://secret:5672:x", "`queue`"),
        ("queue_prefix", "", "queue_prefix"),
        ("queue_prefix", "a b", "queue_prefix"),
        ("master_key", "short", "master_key"),
        ("payment.provider", "toss", "payment.secret_key"),
    ];
    for (name, value, told) in cases {
        let refused = sources().with(name, value).config().expect_err(name).to_string();
        assert!(refused.contains(told), "{name}: {refused}");
        assert!(!refused.contains("secret:"), "{name}: {refused}");
    }
}

#[test]
fn secrets_are_never_shown() {
    let sources = sources().with("master_key", "0123456789012345678901234567890123");
    let sources = sources.with("redis", "redis://:0123@host").with("queue", "amqp://yeyak:0123@broker:5672/%2f");
    let config = sources.config().expect("good");
    let lines = sources.lines().expect("lines");
    assert!(!format!("{config:?}").contains("0123"));
    assert!(lines.iter().all(|line| !line.value.contains("0123")));
    for secret in ["master_key", "redis", "queue"] {
        assert!(lines.iter().any(|line| line.name == secret && line.value == "(secret)"), "{secret}");
    }
    assert_eq!(config.queue_url(), Some("amqp://yeyak:0123@broker:5672/%2f"));
}
