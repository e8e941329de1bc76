//! The command `yeyak`, run as a process against a server on a port of its own.

mod queue;
mod session;

use std::net::TcpListener;
use std::process::{Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use yeyak_server::config::Config;
use yeyak_server::serve::{Platform, World};

use crate::harness::{PASSWORD, config};

const SIGN_UP: &str = "yeyak.member.v1.AuthService/SignUp";

/// A folder to run commands in, and perhaps a server over it.
struct Shell {
    folder: TempDir,
    url: String,
    /// Where no command of these can listen: none but `serve` has to.
    taken: TcpListener,
}

/// A server that listens, until it is stopped.
struct Serving {
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Shell {
    fn new() -> Self {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        Self { folder: tempfile::tempdir().expect("a folder"), url: "http://127.0.0.1:9".to_owned(), taken }
    }

    async fn serving() -> (Self, Serving) {
        let mut shell = Self::new();
        let server = shell.serve().await;
        (shell, server)
    }

    async fn serve(&mut self) -> Serving {
        self.serve_as(config(&self.data())).await
    }

    async fn serve_as(&mut self, config: Config) -> Serving {
        let (stop, stopped) = oneshot::channel::<()>();
        let (told, ports) = oneshot::channel();
        let platform = Platform::open(config, World::default()).await.expect("opens");
        let served = tokio::spawn(async move {
            let ready = |ports: &yeyak_server::serve::Ports| told.send(*ports).expect("it is waited for");
            platform.serve(ready, async move { drop(stopped.await) }).await.expect("serves");
        });
        self.url = format!("http://{}", ports.await.expect("it listens").grpc);
        Serving { stop, served }
    }

    fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    async fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, "").await
    }

    async fn run_with(&self, arguments: &[&str], stdin: &str) -> Ran {
        let taken = self.taken.local_addr().expect("it is bound").to_string();
        let mut child = Command::new(env!("CARGO_BIN_EXE_yeyak"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("YEYAK_URL", &self.url)
            .env("YEYAK_SESSION", self.folder.path().join("session.json"))
            .env("YEYAK_DATA", self.data())
            .env("YEYAK_LISTEN", &taken)
            .env("YEYAK_HTTP", &taken)
            .env("YEYAK_PASSWORD__MEMORY_KIB", "8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut input = child.stdin.take().expect("piped");
        input.write_all(stdin.as_bytes()).await.expect("it reads");
        drop(input);
        Ran::new(child.wait_with_output().await.expect("ends"))
    }
}

impl Serving {
    async fn stop(self) {
        self.stop.send(()).expect("it is served");
        self.served.await.expect("it stops");
    }
}

/// What a command did.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    fn new(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

fn sign_up(email: &str) -> String {
    format!(r#"{{"email": "{email}", "password": "{PASSWORD}", "display_name": "민아"}}"#)
}

#[tokio::test]
async fn what_can_be_called_is_listed_and_described_by_the_server() {
    let (shell, server) = Shell::serving().await;

    let services = shell.run(&["call", "--list"]).await.ok();
    let methods = shell.run(&["call", "--list", "yeyak.member.v1.AuthService"]).await.ok();
    let as_json = shell.run(&["call", "--list", "AuthService", "--json"]).await.ok().json();
    let rpc = shell.run(&["call", "--describe", SIGN_UP]).await.ok();
    let message = shell.run(&["call", "--describe", "yeyak.member.v1.Member"]).await.ok();
    let unknown = shell.run(&["call", "--describe", "Member"]).await;

    assert!(services.out.contains("yeyak.member.v1.AuthService"), "{services:?}");
    assert!(services.out.contains("Signs members up"), "{services:?}");
    assert!(methods.out.contains("RevokeSession(RevokeSessionRequest) → Session   members"), "{methods:?}");
    assert!(methods.out.contains("Ends one session of the caller."), "{methods:?}");
    assert_eq!(as_json[0]["access"][0], "ACCESS_PUBLIC");
    assert!(rpc.out.contains("string display_name = 3;") && rpc.out.contains("\"display_name\": \"\""), "{rpc:?}");
    assert!(message.out.contains("repeated yeyak.member.v1.Role roles = 7;"), "{message:?}");
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.err.contains("did you mean `yeyak.member.v1.Member`?"), "{unknown:?}");
    assert!(!services.out.contains('\u{1b}'), "colours are for terminals");
    server.stop().await;
}

#[tokio::test]
async fn a_call_prints_its_answer_and_a_token_goes_on_from_there() {
    let (shell, server) = Shell::serving().await;

    let answer = shell.run(&["call", SIGN_UP, &sign_up("mina@example.kr")]).await.ok().json();
    let token = answer["tokens"]["access_token"].as_str().expect("a token");
    let sessions = shell.run(&["call", "--token", token, "AuthService/ListSessions", "--json"]).await.ok();
    let from_stdin = shell.run_with(&["call", SIGN_UP, "-", "-v"], &sign_up("jun@example.kr")).await.ok();
    std::fs::write(shell.folder.path().join("body.json"), sign_up("sua@example.kr")).expect("writes");
    let from_file = shell.run(&["call", SIGN_UP, "@body.json"]).await.ok().json();

    assert_eq!(answer["member"]["display_name"], "민아");
    assert!(answer["member"]["create_time"].as_str().is_some_and(|time| time.ends_with('Z')), "{answer}");
    assert_eq!(sessions.out.lines().count(), 1, "{sessions:?}");
    assert_eq!(sessions.json()["sessions"][0]["current"], true);
    assert_eq!(from_stdin.json()["member"]["email"], "jun@example.kr");
    assert!(from_stdin.err.contains("< x-request-id: "), "{from_stdin:?}");
    assert_eq!(from_file["member"]["email"], "sua@example.kr");
    server.stop().await;
}

#[tokio::test]
async fn a_stream_is_printed_as_it_comes_until_the_deadline() {
    let (shell, server) = Shell::serving().await;

    let watched = shell.run(&["call", "grpc.health.v1.Health/Watch", "--json", "--deadline", "500ms"]).await;

    assert_eq!(watched.out.trim_end(), r#"{"status":"SERVING"}"#, "{watched:?}");
    assert_eq!(watched.code, Some(64 + 4), "{watched:?}");
    assert!(watched.err.contains("DEADLINE_EXCEEDED"), "{watched:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_server_with_the_older_reflection_is_understood() {
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(yeyak_proto::FILE_DESCRIPTOR_SET)
        .build_v1alpha()
        .expect("ours");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut shell = Shell::new();
    shell.url = format!("http://{}", listener.local_addr().expect("bound"));
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    let server = tonic::transport::Server::builder().add_service(reflection).serve_with_incoming(incoming);
    let server = tokio::spawn(server);

    let services = shell.run(&["call", "--list"]).await.ok();

    assert!(services.out.contains("yeyak.member.v1.AuthService"), "{services:?}");
    server.abort();
}

#[tokio::test]
async fn a_refusal_is_told_on_stderr_with_every_violation_and_its_own_exit_code() {
    let (shell, server) = Shell::serving().await;
    let body = r#"{"email": "mina", "password": "short"}"#;

    let refused = shell.run(&["call", SIGN_UP, body]).await;
    let as_json = shell.run(&["call", SIGN_UP, body, "--json"]).await;
    let anonymous = shell.run(&["call", "AuthService/ListSessions"]).await;

    assert_eq!((refused.code, &*refused.out), (Some(64 + 3), ""));
    assert!(refused.err.starts_with("INVALID_FIELDS (INVALID_ARGUMENT): "), "{refused:?}");
    for field in ["email", "password", "display_name"] {
        assert!(refused.err.lines().any(|line| line.trim_start().starts_with(field)), "{field}: {refused:?}");
    }
    let told: Value = serde_json::from_str(&as_json.err).expect("JSON");
    assert_eq!(told["reason"], "INVALID_FIELDS");
    assert_eq!(told["violations"].as_array().map(Vec::len), Some(3), "{told}");
    assert_eq!(anonymous.code, Some(64 + 16));
    assert!(anonymous.err.contains("yeyak login"), "{anonymous:?}");
    server.stop().await;
}

#[tokio::test]
async fn what_can_not_be_meant_is_a_usage_error_with_a_suggestion() {
    let (shell, server) = Shell::serving().await;
    let cases: &[(&[&str], &str)] = &[
        (&["call", SIGN_UP, r#"{"emial": "a@b.kr"}"#], "did you mean `email`?"),
        (&["call", SIGN_UP, "{"], "is not JSON"),
        (&["call", "yeyak.member.v1.AuthService/SingUp"], "did you mean `SignUp`?"),
        (&["call", "yeyak.member.v1.AuthServic/SignUp"], "did you mean `yeyak.member.v1.AuthService`?"),
        (&["call", "nothing"], "package.Service/Method"),
        (&["call", SIGN_UP, "--deadline", "soon"], "10s"),
        (&["call", SIGN_UP, "--act-as", "member_x"], "--api-key"),
        (&["call", "--url", "localhost:1", SIGN_UP], "http://localhost:1"),
    ];

    for (arguments, told) in cases {
        let ran = shell.run(arguments).await;
        assert_eq!(ran.code, Some(2), "{arguments:?}: {ran:?}");
        assert!(ran.err.contains(told), "{arguments:?}: {ran:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_described_can_be_called_as_it_is_printed() {
    let (shell, server) = Shell::serving().await;

    let search = shell.run(&["call", "--describe", "yeyak.stay.v1.StaySearchService/SearchStays"]).await.ok();
    let (_, command) = search.out.rsplit_once("yeyak call ").expect("a command to begin with");
    let (rpc, rest) = command.split_once(" '").expect("a body");
    let (body, more) = rest.split_once('\'').expect("a whole body");
    shell.run(&["call", rpc, body]).await.ok();
    let text = r#"{"check_in_date": "2026-12-24"}"#;
    let dated = shell.run(&["call", rpc, text]).await;

    assert!(more.contains("check_in_date"), "{search:?}");
    assert_eq!(dated.code, Some(2), "{dated:?}");
    assert!(dated.err.contains(r#"{"year": 2026, "month": 12, "day": 24}"#), "{dated:?}");
    server.stop().await;
}

#[tokio::test]
async fn health_is_told_by_the_exit_code() {
    let (shell, server) = Shell::serving().await;

    let all = shell.run(&["health"]).await.ok();
    let one = shell.run(&["health", "yeyak.member.v1.AuthService", "--json"]).await.ok().json();
    let unknown = shell.run(&["health", "no.such.Service"]).await;
    let nobody = shell.run(&["health", "--url", "http://127.0.0.1:9"]).await;

    assert!(all.out.contains("yeyak.member.v1.AuthService") && all.out.contains("SERVING"), "{all:?}");
    assert_eq!(one[0]["status"], "SERVING");
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    assert_eq!(nobody.code, Some(1), "{nobody:?}");
    assert!(nobody.err.contains("is the server running?"), "{nobody:?}");
    server.stop().await;
}

#[tokio::test]
async fn an_installation_is_administered_while_no_server_runs_on_it() {
    let (mut shell, server) = Shell::serving().await;
    let create = ["admin", "create", "admin@example.kr", "--name", "관리자", "--password-stdin"];
    let password = format!("{PASSWORD}\n");

    let locked = shell.run_with(&create, &password).await;
    let jobs = shell.run(&["job", "list", "--json"]).await.ok().json();
    let status = shell.run(&["migrate", "--status", "--json"]).await.ok().json();
    server.stop().await;
    let weak = shell.run_with(&create, "short\n").await;
    shell.run_with(&create, &password).await.ok();
    let before = std::fs::read(shell.data().join("keys.json")).expect("keys");
    shell.run(&["admin", "rotate-keys"]).await.ok();
    let ran = shell.run(&["job", "run", "tidy-requests", "--json"]).await.ok().json();
    let unknown = shell.run(&["job", "run", "tidy-request"]).await;
    let migrated = shell.run(&["migrate"]).await.ok();
    let server = shell.serve().await;
    let logged_in = shell.run_with(&["login", "admin@example.kr", "--password-stdin"], &password).await.ok();
    server.stop().await;

    assert_eq!(locked.code, Some(1));
    assert!(locked.err.contains("a server is running"), "{locked:?}");
    assert_eq!(jobs[0]["job"], "tidy-requests");
    assert!(status.as_array().is_some_and(|all| all.iter().all(|one| one["state"] == "applied")), "{status}");
    assert_eq!(weak.code, Some(64 + 3), "{weak:?}");
    assert_ne!(std::fs::read(shell.data().join("keys.json")).expect("keys"), before);
    assert_eq!(ran["done"], 0);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.err.contains("did you mean `tidy-requests`?"), "{unknown:?}");
    assert!(logged_in.out.contains("관리자"), "{logged_in:?}");
    assert!(migrated.out.contains("nothing was to be applied"), "{migrated:?}");
}

#[tokio::test]
async fn migrations_are_told_before_and_after_they_are_applied() {
    let shell = Shell::new();

    let before = shell.run(&["migrate", "--status", "--json"]).await.ok().json();
    assert!(!shell.data().exists(), "looking makes nothing");
    let applied = shell.run(&["migrate", "--json"]).await.ok().json();
    let after = shell.run(&["migrate", "--status", "--json"]).await.ok().json();

    let states = |all: &Value| -> Vec<String> {
        all.as_array().expect("a list").iter().map(|one| one["state"].to_string()).collect()
    };
    assert!(states(&before).iter().all(|state| state == "\"pending\""), "{before}");
    assert_eq!(states(&applied).len(), states(&before).len());
    assert!(states(&after).iter().all(|state| state == "\"applied\""), "{after}");
}

#[tokio::test]
async fn the_configuration_is_shown_with_its_sources_and_completions_are_printed() {
    let shell = Shell::new();

    let options = shell.run(&["config", "--json"]).await.ok().json();
    let table = shell.run(&["config"]).await.ok();
    let moved = shell.run(&["config", "--json", "--data", "elsewhere"]).await.ok();
    let lost = shell.run(&["config", "--config", "lost.toml"]).await;
    std::fs::write(shell.folder.path().join("slip.toml"), "[booking]\nhold_minute = 1\n").expect("writes");
    let slip = shell.run(&["config", "--config", "slip.toml"]).await;
    let bash = shell.run(&["completions", "bash"]).await.ok();
    let help = shell.run(&["--help"]).await.ok();

    let option = |name: &str| {
        let all = options.as_array().expect("a list");
        all.iter().find(|one| one["option"] == name).cloned().expect(name)
    };
    assert_eq!(option("token.access_minutes")["value"], 10);
    assert_eq!(option("token.access_minutes")["from"], "default");
    assert_eq!(option("password.memory_kib")["value"], 8);
    assert!(option("password.memory_kib")["from"].as_str().is_some_and(|from| from.contains("environment")));
    assert!(table.out.contains("limit.message_bytes"), "{table:?}");
    assert!(moved.out.contains("elsewhere"), "{moved:?}");
    assert!(lost.code == Some(1) && lost.err.contains("lost.toml can't be read"), "{lost:?}");
    assert!(slip.code == Some(1) && slip.err.contains("did you mean `booking.hold_minutes`?"), "{slip:?}");
    assert!(slip.err.contains("slip.toml"), "{slip:?}");
    assert!(bash.out.contains("yeyak"), "completions for bash");
    assert!(help.out.contains("Exit codes:"), "{help:?}");
}
