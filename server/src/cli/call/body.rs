//! The request as it was typed: JSON to a message, forgiving where the meaning is clear, and exact about what is wrong.

use std::fs::File;
use std::io::{self, Read};

use chrono::Datelike;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::Value;

use super::super::failure::Failure;
use super::enumeration;
use crate::kit::date::Date;
use crate::kit::suggest::did_you_mean;

/// How many fields are told at most.
const TOLD: usize = 4;
/// Far above what any server takes.
const LARGEST: u64 = 64 * 1024 * 1024;

/// Reads the request from the command line, `@file` or `-` for stdin; left out it is `{}`.
pub(super) fn read(request: &MessageDescriptor, body: Option<&str>) -> Result<DynamicMessage, Failure> {
    let text = match body {
        None => "{}".to_owned(),
        Some("-") => text(io::stdin(), "stdin")?,
        Some(body) => match body.strip_prefix('@') {
            Some(path) => {
                let file =
                    File::open(path).map_err(|error| Failure::usage(format!("{path} can't be read: {error}")))?;
                text(file, path)?
            }
            None => body.to_owned(),
        },
    };
    let text = if text.trim().is_empty() { "{}" } else { &text };
    parse(request, text).map_err(|wrong| {
        let mut failure = Failure::usage(format!("the body is not a {}:", request.full_name()));
        for line in wrong {
            failure = failure.and(format!("  {line}"));
        }
        failure.and(format!("`yeyak call --describe {}` shows it with a template", request.full_name()))
    })
}

fn text(source: impl Read, name: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let unreadable = |error| Failure::usage(format!("{name} can't be read: {error}"));
    source.take(LARGEST + 1).read_to_string(&mut text).map_err(unreadable)?;
    if u64::try_from(text.len()).is_ok_and(|length| length <= LARGEST) {
        Ok(text)
    } else {
        Err(Failure::usage(format!("{name} is larger than 64 MiB, which no server takes")))
    }
}

/// Reads a message, or tells everything that is wrong with it.
fn parse(message: &MessageDescriptor, text: &str) -> Result<DynamicMessage, Vec<String>> {
    let mut value: Value = serde_json::from_str(text).map_err(|error| vec![format!("it is not JSON: {error}")])?;
    if let Ok(read) = DynamicMessage::deserialize(message.clone(), &value) {
        return Ok(read);
    }
    let mut walk = Walk::default();
    walk.message(message, &mut value, "");
    if !walk.wrong.is_empty() {
        return Err(walk.wrong);
    }
    DynamicMessage::deserialize(message.clone(), &value).map_err(|error| vec![error.to_string()])
}

/// Walks JSON along a descriptor, completes short names of enum values, and collects what is wrong by its path.
#[derive(Debug, Default)]
struct Walk {
    wrong: Vec<String>,
}

impl Walk {
    fn message(&mut self, message: &MessageDescriptor, value: &mut Value, path: &str) {
        // Well-known types have a JSON form of their own.
        if message.full_name() == "google.protobuf.FieldMask" {
            camel_case(value);
        }
        if message.package_name() == "google.protobuf" {
            return;
        }
        let Value::Object(fields) = value else {
            let name = if path.is_empty() { "it" } else { path };
            return self.wrong.push(format!("{name}: must be an object, {}", form(message, value)));
        };
        for (key, value) in fields {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match message.get_field_by_name(key).or_else(|| message.get_field_by_json_name(key)) {
                Some(field) => self.field(&field, value, &path),
                None => {
                    let names: Vec<_> = message.fields().map(|field| field.name().to_owned()).collect();
                    let meant = did_you_mean(key, names.iter().map(String::as_str));
                    self.wrong.push(format!("{path}: {} has no such field{meant}", message.name()));
                }
            }
        }
    }

    fn field(&mut self, field: &FieldDescriptor, value: &mut Value, path: &str) {
        if value.is_null() {
            return;
        }
        if field.is_map() {
            let kind = field.kind();
            let (Value::Object(entries), Some(entry)) = (value, kind.as_message()) else {
                return self.wrong.push(format!("{path}: must be an object, {{…}}"));
            };
            for (key, value) in entries {
                self.value(&entry.map_entry_value_field().kind(), value, &format!("{path}[{key:?}]"));
            }
        } else if field.is_list() {
            let Value::Array(items) = value else {
                return self.wrong.push(format!("{path}: must be a list, […]"));
            };
            for (at, item) in items.iter_mut().enumerate() {
                self.value(&field.kind(), item, &format!("{path}[{at}]"));
            }
        } else {
            self.value(&field.kind(), value, path);
        }
    }

    fn value(&mut self, kind: &Kind, value: &mut Value, path: &str) {
        let expected = match kind {
            Kind::Message(message) => return self.message(message, value, path),
            Kind::Enum(values) => match value {
                Value::String(name) => match enumeration::resolve(values, name) {
                    Ok(full) => {
                        *name = full;
                        return;
                    }
                    Err(wrong) => return self.wrong.push(format!("{path}: {wrong}")),
                },
                Value::Number(_) => return,
                _ => "the name of a value",
            },
            Kind::String | Kind::Bytes if !value.is_string() => "a string",
            Kind::Bool if !value.is_boolean() => "true or false",
            Kind::Double | Kind::Float if !is_number(value, |text| text.parse::<f64>().is_ok()) => "a number",
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 | Kind::Int64 | Kind::Sint64 | Kind::Sfixed64
                if !is_number(value, |text| text.parse::<i64>().is_ok()) =>
            {
                "a whole number"
            }
            Kind::Uint32 | Kind::Fixed32 | Kind::Uint64 | Kind::Fixed64
                if !is_number(value, |text| text.parse::<u64>().is_ok()) =>
            {
                "a whole number from 0"
            }
            _ => return,
        };
        self.wrong.push(format!("{path}: must be {expected}, not {value}"));
    }
}

/// What a message looks like, when something else was written in its place: a date with the day that was meant.
fn form(message: &MessageDescriptor, given: &Value) -> String {
    if message.full_name() == "yeyak.common.v1.Date" {
        let meant = given.as_str().and_then(|text| text.parse::<Date>().ok());
        let (year, month, day) = meant.map_or((2026, 12, 24), |date| (date.year(), date.month(), date.day()));
        return format!(r#"{{"year": {year}, "month": {month}, "day": {day}}}, not {given}"#);
    }
    let names: Vec<_> = message.fields().take(TOLD).map(|field| format!("\"{}\": …", field.name())).collect();
    let more = if message.fields().len() > TOLD { ", …" } else { "" };
    format!("{{{}{more}}}", names.join(", "))
}

/// The JSON mapping wants the paths of a field mask in lowerCamelCase; people write them as the file does.
fn camel_case(mask: &mut Value) {
    let Value::String(paths) = mask else { return };
    let mut camel = String::with_capacity(paths.len());
    let mut raise = false;
    for letter in paths.chars() {
        match letter {
            '_' => raise = true,
            ' ' => {}
            letter if raise => {
                camel.push(letter.to_ascii_uppercase());
                raise = false;
            }
            letter => camel.push(letter),
        }
    }
    *paths = camel;
}

/// Numbers may be quoted, since JavaScript has no 64 bits.
fn is_number(value: &Value, quoted: impl Fn(&str) -> bool) -> bool {
    match value {
        Value::Number(_) => true,
        Value::String(text) => quoted(text),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use prost_reflect::{DescriptorPool, ReflectMessage};

    use super::*;

    fn message(name: &str) -> MessageDescriptor {
        let pool = DescriptorPool::decode(yeyak_proto::FILE_DESCRIPTOR_SET).expect("ours");
        pool.get_message_by_name(name).expect("ours")
    }

    fn wrong(name: &str, text: &str) -> String {
        parse(&message(name), text).expect_err(text).join("\n")
    }

    #[test]
    fn values_of_enums_may_be_short_wherever_they_stand() {
        let member = message("yeyak.member.v1.VerifyTokenResponse");
        let long = parse(&member, r#"{"roles": ["ROLE_SELLER", "ROLE_ADMIN"]}"#).unwrap();
        for text in
            [r#"{"roles": ["SELLER", "ADMIN"]}"#, r#"{"roles": ["seller", "Admin"]}"#, r#"{"roles": [1, "ADMIN"]}"#]
        {
            assert_eq!(parse(&member, text).unwrap(), long, "{text}");
        }
        assert_eq!(long.descriptor(), member);
    }

    #[test]
    fn an_unknown_value_is_told_with_the_nearest() {
        let wrong = wrong("yeyak.member.v1.VerifyTokenResponse", r#"{"roles": ["SELLER", "SELER"]}"#);
        assert!(wrong.starts_with("roles[1]: "), "{wrong}");
        assert!(wrong.contains("did you mean `SELLER`?"), "{wrong}");
    }

    #[test]
    fn everything_wrong_is_told_at_once_by_its_path() {
        let wrong = wrong(
            "yeyak.member.v1.SignUpResponse",
            r#"{"member": {"emial": "a@b.kr", "display_name": 7, "roles": "SELLER"}, "tokens": []}"#,
        );
        assert!(wrong.contains("member.emial: Member has no such field; did you mean `email`?"), "{wrong}");
        assert!(wrong.contains("member.display_name: must be a string, not 7"), "{wrong}");
        assert!(wrong.contains("member.roles: must be a list"), "{wrong}");
        assert!(wrong.contains("tokens: must be an object"), "{wrong}");
    }

    #[test]
    fn a_date_that_is_written_as_text_is_told_as_it_must_be() {
        let text = r#"{"id": "x", "check_in_date": "2027-01-02", "check_out_date": "soon"}"#;
        let wrong = wrong("yeyak.booking.v1.QuoteChangeRequest", text);
        let first = r#"check_in_date: must be an object, {"year": 2027, "month": 1, "day": 2}, not "2027-01-02""#;
        assert!(wrong.contains(first), "{wrong}");
        assert!(
            wrong.contains(r#"check_out_date: must be an object, {"year": 2026, "month": 12, "day": 24}"#),
            "{wrong}"
        );
    }

    #[test]
    fn both_spellings_of_a_field_and_quoted_numbers_are_read() {
        let sign_up = message("yeyak.member.v1.SignUpRequest");
        let snake = parse(&sign_up, r#"{"display_name": "민아"}"#).unwrap();
        assert_eq!(parse(&sign_up, r#"{"displayName": "민아"}"#).unwrap(), snake);
        let money = message("yeyak.common.v1.Money");
        let number = parse(&money, r#"{"minor_units": 1000}"#).unwrap();
        assert_eq!(parse(&money, r#"{"minor_units": "1000"}"#).unwrap(), number);
    }

    #[test]
    fn what_is_not_json_is_told_with_its_place() {
        assert!(wrong("yeyak.common.v1.Money", "{'minor_units': 1}").contains("line 1 column 2"));
        assert!(wrong("yeyak.common.v1.Money", "[]").contains("must be an object"));
    }
}
