//! A request to begin with.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde::ser::{Serialize, Serializer};
use serde_json::{Value, json};

use super::comment::comment;
use super::enumeration;

/// Messages deeper than this are left empty.
const DEEPEST: usize = 6;

/// JSON that keeps the order of fields.
#[derive(Debug)]
enum Json {
    Object(Vec<(String, Json)>),
    List(Box<Json>),
    Plain(Value),
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Object(fields) => serializer.collect_map(fields.iter().map(|(name, value)| (name, value))),
            Self::List(item) => serializer.collect_seq([item]),
            Self::Plain(value) => value.serialize(serializer),
        }
    }
}

/// A message as JSON with every field that a caller must set, and the first of each `oneof`: filled in, it is accepted.
pub(super) fn template(message: &MessageDescriptor) -> String {
    serde_json::to_string_pretty(&of_message(message, &mut Vec::new())).expect("names are strings")
}

/// `within` are the messages around this one: a message inside itself is left out.
fn of_message(message: &MessageDescriptor, within: &mut Vec<String>) -> Json {
    if let Some(value) = well_known(message.full_name()) {
        return Json::Plain(value);
    }
    if within.len() >= DEEPEST || within.iter().any(|outer| outer == message.full_name()) {
        return Json::Object(Vec::new());
    }
    within.push(message.full_name().to_owned());
    let mut fields = Vec::new();
    for field in message.fields().filter(must_be_set) {
        let value = of_field(&field, within);
        fields.push((field.name().to_owned(), value));
    }
    within.pop();
    Json::Object(fields)
}

/// The fields that a caller may add to a template.
pub(super) fn optional(message: &MessageDescriptor) -> Vec<String> {
    let may = |field: &FieldDescriptor| !begins(field, &["Output only"]) && !must_be_set(field);
    message.fields().filter(may).map(|field| field.name().to_owned()).collect()
}

/// Not what is optional, even where it is needed beside another field; what says nothing is taken as needed.
fn must_be_set(field: &FieldDescriptor) -> bool {
    let another = field.containing_oneof().is_some_and(|oneof| oneof.fields().next().as_ref() != Some(field));
    !another && !begins(field, &["Output only", "Optional", "Required with"])
}

fn begins(field: &FieldDescriptor, words: &[&str]) -> bool {
    let about = comment(&field.parent_file(), field.path());
    about.first().is_some_and(|line| words.iter().any(|word| line.starts_with(word)))
}

fn of_field(field: &FieldDescriptor, within: &mut Vec<String>) -> Json {
    let kind = field.kind();
    match kind.as_message() {
        Some(entry) if field.is_map() => {
            let value = of_kind(&entry.map_entry_value_field().kind(), within);
            Json::Object(vec![("key".to_owned(), value)])
        }
        _ if field.is_list() => Json::List(Box::new(of_kind(&kind, within))),
        _ => of_kind(&kind, within),
    }
}

fn of_kind(kind: &Kind, within: &mut Vec<String>) -> Json {
    Json::Plain(match kind {
        Kind::Message(message) => return of_message(message, within),
        Kind::Enum(values) => {
            let prefix = enumeration::prefix(values);
            let first = values.values().find(|value| value.number() != 0).unwrap_or_else(|| values.default_value());
            json!(enumeration::short(first.name(), &prefix))
        }
        Kind::Bool => json!(false),
        Kind::String | Kind::Bytes => json!(""),
        Kind::Double | Kind::Float => json!(0.0),
        Kind::Int64 | Kind::Uint64 | Kind::Sint64 | Kind::Fixed64 | Kind::Sfixed64 => json!("0"),
        _ => json!(0),
    })
}

fn well_known(name: &str) -> Option<Value> {
    match name {
        "yeyak.common.v1.Date" => return Some(json!({ "year": 2026, "month": 12, "day": 24 })),
        "yeyak.common.v1.Money" => return Some(json!({ "currency_code": "KRW", "minor_units": "10000" })),
        _ => {}
    }
    Some(match name.strip_prefix("google.protobuf.")? {
        "Timestamp" => json!("2026-01-01T00:00:00Z"),
        "Duration" => json!("30s"),
        "FieldMask" => json!("field,other_field"),
        "StringValue" | "BytesValue" => json!(""),
        "BoolValue" => json!(false),
        "Int64Value" | "UInt64Value" => json!("0"),
        "Int32Value" | "UInt32Value" | "DoubleValue" | "FloatValue" => json!(0),
        "ListValue" => json!([]),
        _ => json!({}),
    })
}

#[cfg(test)]
mod tests {
    use prost_reflect::{DescriptorPool, DynamicMessage};

    use super::*;

    #[test]
    fn every_template_of_ours_can_be_read_back() {
        let pool = DescriptorPool::decode(yeyak_proto::FILE_DESCRIPTOR_SET).expect("ours");
        for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
            let template = template(&method.input());
            super::super::body::read(&method.input(), Some(&template)).expect("reads back");
        }
    }

    #[test]
    fn a_template_asks_for_what_is_required_alone() {
        let pool = DescriptorPool::decode(yeyak_proto::FILE_DESCRIPTOR_SET).expect("ours");
        let message = |name: &str| pool.get_message_by_name(name).expect("ours");
        let create = message("yeyak.booking.v1.CreateBookingRequest");
        let json: Value = serde_json::from_str(&template(&create)).expect("JSON");
        assert_eq!(json, json!({ "quote_token": "", "guest": { "name": "", "email": "" } }));
        assert_eq!(optional(&create), ["expected_total", "note", "request_id"]);
        assert_eq!(template(&message("yeyak.stay.v1.SearchStaysRequest")), "{}");
    }

    #[test]
    fn what_only_the_server_sets_is_left_out() {
        let pool = DescriptorPool::decode(yeyak_proto::FILE_DESCRIPTOR_SET).expect("ours");
        let member = pool.get_message_by_name("yeyak.member.v1.Member").expect("ours");
        let template: Value = serde_json::from_str(&template(&member)).expect("JSON");
        assert_eq!(template["display_name"], "");
        assert!(template.get("create_time").is_none());
        DynamicMessage::deserialize(member, template).expect("plain JSON");
    }
}
