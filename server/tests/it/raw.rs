//! Calls below the SDK: any bytes to any RPC, and what came of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt, Full};
use prost_reflect::prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::ServiceExt;
use yeyak::proto::{FILE_DESCRIPTOR_SET, Method};
use yeyak::{Embedded, Error};

use crate::harness::PASSWORD;

/// Deeper than any request of ours.
const DEEPEST: usize = 8;

/// What came of a call.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: Code,
    pub(crate) error: Option<Error>,
    pub(crate) body: Vec<u8>,
}

/// Headers of a call with this token, for this member.
pub(crate) fn headers(token: Option<&str>, act_as: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    headers.insert("te", HeaderValue::from_static("trailers"));
    if let Some(token) = token {
        headers.insert("authorization", format!("Bearer {token}").parse().expect("a header"));
    }
    if let Some(member) = act_as {
        headers.insert("yeyak-act-as", member.parse().expect("a header"));
    }
    headers
}

/// One message as it goes over the wire.
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("small").to_be_bytes();
    [&[0], &length[..], message].concat()
}

/// Calls through every layer, and reads the answer; of a stream, its first message.
pub(crate) async fn call(server: &Embedded, method: &Method, headers: HeaderMap, body: Vec<u8>) -> Answer {
    let mut request =
        http::Request::post(method.path).body(Body::new(Full::new(Bytes::from(body)))).expect("a request");
    *request.headers_mut() = headers;
    let (parts, mut body) = server.clone().oneshot(request).await.expect("answers").into_parts();
    let mut status = Status::from_header_map(&parts.headers);
    let mut read = Vec::new();
    let patience = Duration::from_millis(if method.streaming { 200 } else { 30_000 });
    while status.is_none() {
        let Ok(frame) = tokio::time::timeout(patience, body.frame()).await else {
            assert!(method.streaming, "{method} did not end");
            break;
        };
        let frame = frame.unwrap_or_else(|| panic!("{method} ended without a status")).expect("a whole body");
        match frame.into_data() {
            Ok(data) => read.extend_from_slice(&data),
            Err(frame) => status = frame.trailers_ref().and_then(Status::from_header_map),
        }
        if method.streaming && !read.is_empty() {
            break;
        }
    }
    let error = status.filter(|status| status.code() != Code::Ok).map(Error::from);
    Answer { code: error.as_ref().map_or(Code::Ok, |error| error.code), error, body: read }
}

/// The request of every RPC by its path.
pub(crate) fn requests() -> HashMap<String, MessageDescriptor> {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("descriptors");
    let methods = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    methods
        .map(|method| (format!("/{}/{}", method.parent_service().full_name(), method.name()), method.input()))
        .collect()
}

/// What strings of a name hold, such as `booking_id`; the `id` of a request is the one of its service's noun.
pub(crate) struct Plausible(pub(crate) HashMap<&'static str, String>);

impl Plausible {
    /// A request that a client could well send.
    pub(crate) fn request(&self, method: &Method, request: &MessageDescriptor) -> Vec<u8> {
        let service = method.service.rsplit('.').next().unwrap_or_default();
        let noun = service.strip_suffix("Service").unwrap_or(service);
        self.message(&snake(noun), request, 0).encode_to_vec()
    }

    fn message(&self, noun: &str, descriptor: &MessageDescriptor, depth: usize) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor.clone());
        for field in descriptor.fields().filter(|field| !field.is_map() && depth < DEEPEST) {
            if let Some(value) = self.value(noun, &field, depth) {
                message.set_field(&field, if field.is_list() { Value::List(vec![value]) } else { value });
            }
        }
        message
    }

    fn value(&self, noun: &str, field: &FieldDescriptor, depth: usize) -> Option<Value> {
        Some(match field.kind() {
            Kind::Message(inner) => match inner.full_name() {
                "google.protobuf.FieldMask" => return None,
                "yeyak.common.v1.Date" => {
                    let mut date = DynamicMessage::new(inner);
                    let first = field.name().contains("start") || field.name().contains("in_date");
                    for (name, value) in [("year", 2026), ("month", 4), ("day", if first { 10 } else { 12 })] {
                        date.set_field_by_name(name, Value::I32(value));
                    }
                    Value::Message(date)
                }
                "google.protobuf.Timestamp" => {
                    let mut time = DynamicMessage::new(inner);
                    time.set_field_by_name("seconds", Value::I64(1_790_000_000));
                    Value::Message(time)
                }
                _ => Value::Message(self.message(&snake(inner.name()), &inner, depth + 1)),
            },
            Kind::String => Value::String(self.text(noun, field.name())),
            Kind::Bytes => Value::Bytes(Bytes::from_static(b"bytes")),
            Kind::Bool => Value::Bool(true),
            Kind::Enum(values) => {
                Value::EnumNumber(values.values().map(|value| value.number()).find(|number| *number != 0).unwrap_or(0))
            }
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(1),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(1000),
            Kind::Uint32 | Kind::Fixed32 => Value::U32(1),
            Kind::Uint64 | Kind::Fixed64 => Value::U64(1),
            Kind::Double => Value::F64(1.0),
            Kind::Float => Value::F32(1.0),
        })
    }

    fn text(&self, noun: &str, field: &str) -> String {
        let name = if field == "id" { format!("{noun}_id") } else { field.to_owned() };
        if let Some(known) = self.0.get(&*name) {
            return known.clone();
        }
        match &*name {
            "request_id" => request_id(),
            "email" => "stranger@example.kr".to_owned(),
            "locale" => "ko".to_owned(),
            "time_zone" => "Asia/Seoul".to_owned(),
            "currency_code" => "KRW".to_owned(),
            "business_number" => "123-45-67891".to_owned(),
            "scopes" => "act_as".to_owned(),
            "page_token" | "after_cursor" | "etag" | "return_url" | "phone" => String::new(),
            name if name.contains("password") => PASSWORD.to_owned(),
            name if name.ends_with("_id") => format!("{}_01h455vb4pex5vsknk084sn02q", name.trim_end_matches("_id")),
            _ => "plausible".to_owned(),
        }
    }
}

/// A request of its own.
pub(crate) fn request_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("00000000-0000-4000-8000-{:012x}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}
