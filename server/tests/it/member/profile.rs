//! Profiles, passwords, login history, and how they are kept.

use std::time::Duration;

use chrono::TimeDelta;
use futures::future::join_all;
use prost_types::FieldMask;
use yeyak::proto::member::v1::login_event::Outcome;
use yeyak::proto::member::v1::{
    ChangePasswordRequest, GetMemberRequest, ListLoginEventsRequest, ListSessionsRequest, Member,
    RefreshSessionRequest, UpdateMemberRequest,
};
use yeyak::{Client, Error, ErrorReason};

use crate::harness::{PASSWORD, Yeyak, email, id_of};

const NEW_PASSWORD: &str = "another horse battery";

fn update(member: Member, paths: &[&str]) -> UpdateMemberRequest {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    let member = Member { id: "me".into(), ..member };
    UpdateMemberRequest { member: Some(member), update_mask: Some(FieldMask { paths }), ..Default::default() }
}

async fn me(client: &Client) -> Member {
    client.members().get_member(GetMemberRequest { id: "me".into() }).await.expect("reads")
}

async fn change_password(client: &Client, old: &str, new: &str) -> Result<(), Error> {
    let request = ChangePasswordRequest { old_password: old.into(), new_password: new.into() };
    client.members().change_password(request).await.map(|_| ())
}

#[tokio::test]
async fn a_member_reads_themselves_and_nobody_else_while_an_admin_reads_all() {
    let yeyak = Yeyak::new().await;
    let (mina, other, admin) = (yeyak.member().await, yeyak.member().await, yeyak.admin().await);
    let id = id_of(&mina).await;
    let get = async |client: &Client, id: &str| client.members().get_member(GetMemberRequest { id: id.into() }).await;

    assert_eq!(get(&mina, &id).await.expect("own").email, email(0));
    assert_eq!(get(&admin, &id).await.expect("as an admin").id, id);
    let foreign = get(&other, &id).await.expect_err("foreign");
    let missing = get(&other, "member_01h455vb4pex5vsknk084sn02q").await.expect_err("missing");
    assert_eq!((foreign.reason, missing.reason), (ErrorReason::NotFound, ErrorReason::NotFound));
    assert_eq!(get(&other, "mina").await.expect_err("no id").reason, ErrorReason::InvalidFields);
}

#[tokio::test]
async fn an_update_changes_what_its_mask_names_and_nothing_else() {
    let yeyak = Yeyak::new().await;
    let client = yeyak.member().await;
    let wish = Member {
        display_name: "미나".into(),
        phone: "+821012345678".into(),
        locale: "en-US".into(),
        time_zone: "Europe/Berlin".into(),
        ..Default::default()
    };

    let updated = client.members().update_member(update(wish.clone(), &["phone", "time_zone"])).await.expect("updates");

    assert_eq!((&*updated.phone, &*updated.time_zone), ("+821012345678", "Europe/Berlin"));
    assert_eq!((&*updated.display_name, &*updated.locale), ("민아", "ko"));
    assert_eq!(me(&client).await, updated);
    let cleared = client.members().update_member(update(Member::default(), &["phone"])).await.expect("updates");
    assert_eq!(cleared.phone, "");
}

#[tokio::test]
async fn a_path_that_cannot_be_changed_is_named_beside_every_other_violation() {
    let yeyak = Yeyak::new().await;
    let client = yeyak.member().await;
    let wish = Member { phone: "010-1234-5678".into(), ..Default::default() };

    let refused = client.members().update_member(update(wish, &["phone", "email", "roles"])).await.expect_err("bad");

    assert_eq!(refused.reason, ErrorReason::InvalidFields);
    let fields: Vec<_> = refused.violations.iter().map(|violation| &*violation.field).collect();
    assert_eq!(fields, ["update_mask.paths[1]", "update_mask.paths[2]", "member.phone"]);
    assert_eq!(refused.violations[0].description, "must be one of display_name, phone, locale, time_zone");
    let nothing = client.members().update_member(update(Member::default(), &[])).await.expect_err("no mask");
    assert_eq!(nothing.violations[0].field, "update_mask");
}

/// Guard: the version in the condition of the update.
#[tokio::test]
async fn of_many_updates_of_what_was_read_one_wins() {
    let yeyak = Yeyak::new().await;
    let client = yeyak.member().await;
    let etag = me(&client).await.etag;
    let all = (0..20).map(|n| {
        let (client, etag) = (client.clone(), etag.clone());
        let wish = Member { display_name: format!("민아 {n}"), etag, ..Default::default() };
        async move { client.members().update_member(update(wish, &["display_name"])).await }
    });

    let outcomes = join_all(all).await;

    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(outcomes.iter().flat_map(|o| o.as_ref().err()).all(|error| error.reason == ErrorReason::EtagMismatch));
}

#[tokio::test]
async fn the_same_update_twice_is_one() {
    let yeyak = Yeyak::new().await;
    let client = yeyak.member().await;
    let wish = Member { display_name: "미나".into(), etag: me(&client).await.etag, ..Default::default() };
    let request = UpdateMemberRequest {
        request_id: "0195d7a0-0000-7000-8000-000000000001".into(),
        ..update(wish, &["display_name"])
    };

    let all = join_all((0..8).map(|_| {
        let (client, request) = (client.clone(), request.clone());
        async move { client.members().update_member(request).await }
    }))
    .await;

    let answers: Vec<_> = all.into_iter().map(|answer| answer.expect("one effect, one answer")).collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    let other = UpdateMemberRequest { update_mask: Some(FieldMask { paths: vec!["phone".into()] }), ..request };
    let reused = client.members().update_member(other).await.expect_err("another request");
    assert_eq!(reused.reason, ErrorReason::RequestIdReused);
}

#[tokio::test]
async fn a_foreign_profile_cannot_be_changed_even_by_an_admin() {
    let yeyak = Yeyak::new().await;
    let (mina, admin) = (yeyak.member().await, yeyak.admin().await);
    let mut request = update(Member { display_name: "x".into(), ..Default::default() }, &["display_name"]);
    request.member.as_mut().expect("given").id = id_of(&mina).await;

    let refused = admin.members().update_member(request).await.expect_err("foreign");

    assert_eq!(refused.reason, ErrorReason::NotFound);
}

#[tokio::test]
async fn a_changed_password_ends_all_other_sessions_and_their_refresh_tokens() {
    let yeyak = Yeyak::new().await;
    let client = yeyak.member().await;
    let other = yeyak.client.anonymous();
    other.log_in(&email(0), PASSWORD).await.expect("logs in");
    let tokens = other.tokens().expect("signed in");
    other.auth().list_sessions(ListSessionsRequest::default()).await.expect("is live, and known to be");

    change_password(&client, PASSWORD, NEW_PASSWORD).await.expect("changes");

    let ended = other.auth().list_sessions(ListSessionsRequest::default()).await.expect_err("ended");
    assert_eq!(ended.reason, ErrorReason::Unauthenticated);
    let request = RefreshSessionRequest { refresh_token: tokens.refresh_token };
    let refused = yeyak.client.auth().refresh_session(request).await.expect_err("ended");
    assert_eq!(refused.reason, ErrorReason::RefreshTokenInvalid);
    let mine = client.auth().list_sessions(ListSessionsRequest::default()).await.expect("goes on").sessions;
    assert_eq!(mine.len(), 1);
    let old = yeyak.client.anonymous().log_in(&email(0), PASSWORD).await.expect_err("the old password");
    assert_eq!(old.reason, ErrorReason::WrongCredentials);
    yeyak.client.anonymous().log_in(&email(0), NEW_PASSWORD).await.expect("the new password");
}

/// Guard: the old hash in the condition of the change.
#[tokio::test]
async fn of_many_new_passwords_one_wins_and_the_same_change_twice_is_one() {
    let yeyak = Yeyak::new().await;
    let client = yeyak.member().await;
    // Each that loses guesses twice: so few that the last is not throttled.
    let all = (0..4).map(|n| {
        let client = client.clone();
        async move { change_password(&client, PASSWORD, &format!("{NEW_PASSWORD} {n}")).await }
    });

    let outcomes = join_all(all).await;

    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(outcomes.iter().flat_map(|o| o.as_ref().err()).all(|error| error.reason == ErrorReason::WrongPassword));
    let winner = outcomes.iter().position(Result::is_ok).expect("one");
    change_password(&client, PASSWORD, &format!("{NEW_PASSWORD} {winner}")).await.expect("a repetition");
    yeyak.client.anonymous().log_in(&email(0), &format!("{NEW_PASSWORD} {winner}")).await.expect("logs in");
}

/// Guard: the check of the password inside the transaction that opens a session.
#[tokio::test]
async fn no_session_of_an_old_password_outlives_its_change() {
    let yeyak = Yeyak::new().await;
    let client = yeyak.member().await;
    let logins = (0..8).map(|_| {
        let client = yeyak.client.anonymous();
        async move { client.log_in(&email(0), PASSWORD).await.is_ok().then_some(client) }
    });

    let (changed, opened) = tokio::join!(change_password(&client, PASSWORD, NEW_PASSWORD), join_all(logins));

    changed.expect("changes");
    for other in opened.into_iter().flatten() {
        let ended = other.auth().list_sessions(ListSessionsRequest::default()).await.expect_err("ended");
        assert_eq!(ended.reason, ErrorReason::Unauthenticated);
    }
}

#[tokio::test]
async fn the_old_password_cannot_be_guessed_faster_than_at_the_login() {
    let yeyak = Yeyak::new().await;
    let client = yeyak.member().await;
    let guesses = join_all((0..40).map(|n| {
        let client = client.clone();
        async move { change_password(&client, &format!("guess {n}"), NEW_PASSWORD).await.expect_err("wrong").reason }
    }));

    let reasons = guesses.await;

    assert!(reasons.iter().filter(|reason| **reason == ErrorReason::WrongPassword).count() <= 5, "two guesses each");
    let throttled = change_password(&client, PASSWORD, NEW_PASSWORD).await.expect_err("throttled");
    assert_eq!(throttled.reason, ErrorReason::LoginThrottled);
    let login = yeyak.client.anonymous().log_in(&email(0), PASSWORD).await.expect_err("throttled together");
    assert_eq!(login.reason, ErrorReason::LoginThrottled);
    yeyak.clock.advance(TimeDelta::minutes(15));
    change_password(&client, PASSWORD, NEW_PASSWORD).await.expect("changes");
}

/// Guard: a failure is counted for each of the two passwords, so that the new one is no guess more.
#[tokio::test]
async fn the_new_password_of_a_change_counts_as_a_guess_too() {
    let yeyak = Yeyak::new().await;
    let client = yeyak.member().await;
    let mut reasons = Vec::new();

    for n in 0..6 {
        let wrong = change_password(&client, &format!("guess {n}"), &format!("another guess {n}")).await;
        reasons.push(wrong.expect_err("wrong").reason);
    }

    assert_eq!(reasons[..5], [ErrorReason::WrongPassword; 5]);
    assert_eq!(reasons[5], ErrorReason::LoginThrottled, "five changes were ten guesses");
}

#[tokio::test]
async fn a_password_must_be_another_and_long_enough() {
    let yeyak = Yeyak::new().await;
    let client = yeyak.member().await;

    let same = change_password(&client, PASSWORD, PASSWORD).await.expect_err("the same");
    let short = change_password(&client, PASSWORD, "short").await.expect_err("short");

    for refused in [same, short] {
        assert_eq!(refused.reason, ErrorReason::InvalidFields);
        assert_eq!(refused.violations[0].field, "new_password");
    }
    let common = yeyak.client.anonymous().sign_up("b@example.kr", "Password123", "민아").await.expect_err("guessed");
    assert_eq!(common.violations[0].field, "password");
}

#[tokio::test]
async fn the_login_history_has_successes_and_failures_in_pages() {
    let yeyak = Yeyak::new().await;
    let (client, other) = (yeyak.member().await, yeyak.member().await);
    for password in ["wrong password", PASSWORD] {
        yeyak.clock.advance(TimeDelta::minutes(1));
        _ = yeyak.client.anonymous().log_in(&email(0), password).await;
    }
    yeyak.clock.advance(TimeDelta::minutes(1));
    change_password(&client, PASSWORD, NEW_PASSWORD).await.expect("changes");
    let list = async |client: &Client, page_token: String| {
        let request = ListLoginEventsRequest { page_size: 3, page_token };
        client.members().list_login_events(request).await.expect("lists")
    };

    let first = list(&client, String::new()).await;
    let second = list(&client, first.next_page_token.clone()).await;

    let outcomes: Vec<_> = first.login_events.iter().chain(&second.login_events).map(|event| event.outcome()).collect();
    assert_eq!(outcomes, [Outcome::PasswordChanged, Outcome::LoggedIn, Outcome::WrongPassword, Outcome::SignedUp]);
    assert_eq!(second.next_page_token, "");
    let seconds = |at: usize| first.login_events[at].create_time.expect("a time").seconds;
    assert_eq!(seconds(0) - seconds(1), 60);
    assert_eq!(list(&other, String::new()).await.login_events.len(), 1, "their own alone");
}

/// Guard: the first refusal of a window is on record, and no further one.
#[tokio::test]
async fn the_login_history_tells_once_that_attempts_were_throttled() {
    let yeyak = Yeyak::new().await;
    let client = yeyak.member().await;
    for _ in 0..2 {
        for _ in 0..10 {
            yeyak.client.anonymous().log_in(&email(0), "wrong password").await.expect_err("wrong");
        }
        for _ in 0..3 {
            let throttled = yeyak.client.anonymous().log_in(&email(0), PASSWORD).await.expect_err("throttled");
            assert_eq!(throttled.reason, ErrorReason::LoginThrottled);
        }
        yeyak.clock.advance(TimeDelta::minutes(15));
    }

    // Refusals are noted behind their answers, in tasks of their own.
    let two_told = async {
        loop {
            let events = client.members().list_login_events(ListLoginEventsRequest::default()).await.expect("lists");
            let outcomes: Vec<_> = events.login_events.iter().map(|event| event.outcome()).collect();
            let count = |wanted| outcomes.iter().filter(|outcome| **outcome == wanted).count();
            if count(Outcome::Throttled) >= 2 {
                return (count(Outcome::Throttled), count(Outcome::WrongPassword));
            }
            tokio::task::yield_now().await;
        }
    };
    let told = tokio::time::timeout(Duration::from_secs(5), two_told).await.expect("noted soon");

    assert_eq!(told, (2, 20));
}

#[tokio::test]
async fn what_is_kept_holds_no_address_and_no_number_in_plain() {
    let yeyak = Yeyak::new().await;
    let client = yeyak.member().await;
    let wish = Member { phone: "+821098765432".into(), display_name: "열린이름".into(), ..Default::default() };
    client.members().update_member(update(wish, &["phone", "display_name"])).await.expect("updates");

    let files = yeyak.installation.content();

    let holds = |text: &str| files.iter().any(|file| file.windows(text.len()).any(|part| part == text.as_bytes()));
    assert!(holds("열린이름"), "what is not sealed is found, so the search works");
    assert!(!holds("member0@") && !holds("example.kr") && !holds("1098765432") && !holds(PASSWORD));
}

/// Guard: a mask names each field once.
#[tokio::test]
async fn a_mask_that_names_a_field_again_and_again_is_refused() {
    let yeyak = Yeyak::new().await;
    let client = yeyak.member().await;
    let member = Member { display_name: "김민아".into(), ..Default::default() };

    let refused = client.members().update_member(update(member, &["display_name"; 1000])).await.expect_err("malformed");

    let fields: Vec<_> = refused.violations.iter().map(|violation| &*violation.field).collect();
    assert_eq!(fields, ["update_mask", "update_mask.paths[1]", "update_mask.paths[2]", "update_mask.paths[3]"]);
}
