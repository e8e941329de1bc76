//! What `yeyak login` keeps, and what becomes of it.

use std::path::Path;

use serde_json::Value;

use super::{SIGN_UP, Shell, sign_up};
use crate::harness::PASSWORD;

#[tokio::test]
async fn a_session_is_kept_for_its_server_until_it_is_logged_out() {
    let (shell, server) = Shell::serving().await;
    shell.run(&["call", SIGN_UP, &sign_up("mina@example.kr")]).await.ok();
    let wrong = shell.run_with(&["login", "mina@example.kr", "--password-stdin"], "something else\n").await;

    shell.run_with(&["login", "mina@example.kr", "--password-stdin"], &format!("{PASSWORD}\n")).await.ok();
    shell.run(&["call", "AuthService/ListSessions"]).await.ok();
    let file = shell.folder.path().join("session.json");
    expire(&file);
    shell.run(&["call", "AuthService/ListSessions"]).await.ok();
    let refreshed = std::fs::read_to_string(&file).expect("kept");
    shell.run(&["logout"]).await.ok();
    let after = shell.run(&["call", "AuthService/ListSessions"]).await;

    assert_eq!(wrong.code, Some(64 + 16), "{wrong:?}");
    assert!(wrong.err.contains("WRONG_CREDENTIALS"), "{wrong:?}");
    assert!(!refreshed.contains("2020-01-01"), "the token was refreshed and kept");
    assert_eq!(after.code, Some(64 + 16), "{after:?}");
    server.stop().await;
}

/// Guard: a refused session is left out where nobody need say who they are, and named where one must.
#[tokio::test]
async fn a_session_that_has_ended_keeps_nobody_from_what_is_public() {
    let (shell, server) = Shell::serving().await;
    shell.run(&["call", SIGN_UP, &sign_up("mina@example.kr")]).await.ok();
    shell.run_with(&["login", "mina@example.kr", "--password-stdin"], &format!("{PASSWORD}\n")).await.ok();
    let by_name = shell.url.replace("127.0.0.1", "localhost") + "/";
    let same = shell.run(&["call", "AuthService/ListSessions", "--url", &by_name]).await;
    let file = shell.folder.path().join("session.json");
    let kept = std::fs::read_to_string(&file).expect("kept");
    let mut spoilt: Value = serde_json::from_str(&kept).expect("JSON");
    for session in spoilt.as_object_mut().expect("by server").values_mut() {
        session["access_token"] = "of another installation".into();
    }
    std::fs::write(&file, spoilt.to_string()).expect("writes");

    let public = shell.run(&["call", "StaySearchService/SearchStays"]).await.ok();
    let own = shell.run(&["call", "AuthService/ListSessions"]).await;

    // The name may lead to an address on which nothing listens: then nobody answers, which is not a refusal.
    assert!(same.code == Some(0) || same.err.contains("nothing answers"), "{same:?}");
    assert!(public.err.contains("the session of mina@example.kr"), "{public:?}");
    assert_eq!(own.code, Some(64 + 16), "{own:?}");
    assert!(own.err.contains("`yeyak logout`") && own.err.contains("mina@example.kr"), "{own:?}");
    server.stop().await;
}

/// Makes the access token of a session file look expired.
fn expire(file: &Path) {
    let mut kept: Value = serde_json::from_slice(&std::fs::read(file).expect("kept")).expect("JSON");
    for session in kept.as_object_mut().expect("by server").values_mut() {
        session["access_expire_time"] = "2020-01-01T00:00:00Z".into();
    }
    std::fs::write(file, kept.to_string()).expect("writes");
}
