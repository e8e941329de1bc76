//! The sessions of this machine's user: tokens in a file that its owner alone may read, one session for each server.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use clap::Args;
use etcetera::BaseStrategy;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use tonic::Code;
use yeyak::Client;
use yeyak::proto::member::v1::{RefreshSessionRequest, Tokens};

use super::failure::Failure;
use super::output;
use crate::kit::clock::{Clock, SystemClock, Time};

/// A token that expires sooner than this is refreshed first.
const EARLY: TimeDelta = TimeDelta::seconds(30);

/// Where sessions are kept.
#[derive(Args, Clone, Debug)]
pub(super) struct SessionFile {
    /// The file that `yeyak login` keeps tokens in [default: yeyak/session.json in the user's configuration folder].
    #[arg(long = "session", env = "YEYAK_SESSION", value_name = "FILE")]
    path: Option<PathBuf>,
}

/// A login, as it is kept.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct Session {
    pub(super) email: String,
    access_token: String,
    access_expire_time: Option<Time>,
    refresh_token: String,
    session_id: String,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("session_id", &self.session_id).finish_non_exhaustive()
    }
}

impl Session {
    pub(super) fn new(email: &str, tokens: Tokens) -> Self {
        let expires = tokens.access_expire_time.and_then(|time| Time::from_timestamp(time.seconds, 0));
        Self {
            email: email.to_owned(),
            access_token: tokens.access_token,
            access_expire_time: expires,
            refresh_token: tokens.refresh_token,
            session_id: tokens.session_id,
        }
    }

    pub(super) fn tokens(&self) -> Tokens {
        let expires = self.access_expire_time.map(crate::kit::proto_time);
        Tokens {
            access_token: self.access_token.clone(),
            access_expire_time: expires,
            refresh_token: self.refresh_token.clone(),
            session_id: self.session_id.clone(),
            ..Tokens::default()
        }
    }

    pub(super) fn access_token(&self) -> &str {
        &self.access_token
    }

    pub(super) fn refresh_token(&self) -> &str {
        &self.refresh_token
    }

    /// Whether the access token is about to expire.
    pub(super) fn is_stale(&self) -> bool {
        self.access_expire_time.is_some_and(|expires| expires <= SystemClock.now() + EARLY)
    }
}

/// The sessions by the URL of their server: a token is never sent to another one.
#[derive(Debug)]
pub(super) struct Sessions {
    path: PathBuf,
    all: BTreeMap<String, Session>,
}

impl SessionFile {
    /// Reads the sessions; none when there is no file.
    pub(super) fn read(&self) -> Result<Sessions, Failure> {
        let path = match &self.path {
            Some(path) => path.clone(),
            None => default_path()?,
        };
        let all: BTreeMap<String, Session> = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                let path = path.display();
                Failure::failed(format!("the session file {path} is damaged ({error}); delete it and log in again"))
            })?,
            Err(error) if error.kind() == ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(unusable(&path, &error)),
        };
        let all = all.into_iter().map(|(url, session)| (server(&url), session)).collect();
        Ok(Sessions { path, all })
    }

    /// The session of `yeyak login` at a server, refreshed when it is about to expire.
    pub(super) async fn logged_in(&self, client: &Client, url: &str) -> Result<Option<Session>, Failure> {
        let mut sessions = self.read()?;
        let Some(session) = sessions.of(url).cloned() else { return Ok(None) };
        if !session.is_stale() {
            return Ok(Some(session));
        }
        let request = RefreshSessionRequest { refresh_token: session.refresh_token().to_owned() };
        match client.auth().refresh_session(request).await {
            Ok(answer) => {
                let fresh = Session::new(&session.email, answer.tokens.unwrap_or_default());
                sessions.keep(url, fresh.clone())?;
                Ok(Some(fresh))
            }
            // Of a server that can't be reached nothing is known of the session.
            Err(error) if error.code != Code::Unauthenticated => Err(error.into()),
            Err(error) => {
                output::note(format!(
                    "yeyak: the session of {} has ended ({error}); calling as nobody (`yeyak logout` forgets it)",
                    session.email
                ));
                Ok(None)
            }
        }
    }
}

impl Sessions {
    /// The session of a server.
    pub(super) fn of(&self, url: &str) -> Option<&Session> {
        self.all.get(&server(url))
    }

    /// Keeps the session of a server.
    pub(super) fn keep(&mut self, url: &str, session: Session) -> Result<(), Failure> {
        self.all.insert(server(url), session);
        self.write()
    }

    /// Forgets the session of a server.
    pub(super) fn forget(&mut self, url: &str) -> Result<(), Failure> {
        self.all.remove(&server(url));
        self.write()
    }

    /// Where the sessions are kept.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn write(&self) -> Result<(), Failure> {
        let text = serde_json::to_vec_pretty(&self.all).map_err(Failure::failed)?;
        write_private(&self.path, &text).map_err(|error| unusable(&self.path, &error))
    }
}

/// A server by whatever name it is called: this machine has several, and a port may go without saying.
fn server(url: &str) -> String {
    let Ok(mut parsed) = Url::parse(url) else { return url.to_owned() };
    if matches!(parsed.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
        && parsed.set_host(Some("localhost")).is_err()
    {
        return url.to_owned();
    }
    parsed.as_str().trim_end_matches('/').to_owned()
}

fn default_path() -> Result<PathBuf, Failure> {
    let folders = etcetera::choose_base_strategy()
        .map_err(|error| Failure::failed(format!("{error}; give a file with --session or YEYAK_SESSION")))?;
    Ok(folders.config_dir().join("yeyak").join("session.json"))
}

fn unusable(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("the session file {} can't be used: {error}", path.display()))
}

/// Writes the file whole or not at all, for its owner alone. Each process has a draft of its own.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let draft = path.with_extension(format!("draft{}", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(token: &str) -> Session {
        Session::new("mina@example.kr", Tokens { access_token: token.to_owned(), ..Tokens::default() })
    }

    #[test]
    fn a_server_is_the_same_by_any_of_its_names() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = SessionFile { path: Some(folder.path().join("session.json")) };
        file.read().unwrap().keep("http://localhost:7070/", session("a")).unwrap();

        let sessions = file.read().unwrap();

        for same in ["http://127.0.0.1:7070", "http://127.0.0.1:7070/", "http://LOCALHOST:7070", "http://[::1]:7070"] {
            assert_eq!(sessions.of(same).map(Session::access_token), Some("a"), "{same}");
        }
        for other in ["https://localhost:7070", "http://localhost:7071", "http://10.0.0.1:7070", "http://localhost"] {
            assert!(sessions.of(other).is_none(), "{other}");
        }
    }

    #[test]
    fn each_server_has_its_own_session_and_the_file_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = SessionFile { path: Some(folder.path().join("deep/session.json")) };
        file.read().unwrap().keep("http://a", session("a")).unwrap();
        file.read().unwrap().keep("http://b", session("b")).unwrap();

        file.read().unwrap().forget("http://a").unwrap();

        let sessions = file.read().unwrap();
        assert!(sessions.of("http://a").is_none());
        assert_eq!(sessions.of("http://b").map(Session::access_token), Some("b"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(sessions.path()).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
