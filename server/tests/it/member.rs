//! Signing up, logging in, sessions.

mod api_key;
mod application;
mod profile;
mod role;

use std::time::Duration;

use chrono::TimeDelta;
use futures::FutureExt;
use yeyak::ErrorReason;
use yeyak::proto::member::v1::{
    ListSessionsRequest, LogOutRequest, RefreshSessionRequest, RevokeSessionRequest, SignUpRequest, VerifyTokenRequest,
};

use crate::harness::{PASSWORD, Yeyak, email};

#[tokio::test]
async fn a_new_member_is_signed_in_and_has_no_role() {
    let yeyak = Yeyak::new().await;
    let client = yeyak.client.anonymous();

    let member = client.sign_up("Mina@Example.KR", PASSWORD, " 민아 ").await.expect("signs up");

    assert_eq!((&*member.email, &*member.display_name), ("mina@example.kr", "민아"));
    assert!(member.roles.is_empty());
    assert!(member.id.starts_with("member_"));
    let sessions = client.auth().list_sessions(ListSessionsRequest::default()).await.expect("lists").sessions;
    assert!(sessions[0].current);
}

#[tokio::test]
async fn every_violation_of_a_sign_up_is_told_at_once() {
    let yeyak = Yeyak::new().await;
    let request = SignUpRequest {
        email: "mina".into(),
        password: "short".into(),
        display_name: " ".into(),
        locale: "not a tag".into(),
        time_zone: "Mars/Olympus".into(),
    };

    let refused = yeyak.client.auth().sign_up(request).await.expect_err("malformed");

    assert_eq!(refused.reason, ErrorReason::InvalidFields);
    let fields: Vec<_> = refused.violations.iter().map(|violation| &*violation.field).collect();
    assert_eq!(fields, ["email", "password", "display_name", "locale", "time_zone"]);
}

/// Guard: the unique index over the sealed address.
#[tokio::test]
async fn an_address_belongs_to_one_of_many_who_want_it() {
    let yeyak = Yeyak::new().await;
    let all = (0..20).map(|n| {
        let client = yeyak.client.anonymous();
        async move { client.sign_up("same@example.kr", &format!("{PASSWORD} {n}"), "민아").await }
    });

    let outcomes = futures::future::join_all(all).await;

    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    let refused = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
    assert!(refused.clone().all(|error| matches!(error.reason, ErrorReason::EmailTaken | ErrorReason::LoginThrottled)));
}

#[tokio::test]
async fn signing_up_twice_is_one_member() {
    let yeyak = Yeyak::new().await;
    let first = yeyak.client.anonymous().sign_up("a@example.kr", PASSWORD, "민아").await.expect("signs up");

    let again = yeyak.client.anonymous().sign_up("a@example.kr", PASSWORD, "민아").await.expect("logs in");

    assert_eq!(again.id, first.id);
}

#[tokio::test]
async fn an_unknown_address_and_a_wrong_password_get_one_answer() {
    let yeyak = Yeyak::new().await;
    yeyak.member().await;

    let wrong = yeyak.client.anonymous().log_in(&email(0), "wrong password").await.expect_err("wrong");
    let unknown = yeyak.client.anonymous().log_in("nobody@example.kr", "wrong password").await.expect_err("unknown");

    assert_eq!(wrong.reason, ErrorReason::WrongCredentials);
    assert_eq!((unknown.reason, unknown.message, unknown.metadata), (wrong.reason, wrong.message, wrong.metadata));
}

#[tokio::test]
async fn guessing_is_throttled_even_for_who_guesses_right_in_the_end() {
    let yeyak = Yeyak::new().await;
    yeyak.member().await;
    for _ in 0..10 {
        yeyak.client.anonymous().log_in(&email(0), "wrong password").await.expect_err("wrong");
    }

    let throttled = yeyak.client.anonymous().log_in(&email(0), PASSWORD).await.expect_err("throttled");

    assert_eq!(throttled.reason, ErrorReason::LoginThrottled);
    assert!(throttled.retry_after.is_some());
    yeyak.clock.advance(TimeDelta::minutes(15));
    yeyak.client.anonymous().log_in(&email(0), PASSWORD).await.expect("logs in");
}

/// Guard: the generation in the compare-and-set of a refresh.
#[tokio::test]
async fn two_parallel_refreshes_get_one_successor() {
    let yeyak = Yeyak::new().await;
    let client = yeyak.member().await;
    let refresh_token = client.tokens().expect("signed in").refresh_token;
    let refresh = || {
        let request = RefreshSessionRequest { refresh_token: refresh_token.clone() };
        let client = yeyak.client.clone();
        async move { client.auth().refresh_session(request).await.expect("refreshes").tokens.expect("tokens") }
    };

    let all = futures::future::join_all((0..8).map(|_| refresh())).await;

    assert!(all.iter().all(|tokens| tokens.refresh_token == all[0].refresh_token));
    assert_ne!(all[0].refresh_token, refresh_token);
}

/// Guard: the task of its own in which the SDK refreshes. By the machine's clock the token has long expired, so each call refreshes.
#[tokio::test]
async fn a_call_that_is_given_up_while_its_session_is_refreshed_ends_no_session() {
    let yeyak = Yeyak::new().await;
    let client = yeyak.member().await;
    let token = || client.tokens().expect("signed in").refresh_token;
    let list = async || client.auth().list_sessions(ListSessionsRequest::default()).await;
    let before = token();

    assert!(list().now_or_never().is_none(), "it was begun, and given up");

    let renewed = async {
        while token() == before {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), renewed).await.expect("the refresh went on");
    yeyak.clock.advance(TimeDelta::seconds(11));
    list().await.expect("the session goes on");
}

#[tokio::test]
async fn a_refresh_token_used_long_before_ends_its_session() {
    let yeyak = Yeyak::new().await;
    let client = yeyak.member().await;
    let stolen = client.tokens().expect("signed in");
    let refresh = |refresh_token: &str| {
        let request = RefreshSessionRequest { refresh_token: refresh_token.to_owned() };
        let client = yeyak.client.clone();
        async move { client.auth().refresh_session(request).await }
    };
    let fresh = refresh(&stolen.refresh_token).await.expect("refreshes").tokens.expect("tokens");
    yeyak.clock.advance(TimeDelta::seconds(11));

    let reused = refresh(&stolen.refresh_token).await.expect_err("used");

    assert_eq!(reused.reason, ErrorReason::RefreshTokenReused);
    assert_eq!(reused.metadata["session_id"], stolen.session_id);
    let ended = refresh(&fresh.refresh_token).await.expect_err("the whole session has ended");
    assert_eq!(ended.reason, ErrorReason::RefreshTokenInvalid);
    let refused = yeyak.client.with_tokens(fresh).auth().list_sessions(ListSessionsRequest::default()).await;
    assert_eq!(refused.expect_err("ended").reason, ErrorReason::Unauthenticated);
}

#[tokio::test]
async fn tokens_of_other_makes_are_refused() {
    let yeyak = Yeyak::new().await;
    let tokens = yeyak.member().await.tokens().expect("signed in");
    let parts: Vec<_> = tokens.access_token.split('.').collect();
    let none = format!("eyJhbGciOiJub25lIn0.{}.", parts[1]);
    let hmac = format!("eyJhbGciOiJIUzI1NiJ9.{}.{}", parts[1], parts[2]);
    let forged = format!("{}.{}.{}", parts[0], parts[1], parts[2].chars().rev().collect::<String>());

    for token in [none, hmac, forged, tokens.refresh_token, "x".to_owned()] {
        let request = VerifyTokenRequest { access_token: token };
        assert!(!yeyak.client.auth().verify_token(request).await.expect("answers").active);
    }
    let request = VerifyTokenRequest { access_token: tokens.access_token.clone() };
    assert!(yeyak.client.auth().verify_token(request.clone()).await.expect("answers").active);
    yeyak.clock.advance(TimeDelta::minutes(10));
    assert!(!yeyak.client.auth().verify_token(request).await.expect("answers").active, "it has expired");
}

#[tokio::test]
async fn a_revoked_session_is_over_at_once_and_a_repeated_request_changes_nothing() {
    let yeyak = Yeyak::new().await;
    let client = yeyak.member().await;
    let other = yeyak.client.anonymous();
    other.log_in(&email(0), PASSWORD).await.expect("logs in");
    let id = other.tokens().expect("signed in").session_id;
    let request = RevokeSessionRequest { id, request_id: "0195d7a0-0000-7000-8000-000000000001".into() };

    let ended = client.auth().revoke_session(request.clone()).await.expect("revokes");
    let again = client.auth().revoke_session(request).await.expect("replays");

    assert_eq!(again, ended);
    assert!(ended.revoke_time.is_some());
    assert!(other.auth().list_sessions(ListSessionsRequest::default()).await.is_err());
    client.auth().log_out(LogOutRequest {}).await.expect("logs out");
    assert!(client.auth().list_sessions(ListSessionsRequest::default()).await.is_err());
}

/// Guard: the client leaves a refused session out where nobody need say who they are.
#[tokio::test]
async fn a_client_whose_session_has_ended_still_asks_what_is_public() {
    let yeyak = Yeyak::new().await;
    let spoilt = yeyak::proto::member::v1::Tokens { access_token: "of another time".into(), ..Default::default() };
    let client = yeyak.client.with_tokens(spoilt);

    client
        .stay_search()
        .search_stays(yeyak::proto::stay::v1::SearchStaysRequest::default())
        .await
        .expect("anyone may search");

    let own = client
        .auth()
        .list_sessions(yeyak::proto::member::v1::ListSessionsRequest::default())
        .await
        .expect_err("nobody's");
    assert_eq!(own.reason, ErrorReason::Unauthenticated);
}
