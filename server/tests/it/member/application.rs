//! Becoming a seller.

use chrono::TimeDelta;
use futures::future::join_all;
use yeyak::proto::member::v1::seller_application::State;
use yeyak::proto::member::v1::{
    ApproveSellerApplicationRequest, CreateSellerApplicationRequest, GetMemberRequest, GetSellerApplicationRequest,
    ListMySellerApplicationsRequest, ListRoleEventsRequest, ListSellerApplicationsRequest,
    RejectSellerApplicationRequest, Role, SellerApplication,
};
use yeyak::{Client, Error, ErrorReason};

use crate::harness::{Yeyak, application, id_of};

async fn apply(client: &Client) -> SellerApplication {
    client.seller_applications().create_seller_application(application()).await.expect("applies")
}

async fn approve(client: &Client, id: &str) -> Result<SellerApplication, Error> {
    let request = ApproveSellerApplicationRequest { id: id.to_owned(), ..Default::default() };
    client.seller_applications().approve_seller_application(request).await
}

async fn reject(client: &Client, id: &str) -> Result<SellerApplication, Error> {
    let request = RejectSellerApplicationRequest { id: id.to_owned(), reason: "폐업".into(), ..Default::default() };
    client.seller_applications().reject_seller_application(request).await
}

/// Guard: the unique index over open applications.
#[tokio::test]
async fn of_many_applications_of_a_member_one_is_open() {
    let yeyak = Yeyak::new().await;
    let client = yeyak.member().await;
    let all = (0..20).map(|_| {
        let client = client.clone();
        async move { client.seller_applications().create_seller_application(application()).await }
    });

    let outcomes = join_all(all).await;

    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(outcomes.iter().flat_map(|o| o.as_ref().err()).all(|error| error.reason == ErrorReason::AlreadySeller));
}

#[tokio::test]
async fn the_same_application_twice_is_one() {
    let yeyak = Yeyak::new().await;
    let client = yeyak.member().await;
    let request_id = "0195d7a0-0000-7000-8000-000000000001".to_owned();
    let request = CreateSellerApplicationRequest { request_id, ..application() };

    let all = join_all((0..8).map(|_| {
        let (client, request) = (client.clone(), request.clone());
        async move { client.seller_applications().create_seller_application(request).await.expect("one effect").id }
    }))
    .await;

    assert!(all.iter().all(|id| *id == all[0]));
}

#[tokio::test]
async fn every_violation_of_an_application_is_told_at_once() {
    let yeyak = Yeyak::new().await;
    let client = yeyak.member().await;
    let request = CreateSellerApplicationRequest {
        business_number: "123-45-67890".into(),
        note: "x".repeat(1001),
        request_id: "1".into(),
        ..Default::default()
    };

    let refused = client.seller_applications().create_seller_application(request).await.expect_err("malformed");

    let fields: Vec<_> = refused.violations.iter().map(|violation| &*violation.field).collect();
    assert_eq!(fields, ["business_name", "business_number", "note", "request_id"]);
}

#[tokio::test]
async fn an_approved_member_is_a_seller_in_the_session_they_have() {
    let yeyak = Yeyak::new().await;
    let (client, admin) = (yeyak.member().await, yeyak.admin().await);
    let application = apply(&client).await;
    assert_eq!(application.state(), State::Pending);

    let approved = approve(&admin, &application.id).await.expect("approves");

    assert_eq!((approved.state(), &approved.decided_by), (State::Approved, &id_of(&admin).await));
    let member = client.members().get_member(GetMemberRequest { id: "me".into() }).await.expect("reads");
    assert_eq!(member.roles, [i32::from(Role::Seller)]);
    let again = client.seller_applications().create_seller_application(crate::harness::application()).await;
    assert_eq!(again.expect_err("sells").reason, ErrorReason::AlreadySeller);
    let request = ListRoleEventsRequest { member_id: member.id, ..Default::default() };
    let events = admin.roles().list_role_events(request).await.expect("lists").role_events;
    assert_eq!((events.len(), events[0].granted, events[0].role()), (1, true, Role::Seller));
    assert_eq!(events[0].actor, id_of(&admin).await);
}

#[tokio::test]
async fn a_rejected_member_is_told_why_and_may_apply_again() {
    let yeyak = Yeyak::new().await;
    let (client, admin) = (yeyak.member().await, yeyak.admin().await);
    let application = apply(&client).await;

    reject(&admin, &application.id).await.expect("rejects");

    let request = GetSellerApplicationRequest { id: application.id.clone() };
    let seen = client.seller_applications().get_seller_application(request).await.expect("reads");
    assert_eq!((seen.state(), &*seen.decision_reason, &*seen.decided_by), (State::Rejected, "폐업", ""));
    yeyak.clock.advance(TimeDelta::seconds(1));
    let again = apply(&client).await;
    let request = ListMySellerApplicationsRequest::default();
    let mine = client.seller_applications().list_my_seller_applications(request).await.expect("lists");
    let ids: Vec<_> = mine.seller_applications.into_iter().map(|application| application.id).collect();
    assert_eq!(ids, [again.id, application.id]);
}

/// Guard: the state in the condition of the decision.
#[tokio::test]
async fn of_many_decisions_one_counts() {
    let yeyak = Yeyak::new().await;
    let (client, admin) = (yeyak.member().await, yeyak.admin().await);
    let id = apply(&client).await.id;
    let all = (0..20).map(|n| {
        let (admin, id) = (admin.clone(), id.clone());
        async move { if n % 2 == 0 { approve(&admin, &id).await } else { reject(&admin, &id).await } }
    });

    let outcomes = join_all(all).await;

    let (decided, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!(decided.len(), 1);
    let state = decided.into_iter().flatten().next().expect("one").state();
    let refused: Vec<_> = refused.into_iter().filter_map(Result::err).collect();
    assert!(refused.iter().all(|error| error.reason == ErrorReason::ApplicationDecided));
    assert_eq!(format!("STATE_{}", refused[0].metadata["state"]), state.as_str_name());
    let member = client.members().get_member(GetMemberRequest { id: "me".into() }).await.expect("reads");
    assert_eq!(!member.roles.is_empty(), state == State::Approved);
}

#[tokio::test]
async fn the_same_approval_twice_is_one() {
    let yeyak = Yeyak::new().await;
    let (client, admin) = (yeyak.member().await, yeyak.admin().await);
    let request = ApproveSellerApplicationRequest {
        id: apply(&client).await.id,
        request_id: "0195d7a0-0000-7000-8000-000000000001".into(),
        ..Default::default()
    };

    let all = join_all((0..8).map(|_| {
        let (admin, request) = (admin.clone(), request.clone());
        async move { admin.seller_applications().approve_seller_application(request).await.expect("one effect") }
    }))
    .await;

    assert!(all.iter().all(|answer| *answer == all[0]));
}

#[tokio::test]
async fn applications_are_seen_by_their_member_and_decided_by_admins_alone() {
    let yeyak = Yeyak::new().await;
    let (client, other, admin) = (yeyak.member().await, yeyak.member().await, yeyak.admin().await);
    let id = apply(&client).await.id;
    yeyak.clock.advance(TimeDelta::seconds(1));
    let open = apply(&other).await.id;
    approve(&admin, &id).await.expect("approves");

    let get = GetSellerApplicationRequest { id: id.clone() };
    let foreign = other.seller_applications().get_seller_application(get.clone()).await.expect_err("foreign");
    assert_eq!(foreign.reason, ErrorReason::NotFound);
    assert_eq!(admin.seller_applications().get_seller_application(get).await.expect("reads").id, id);
    assert_eq!(approve(&other, &open).await.expect_err("not an admin").reason, ErrorReason::AccessDenied);
    let list = async |client: &Client, state: State| {
        let request = ListSellerApplicationsRequest { state: state.into(), ..Default::default() };
        let answer = client.seller_applications().list_seller_applications(request).await?;
        Ok::<_, Error>(answer.seller_applications.into_iter().map(|found| found.id).collect::<Vec<_>>())
    };
    assert_eq!(list(&client, State::Pending).await.expect_err("not an admin").reason, ErrorReason::AccessDenied);
    assert_eq!(list(&admin, State::Unspecified).await.expect("lists"), [id, open.clone()]);
    assert_eq!(list(&admin, State::Pending).await.expect("lists"), [open]);
}

#[tokio::test]
async fn a_seller_is_made_by_the_harness() {
    let yeyak = Yeyak::new().await;

    let seller = yeyak.seller().await;

    let member = seller.members().get_member(GetMemberRequest { id: "me".into() }).await.expect("reads");
    assert_eq!(member.roles, [i32::from(Role::Seller)]);
}
