//! Calling with an API key.

use std::time::Duration;

use chrono::TimeDelta;
use futures::future::join_all;
use prost_types::FieldMask;
use sea_orm::{ConnectionTrait, Statement};
use yeyak::proto::member::v1::{
    ApiKey, CreateApiKeyRequest, GetMemberRequest, ListApiKeysRequest, ListRoleEventsRequest, ListSessionsRequest,
    Member, RevokeApiKeyRequest, UpdateMemberRequest, VerifyTokenRequest,
};
use yeyak::{Client, Error, ErrorReason};
use yeyak_server::kit::clock::Clock;
use yeyak_server::kit::proto_time;

use crate::harness::{Yeyak, id_of};

const GET: &str = "yeyak.member.v1.MemberService/GetMember";

async fn me(client: &Client) -> Result<Member, Error> {
    client.members().get_member(GetMemberRequest { id: "me".into() }).await
}

async fn keys(admin: &Client) -> Vec<ApiKey> {
    admin.api_keys().list_api_keys(ListApiKeysRequest::default()).await.expect("lists").api_keys
}

#[tokio::test]
async fn a_key_acts_for_a_member_within_its_scopes() {
    let yeyak = Yeyak::new().await;
    let mina = yeyak.member().await;
    let id = id_of(&mina).await;
    let key = yeyak.api_key(&[GET, "act_as"]).await;

    let acting = yeyak.client.acting_for(&key, &id);

    assert_eq!(me(&acting).await.expect("reads").id, id);
    let update = acting.members().update_member(UpdateMemberRequest::default()).await.expect_err("not in scope");
    assert_eq!(update.reason, ErrorReason::AccessDenied);
    assert_eq!(update.metadata["needs"], "the scope yeyak.member.v1.MemberService/UpdateMember");
    let sessions = acting.auth().list_sessions(ListSessionsRequest::default()).await.expect_err("not for keys");
    assert_eq!(sessions.reason, ErrorReason::AccessDenied);
    let alone = me(&yeyak.client.with_api_key(&key)).await.expect_err("for nobody");
    assert_eq!((alone.reason, &*alone.metadata["needs"]), (ErrorReason::AccessDenied, "the header yeyak-act-as"));
    let public = VerifyTokenRequest { access_token: "x".into() };
    yeyak.client.with_api_key(&key).auth().verify_token(public).await.expect("open to everyone");
}

#[tokio::test]
async fn acting_needs_its_scope_and_a_member_who_exists() {
    let yeyak = Yeyak::new().await;
    let id = id_of(&yeyak.member().await).await;
    let (bare, acting) = (yeyak.api_key(&[GET]).await, yeyak.api_key(&[GET, "act_as"]).await);

    let refused = me(&yeyak.client.acting_for(&bare, &id)).await.expect_err("no scope");
    let nobody = me(&yeyak.client.acting_for(&acting, "member_01h455vb4pex5vsknk084sn02q")).await.expect_err("nobody");
    let malformed = me(&yeyak.client.acting_for(&acting, "mina")).await.expect_err("no id");

    assert_eq!((refused.reason, &*refused.metadata["needs"]), (ErrorReason::AccessDenied, "the scope act_as"));
    assert_eq!(nobody.reason, ErrorReason::NotFound);
    assert_eq!(malformed.violations[0].field, "yeyak-act-as");
}

#[tokio::test]
async fn acting_for_an_admin_makes_no_admin() {
    let yeyak = Yeyak::new().await;
    let (admin, mina) = (yeyak.admin().await, yeyak.member().await);
    let key = yeyak.api_key(&["yeyak.member.v1.MemberService/*", "act_as"]).await;
    let acting = yeyak.client.acting_for(&key, id_of(&admin).await);

    let foreign = GetMemberRequest { id: id_of(&mina).await };
    assert_eq!(acting.members().get_member(foreign).await.expect_err("no admin").reason, ErrorReason::NotFound);
    let events = acting.roles().list_role_events(ListRoleEventsRequest::default()).await.expect_err("no admin");
    assert_eq!(events.reason, ErrorReason::AccessDenied);
}

#[tokio::test]
async fn what_a_key_does_for_a_member_is_on_record_as_the_key() {
    let yeyak = Yeyak::new().await;
    let mina = yeyak.member().await;
    let id = id_of(&mina).await;
    let key = yeyak.api_key(&["yeyak.member.v1.MemberService/*", "act_as"]).await;
    let request = UpdateMemberRequest {
        member: Some(Member { id: id.clone(), display_name: "미나".into(), ..Default::default() }),
        update_mask: Some(FieldMask { paths: vec!["display_name".into()] }),
        ..Default::default()
    };

    yeyak.client.acting_for(&key, &id).members().update_member(request).await.expect("updates");

    let sql = "SELECT actor FROM outbox WHERE kind = 'yeyak.member.v1.MemberUpdated'";
    let db = &yeyak.platform.kit.db;
    let row = db.read().query_one_raw(Statement::from_string(db.backend(), sql)).await.expect("reads").expect("a row");
    let key_id = keys(&yeyak.admin().await).await.remove(0).id;
    assert_eq!(row.try_get::<String>("", "actor").expect("text"), format!("{key_id} for {id}"));
}

#[tokio::test]
async fn every_scope_that_cannot_be_given_is_told_at_once() {
    let yeyak = Yeyak::new().await;
    let admin = yeyak.admin().await;
    let scopes = ["yeyak.member.v1.RoleService/GrantRole", GET, "yeyak.no.v1.Service/Such", "everything"];
    let request = CreateApiKeyRequest {
        scopes: scopes.map(str::to_owned).into(),
        expire_time: Some(proto_time(yeyak.clock.now())),
        ..Default::default()
    };

    let refused = admin.api_keys().create_api_key(request).await.expect_err("malformed");

    let fields: Vec<_> = refused.violations.iter().map(|violation| &*violation.field).collect();
    assert_eq!(fields, ["name", "scopes[0]", "scopes[2]", "scopes[3]", "expire_time"]);
    let none = CreateApiKeyRequest { name: "partner".into(), ..Default::default() };
    let none = admin.api_keys().create_api_key(none).await.expect_err("no scopes");
    assert_eq!(none.violations[0].field, "scopes");
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_once_and_revoking_twice_is_one() {
    let yeyak = Yeyak::new().await;
    let admin = yeyak.admin().await;
    let acting = yeyak.client.acting_for(yeyak.api_key(&[GET, "act_as"]).await, id_of(&yeyak.member().await).await);
    me(&acting).await.expect("reads, and is known");
    let id = keys(&admin).await.remove(0).id;
    let request = RevokeApiKeyRequest { id, request_id: "0195d7a0-0000-7000-8000-000000000001".into() };

    let all = join_all((0..8).map(|_| {
        let (admin, request) = (admin.clone(), request.clone());
        async move { admin.api_keys().revoke_api_key(request).await.expect("one effect") }
    }))
    .await;

    assert_eq!(me(&acting).await.expect_err("revoked").reason, ErrorReason::Unauthenticated);
    assert!(all.iter().all(|key| key.revoke_time.is_some() && key.revoke_time == all[0].revoke_time));
    assert_eq!(all[0].revoked_by, id_of(&admin).await);
}

#[tokio::test]
async fn a_key_ends_when_it_expires() {
    let yeyak = Yeyak::new().await;
    let (admin, id) = (yeyak.admin().await, id_of(&yeyak.member().await).await);
    let request = CreateApiKeyRequest {
        name: "for an hour".into(),
        scopes: vec![GET.into(), "act_as".into()],
        expire_time: Some(proto_time(yeyak.clock.now() + TimeDelta::hours(1))),
    };
    let secret = admin.api_keys().create_api_key(request).await.expect("creates").secret;
    let acting = yeyak.client.acting_for(secret, id);
    me(&acting).await.expect("reads");

    yeyak.clock.advance(TimeDelta::hours(1));

    assert_eq!(me(&acting).await.expect_err("expired").reason, ErrorReason::Unauthenticated);
}

#[tokio::test]
async fn a_secret_is_shown_once_and_kept_nowhere() {
    let yeyak = Yeyak::new().await;
    let secret = yeyak.api_key(&[GET]).await;

    let key = keys(&yeyak.admin().await).await.remove(0);

    assert!(secret.starts_with("yeyak_") && secret.ends_with(&key.hint) && key.hint.len() == 4);
    assert_eq!(key.scopes, [GET]);
    let folder = std::fs::read_dir(&yeyak.platform.config.data).expect("the data folder");
    for entry in folder {
        let file = std::fs::read(entry.expect("an entry").path()).expect("a file");
        assert!(!file.windows(20).any(|part| part == &secret.as_bytes()[6..26]));
    }
}

#[tokio::test]
async fn made_up_keys_are_refused_and_members_act_for_nobody() {
    let yeyak = Yeyak::new().await;
    let (mina, id) = (yeyak.member().await, id_of(&yeyak.member().await).await);
    let secret = yeyak.api_key(&[GET, "act_as"]).await;
    let mut forged = secret.clone().into_bytes();
    forged[10] = if forged[10] == b'A' { b'B' } else { b'A' };

    for key in ["yeyak_".to_owned(), "yeyak_x".to_owned(), String::from_utf8(forged).expect("text")] {
        let refused = me(&yeyak.client.acting_for(key, &id)).await.expect_err("made up");
        assert_eq!(refused.reason, ErrorReason::Unauthenticated);
    }
    let token = mina.tokens().expect("signed in").access_token;
    let refused = me(&yeyak.client.acting_for(token, &id)).await.expect_err("no key");
    assert_eq!(refused.reason, ErrorReason::AccessDenied);
}

#[tokio::test]
async fn the_last_use_is_noted_once_a_minute() {
    let yeyak = Yeyak::new().await;
    let admin = yeyak.admin().await;
    let acting = yeyak.client.acting_for(yeyak.api_key(&[GET, "act_as"]).await, id_of(&yeyak.member().await).await);
    assert_eq!(keys(&admin).await[0].last_use_time, None);
    let first = yeyak.clock.now();

    me(&acting).await.expect("reads");
    let noted = noted(&admin, None).await;
    yeyak.clock.advance(TimeDelta::seconds(59));
    me(&acting).await.expect("reads");
    let kept = keys(&admin).await[0].last_use_time;
    yeyak.clock.advance(TimeDelta::seconds(1));
    me(&acting).await.expect("reads");

    assert_eq!((noted, kept), (Some(proto_time(first)), Some(proto_time(first))));
    let later = self::noted(&admin, kept).await;
    assert_eq!(later, Some(proto_time(first + TimeDelta::minutes(1))));
}

/// The last use, once it is another than `before`: it is noted behind the call, in a task of its own.
async fn noted(admin: &Client, before: Option<prost_types::Timestamp>) -> Option<prost_types::Timestamp> {
    let changed = async {
        loop {
            let found = keys(admin).await[0].last_use_time;
            if found != before {
                return found;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), changed).await.expect("noted soon")
}
