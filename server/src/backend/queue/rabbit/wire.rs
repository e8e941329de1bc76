//! A message as RabbitMQ carries it: the event as the body, all else in properties and headers.

use chrono::{DateTime, SecondsFormat, Utc};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use uuid::Uuid;

use crate::backend::queue::{Aside, Message, Unreadable};
use crate::kit::clock::Time;

const PERSISTENT: u8 = 2;
const AGGREGATE: &str = "aggregate";
const VERSION: &str = "version";
const ACTOR: &str = "actor";
const CREATE_TIME: &str = "create-time";
/// As W3C Trace Context has it.
const TRACE: &str = "traceparent";
const FAILURES: &str = "failures";
const ERROR: &str = "error";
const ASIDE_TIME: &str = "aside-time";
/// An error that goes with a message is for people to read.
const ERROR_CHARACTERS: usize = 500;

/// The properties of a message that has not failed.
pub(super) fn properties(message: &Message) -> BasicProperties {
    let mut headers = FieldTable::default();
    let mut text = |name: &str, value: String| {
        headers.insert(name.into(), AMQPValue::LongString(value.into()));
    };
    text(AGGREGATE, message.aggregate.to_string());
    text(ACTOR, message.actor.clone());
    text(CREATE_TIME, show(message.create_time));
    if !message.trace.is_empty() {
        // The event stands for the span that it was put in.
        let (_, span) = message.id.as_u64_pair();
        text(TRACE, format!("00-{}-{span:016x}-01", message.trace));
    }
    headers.insert(VERSION.into(), AMQPValue::LongLongInt(message.version));
    BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_content_type("application/protobuf".into())
        .with_message_id(message.id.to_string().into())
        .with_type(message.kind.as_str().into())
        .with_headers(headers)
}

/// The same message behind another failure.
pub(super) fn failed(properties: &BasicProperties, failures: i64, why: &str) -> BasicProperties {
    let mut headers = own_headers(properties);
    headers.insert(FAILURES.into(), AMQPValue::LongLongInt(failures));
    let why: String = why.chars().take(ERROR_CHARACTERS).collect();
    headers.insert(ERROR.into(), AMQPValue::LongString(why.into()));
    properties.clone().with_headers(headers)
}

/// The same message as it is put aside.
pub(super) fn put_aside(properties: &BasicProperties, failures: i64, why: &str, now: Time) -> BasicProperties {
    let properties = failed(properties, failures, why);
    let mut headers = own_headers(&properties);
    headers.insert(ASIDE_TIME.into(), AMQPValue::LongString(show(now).into()));
    properties.with_headers(headers)
}

/// The same message as if it had never failed.
pub(super) fn afresh(properties: &BasicProperties) -> BasicProperties {
    let mut headers = FieldTable::default();
    for (name, value) in own_headers(properties).inner() {
        if ![FAILURES, ERROR, ASIDE_TIME].contains(&name.as_str()) {
            headers.insert(name.clone(), value.clone());
        }
    }
    properties.clone().with_headers(headers)
}

/// The headers without those of the broker, such as its count of deliveries, which must not follow a new message.
fn own_headers(properties: &BasicProperties) -> FieldTable {
    let mut headers = FieldTable::default();
    for (name, value) in properties.headers().iter().flat_map(|headers| headers.inner()) {
        if !name.as_str().starts_with("x-") {
            headers.insert(name.clone(), value.clone());
        }
    }
    headers
}

/// How often a message has failed.
pub(super) fn failures(properties: &BasicProperties) -> i64 {
    number(properties, FAILURES).unwrap_or(0)
}

/// The id of a message, and what it is called in the log.
pub(super) fn id(properties: &BasicProperties) -> &str {
    properties.message_id().as_ref().map(|id| id.as_str()).unwrap_or_default()
}

/// The message that properties and a body are.
pub(super) fn message(properties: &BasicProperties, payload: &[u8]) -> Result<Message, Unreadable> {
    let missing =
        |what: &str| Unreadable { what: format!("a message's {what}"), why: "it is missing or malformed".into() };
    let kind = properties.kind().as_ref().ok_or_else(|| missing("type"))?.to_string();
    let aggregate = text(properties, AGGREGATE).and_then(|text| text.parse().ok());
    let trace = text(properties, TRACE).and_then(|parent| parent.split('-').nth(1).map(str::to_owned));
    Ok(Message {
        id: id(properties).parse::<Uuid>().map_err(|_| missing("id"))?,
        kind,
        aggregate: aggregate.ok_or_else(|| missing(AGGREGATE))?,
        version: number(properties, VERSION).ok_or_else(|| missing(VERSION))?,
        actor: text(properties, ACTOR).ok_or_else(|| missing(ACTOR))?,
        trace: trace.unwrap_or_default(),
        payload: payload.to_vec(),
        create_time: time(properties, CREATE_TIME).ok_or_else(|| missing(CREATE_TIME))?,
    })
}

/// What an operator sees of a message that was put aside.
pub(super) fn aside(properties: &BasicProperties) -> Aside {
    // What the broker itself put aside carries no word of ours.
    let by_broker = || text(properties, "x-first-death-reason").map(|reason| format!("the broker: {reason}"));
    Aside {
        id: id(properties).to_owned(),
        kind: properties.kind().as_ref().map(ToString::to_string).unwrap_or_default(),
        aggregate: text(properties, AGGREGATE).unwrap_or_default(),
        failure_count: failures(properties),
        error: text(properties, ERROR).or_else(by_broker).unwrap_or_default(),
        create_time: time(properties, CREATE_TIME),
        aside_time: time(properties, ASIDE_TIME),
    }
}

fn header<'a>(properties: &'a BasicProperties, name: &str) -> Option<&'a AMQPValue> {
    properties.headers().as_ref()?.inner().get(name)
}

fn text(properties: &BasicProperties, name: &str) -> Option<String> {
    match header(properties, name)? {
        AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok().map(str::to_owned),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

fn number(properties: &BasicProperties, name: &str) -> Option<i64> {
    match header(properties, name)? {
        AMQPValue::LongLongInt(number) => Some(*number),
        AMQPValue::LongInt(number) => Some(i64::from(*number)),
        _ => None,
    }
}

fn time(properties: &BasicProperties, name: &str) -> Option<Time> {
    let time = DateTime::parse_from_rfc3339(&text(properties, name)?).ok()?;
    Some(time.with_timezone(&Utc))
}

fn show(time: Time) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent() -> Message {
        Message {
            id: Uuid::from_u128(0x0195_0000_0000_7000_8000_0000_0000_0001),
            kind: "yeyak.payment.v1.WebhookReceived".to_owned(),
            aggregate: Uuid::from_u128(7),
            version: 3,
            actor: "member_01 민아".to_owned(),
            trace: "0af7651916cd43dd8448eb211c80319c".to_owned(),
            payload: vec![0, 255, 1],
            create_time: "2026-03-01T00:00:00.123456Z".parse().unwrap(),
        }
    }

    #[test]
    fn a_message_comes_as_it_was_sent_however_often_it_failed() {
        for sent in [sent(), Message { trace: String::new(), ..sent() }] {
            let first = properties(&sent);
            let later = put_aside(&failed(&first, 1, "no"), 2, &"x".repeat(2000), sent.create_time);
            let afresh = afresh(&later);

            for (properties, failures_then) in [(&first, 0), (&later, 2), (&afresh, 0)] {
                assert_eq!(message(properties, &sent.payload).unwrap(), sent);
                assert_eq!(failures(properties), failures_then);
            }
            assert_eq!(aside(&later).error.len(), ERROR_CHARACTERS);
            assert_eq!(aside(&later).aside_time, Some(sent.create_time));
            assert_eq!(afresh, first);
        }
    }

    #[test]
    fn a_message_without_what_makes_one_says_what_is_missing() {
        let whole = properties(&sent());
        for missing in [AGGREGATE, VERSION, ACTOR, CREATE_TIME] {
            let mut headers = FieldTable::default();
            for (name, value) in own_headers(&whole).inner().iter().filter(|(name, _)| name.as_str() != missing) {
                headers.insert(name.clone(), value.clone());
            }
            let refused = message(&whole.clone().with_headers(headers), &[]).unwrap_err();
            assert!(refused.to_string().contains(missing), "{refused}");
        }
        let foreign = BasicProperties::default();
        assert!(message(&foreign, &[]).is_err());
        assert_eq!((failures(&foreign), id(&foreign), aside(&foreign).kind.as_str()), (0, "", ""));
    }
}
