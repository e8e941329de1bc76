//! The server's own description of its services: gRPC reflection, v1 or else v1alpha.

use std::collections::BTreeMap;
use std::time::Duration;

use prost::Message;
use prost_reflect::DescriptorPool;
use prost_types::FileDescriptorProto;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::Grpc;
use tonic::codec::Streaming;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};
use yeyak::Client;

use super::super::failure::Failure;

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest answer; a file with comments may be long.
const LARGEST: usize = 16 * 1024 * 1024;

/// The two versions have the same messages under other names.
const VERSIONS: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// What the reflection service tells.
pub(super) struct Reflection {
    client: Client,
    version: &'static str,
    talk: Talk,
    services: Vec<String>,
    /// Files as they came, by name: decoding would lose the options that are ours.
    files: BTreeMap<String, Vec<u8>>,
}

impl Reflection {
    /// Asks which services there are.
    pub(super) async fn open(client: &Client) -> Result<Self, Failure> {
        let mut outcome = Err(Status::unimplemented(""));
        for version in VERSIONS {
            outcome = Self::open_version(client, version).await;
            if !matches!(&outcome, Err(status) if status.code() == Code::Unimplemented) {
                break;
            }
        }
        outcome.map_err(|status| match status.code() {
            Code::Unimplemented => Failure::failed("the server has no gRPC reflection, which `yeyak call` needs"),
            _ => Failure::refused(status),
        })
    }

    async fn open_version(client: &Client, version: &'static str) -> Result<Self, Status> {
        let list = MessageRequest::ListServices("*".to_owned());
        let (talk, answer) = Talk::begin(client, version, list).await?;
        let MessageResponse::ListServicesResponse(list) = answer else { return Err(besides()) };
        let services = list.service.into_iter().map(|one| one.name).collect();
        Ok(Self { client: client.clone(), version, talk, services, files: BTreeMap::new() })
    }

    /// The names of the services.
    pub(super) fn services(&self) -> &[String] {
        &self.services
    }

    /// Asks for the file that defines a name, and for all that it imports; whether there is such a name.
    pub(super) async fn learn(&mut self, name: &str) -> Result<bool, Failure> {
        let found = self.ask(MessageRequest::FileContainingSymbol(name.to_owned())).await;
        let files = match found {
            Ok(files) => files,
            Err(status) if matches!(status.code(), Code::NotFound | Code::InvalidArgument) => return Ok(false),
            Err(status) => return Err(Failure::refused(status)),
        };
        let mut wanted = self.add(files)?;
        while let Some(file) = wanted.pop() {
            if !self.files.contains_key(&file) {
                let files = self.ask(MessageRequest::FileByFilename(file)).await.map_err(Failure::refused)?;
                wanted.extend(self.add(files)?);
            }
        }
        Ok(true)
    }

    /// Keeps files; the names of those that they import.
    fn add(&mut self, files: Vec<Vec<u8>>) -> Result<Vec<String>, Failure> {
        let mut imports = Vec::new();
        for bytes in files {
            let file = FileDescriptorProto::decode(&*bytes).map_err(incomprehensible)?;
            imports.extend(file.dependency.iter().cloned());
            self.files.insert(file.name().to_owned(), bytes);
        }
        Ok(imports)
    }

    /// What has been learnt.
    pub(super) fn pool(&self) -> Result<DescriptorPool, Failure> {
        let mut set = Vec::new();
        for file in self.files.values() {
            prost::encoding::bytes::encode(1, file, &mut set);
        }
        DescriptorPool::decode(&*set).map_err(incomprehensible)
    }

    async fn ask(&mut self, what: MessageRequest) -> Result<Vec<Vec<u8>>, Status> {
        // Some servers hang up after each refusal: then the conversation begins anew.
        let answer = if self.talk.is_open {
            self.talk.ask(what).await?
        } else {
            let (talk, answer) = Talk::begin(&self.client, self.version, what).await?;
            self.talk = talk;
            answer
        };
        match answer {
            MessageResponse::FileDescriptorResponse(found) => Ok(found.file_descriptor_proto),
            MessageResponse::ErrorResponse(error) => {
                Err(Status::new(Code::from(error.error_code), error.error_message))
            }
            _ => Err(besides()),
        }
    }
}

/// A conversation with the reflection service: question, answer, question, answer.
struct Talk {
    questions: mpsc::Sender<ServerReflectionRequest>,
    answers: Streaming<ServerReflectionResponse>,
    is_open: bool,
}

impl Talk {
    async fn begin(
        client: &Client,
        version: &'static str,
        first: MessageRequest,
    ) -> Result<(Self, MessageResponse), Status> {
        let (questions, asked) = mpsc::channel(1);
        // Some servers answer nothing, not even headers, before they are asked something.
        questions.try_send(question(first)).map_err(|_| Status::internal("the first question finds room"))?;
        let mut grpc = Grpc::new(client.raw()).max_decoding_message_size(LARGEST);
        grpc.ready().await.map_err(|error| Status::unavailable(format!("the connection broke: {}", error.into())))?;
        let codec = ProstCodec::<ServerReflectionRequest, ServerReflectionResponse>::default();
        let path = PathAndQuery::from_static(version);
        let call = grpc.streaming(Request::new(ReceiverStream::new(asked)), path, codec);
        let answers = patiently(call).await?.into_inner();
        let mut talk = Self { questions, answers, is_open: true };
        let answer = talk.next().await?;
        Ok((talk, answer))
    }

    async fn ask(&mut self, what: MessageRequest) -> Result<MessageResponse, Status> {
        let closed = |_| Status::unavailable("the reflection service hung up");
        self.questions.send(question(what)).await.map_err(closed)?;
        self.next().await
    }

    async fn next(&mut self) -> Result<MessageResponse, Status> {
        let answer = patiently(self.answers.message()).await;
        self.is_open = answer.is_ok();
        answer?
            .and_then(|answer| answer.message_response)
            .ok_or_else(|| Status::unavailable("the reflection service hung up without an answer"))
    }
}

fn besides() -> Status {
    Status::internal("the reflection service answered another question")
}

fn question(what: MessageRequest) -> ServerReflectionRequest {
    ServerReflectionRequest { host: String::new(), message_request: Some(what) }
}

async fn patiently<T>(call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    let late = || Status::deadline_exceeded(format!("the reflection service did not answer within {PATIENCE:?}"));
    timeout(PATIENCE, call).await.unwrap_or_else(|_| Err(late()))
}

fn incomprehensible(error: impl std::fmt::Display) -> Failure {
    Failure::failed(format!("the server describes itself in a way that can't be understood: {error}"))
}
