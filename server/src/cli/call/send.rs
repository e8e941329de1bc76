//! Making the call, and printing what it gives.

use std::time::Duration;

use prost_reflect::{DynamicMessage, MethodDescriptor, SerializeOptions};
use tokio::time::{Instant, timeout_at};
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::{KeyAndValueRef, MetadataMap};
use tonic::{Code, Request, Status};
use yeyak::Client;

use super::super::failure::Failure;
use super::super::output;
use super::codec::DynamicCodec;
use super::{Call, identity};

/// How long a call without a stream may take, unless it is said.
const DEFAULT: Duration = Duration::from_secs(10);
/// A time so long that nobody sees its end.
const ENDLESS: Duration = Duration::from_secs(365 * 24 * 3600);
/// The largest answer.
const LARGEST: usize = 64 * 1024 * 1024;

/// Calls an RPC and prints each answer as it arrives.
pub(super) async fn send(
    call: &Call,
    client: &Client,
    method: &MethodDescriptor,
    message: DynamicMessage,
) -> Result<(), Failure> {
    if method.is_client_streaming() {
        return Err(Failure::usage(format!("{} takes a stream, which can't be given here", method.full_name())));
    }
    let streaming = method.is_server_streaming();
    let time = call.deadline.or((!streaming).then_some(DEFAULT));
    let mut request = Request::new(message);
    for (name, value) in &call.headers {
        identity::set(request.metadata_mut(), name, value)?;
    }
    let kept = call.identity.put(request.metadata_mut(), client, call.target.url(), method).await?;
    if let Some(time) = time {
        request.set_timeout(time);
    }
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    if call.verbose {
        show('>', &path, request.metadata());
    }
    let path = PathAndQuery::try_from(path).map_err(Failure::failed)?;
    let deadline = Instant::now() + time.unwrap_or(ENDLESS);
    let mut again = Request::new(request.get_ref().clone());
    *again.metadata_mut() = request.metadata().clone();
    let outcome = answers(call, client, method, path.clone(), request, deadline).await;
    let (Err(Refusal::Refused(status)), Some(email)) = (&outcome, &kept) else { return told(call, outcome) };
    if status.code() != Code::Unauthenticated {
        return told(call, outcome);
    }
    let session = format!("the session of {email} at {} was refused", call.target.url());
    if !identity::is_public(method) {
        let hint = format!("({session}; `yeyak login {email}` begins another, `yeyak logout` forgets it)");
        return told(call, outcome).map_err(|failure| if call.json { failure } else { failure.and(hint) });
    }
    // Anyone may ask this: a session that has ended is no reason to refuse it.
    output::note(format!("yeyak: {session} ({}); calling as nobody (`yeyak logout` forgets it)", status.message()));
    again.metadata_mut().remove("authorization");
    told(call, answers(call, client, method, path, again, deadline).await)
}

/// What became of the call, for whoever reads it.
fn told(call: &Call, outcome: Result<(), Refusal>) -> Result<(), Failure> {
    outcome.map_err(|refusal| match refusal {
        Refusal::Failed(failure) => failure,
        Refusal::Refused(status) => {
            if call.verbose {
                show('<', "refused", status.metadata());
            }
            if call.json { Failure::refused_as_json(*status) } else { Failure::refused(*status) }
        }
    })
}

/// Why there is no answer, or no further one.
enum Refusal {
    Refused(Box<Status>),
    Failed(Failure),
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self::Refused(Box::new(status))
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

async fn answers(
    call: &Call,
    client: &Client,
    method: &MethodDescriptor,
    path: PathAndQuery,
    request: Request<DynamicMessage>,
    deadline: Instant,
) -> Result<(), Refusal> {
    let mut grpc = Grpc::new(client.raw()).max_decoding_message_size(LARGEST);
    grpc.ready().await.map_err(|error| Status::unavailable(format!("the connection broke: {}", error.into())))?;
    let codec = DynamicCodec::new(method.output());
    // A call with one answer is a stream of one: so both are read in one way.
    let answer = in_time(deadline, grpc.server_streaming(request, path, codec)).await?;
    if call.verbose {
        show('<', "answer", answer.metadata());
    }
    let mut answers = answer.into_inner();
    while let Some(message) = in_time(deadline, answers.message()).await? {
        print(call, &message)?;
    }
    if let Some(trailers) = answers.trailers().await?
        && call.verbose
    {
        show('<', "trailers", &trailers);
    }
    Ok(())
}

async fn in_time<T>(deadline: Instant, work: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    let late = || Status::deadline_exceeded("the deadline passed; --deadline gives more time");
    timeout_at(deadline, work).await.unwrap_or_else(|_| Err(late()))
}

/// Prints a message with its fields in the order of their numbers.
fn print(call: &Call, message: &DynamicMessage) -> Result<(), Failure> {
    let options = SerializeOptions::new().use_proto_field_name(true).skip_default_fields(!call.defaults);
    let mut text = Vec::new();
    let written = match call.json {
        true => message.serialize_with_options(&mut serde_json::Serializer::new(&mut text), &options),
        false => message.serialize_with_options(&mut serde_json::Serializer::pretty(&mut text), &options),
    };
    written.map_err(Failure::failed)?;
    output::say(String::from_utf8_lossy(&text))
}

/// Shows headers as curl does, without what proves who calls.
fn show(direction: char, title: &str, metadata: &MetadataMap) {
    output::note(format!("{direction} {title}"));
    for entry in metadata.iter() {
        let (name, value) = match entry {
            KeyAndValueRef::Ascii(name, _) if name == "authorization" => (name.as_str(), "(secret)".to_owned()),
            KeyAndValueRef::Ascii(name, value) => (name.as_str(), value.to_str().unwrap_or("(not text)").to_owned()),
            KeyAndValueRef::Binary(name, value) => {
                (name.as_str(), String::from_utf8_lossy(value.as_encoded_bytes()).into_owned())
            }
        };
        output::note(format!("{direction} {name}: {value}"));
    }
}
