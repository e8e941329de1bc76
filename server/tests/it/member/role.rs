//! Granting and withdrawing roles.

use futures::future::join_all;
use yeyak::proto::member::v1::{
    GetMemberRequest, GrantRoleRequest, ListRoleEventsRequest, Member, Role, RoleEvent, WithdrawRoleRequest,
};
use yeyak::{Client, Error, ErrorReason};

use crate::harness::{PASSWORD, Yeyak, email, id_of};

async fn grant(client: &Client, member_id: &str, role: Role) -> Result<Member, Error> {
    let (member_id, role) = (member_id.to_owned(), role.into());
    let request = GrantRoleRequest { member_id, role, reason: "새 직원".into(), ..Default::default() };
    client.roles().grant_role(request).await
}

async fn withdraw(client: &Client, member_id: &str, role: Role) -> Result<Member, Error> {
    let (member_id, role) = (member_id.to_owned(), role.into());
    let request = WithdrawRoleRequest { member_id, role, reason: "퇴사".into(), ..Default::default() };
    client.roles().withdraw_role(request).await
}

async fn events(client: &Client, member_id: &str) -> Result<Vec<RoleEvent>, Error> {
    let request = ListRoleEventsRequest { member_id: member_id.to_owned(), ..Default::default() };
    Ok(client.roles().list_role_events(request).await?.role_events)
}

#[tokio::test]
async fn a_role_counts_at_once_when_granted_and_when_withdrawn() {
    let yeyak = Yeyak::new().await;
    let (admin, mina) = (yeyak.admin().await, yeyak.member().await);
    let id = id_of(&mina).await;
    for _ in 0..3 {
        assert_eq!(events(&mina, &id).await.expect_err("no role").reason, ErrorReason::AccessDenied);

        let granted = grant(&admin, &id, Role::Admin).await.expect("grants");
        assert_eq!(granted.roles, [i32::from(Role::Admin)]);
        events(&mina, &id).await.expect("in the session that they have");

        let withdrawn = withdraw(&admin, &id, Role::Admin).await.expect("withdraws");
        assert!(withdrawn.roles.is_empty());
    }
    let events = events(&admin, &id).await.expect("lists");
    assert_eq!(events.len(), 6);
    assert!(events.iter().all(|event| event.member_id == id && event.role() == Role::Admin));
    assert_eq!(events.iter().filter(|event| event.granted && event.reason == "새 직원").count(), 3);
}

#[tokio::test]
async fn a_grant_of_what_is_there_changes_nothing_and_many_at_once_are_one() {
    let yeyak = Yeyak::new().await;
    let (admin, mina) = (yeyak.admin().await, yeyak.member().await);
    let id = id_of(&mina).await;

    let outcomes = join_all((0..10).map(|_| grant(&admin, &id, Role::Seller))).await;

    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(events(&admin, &id).await.expect("lists").len(), 1);
}

/// Guard: all admins are locked before one is withdrawn.
#[tokio::test]
async fn two_admins_who_withdraw_each_other_leave_one() {
    for _ in 0..5 {
        let yeyak = Yeyak::new().await;
        let (first, second) = (yeyak.admin().await, yeyak.admin().await);
        let (first_id, second_id) = (id_of(&first).await, id_of(&second).await);

        let (one, two) =
            tokio::join!(withdraw(&first, &second_id, Role::Admin), withdraw(&second, &first_id, Role::Admin));

        assert_ne!(one.is_ok(), two.is_ok(), "one of them: {one:?} {two:?}");
        let (left, left_id, refused) = if one.is_ok() { (first, first_id, two) } else { (second, second_id, one) };
        let reason = refused.expect_err("refused").reason;
        assert!(matches!(reason, ErrorReason::LastAdmin | ErrorReason::AccessDenied), "{reason:?}");
        let last = withdraw(&left, &left_id, Role::Admin).await.expect_err("the last");
        assert_eq!((last.reason, &last.metadata["member_id"]), (ErrorReason::LastAdmin, &left_id));
    }
}

#[tokio::test]
async fn many_admins_who_resign_at_once_leave_one() {
    let yeyak = Yeyak::new().await;
    let mut admins = Vec::new();
    for _ in 0..5 {
        let admin = yeyak.admin().await;
        admins.push((id_of(&admin).await, admin));
    }

    let outcomes = join_all(admins.iter().map(|(id, admin)| withdraw(admin, id, Role::Admin))).await;

    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 4);
    let refused = outcomes.into_iter().find_map(Result::err).expect("one");
    assert_eq!(refused.reason, ErrorReason::LastAdmin);
}

#[tokio::test]
async fn the_same_withdrawal_twice_is_one() {
    let yeyak = Yeyak::new().await;
    let (admin, seller) = (yeyak.admin().await, yeyak.seller().await);
    let id = id_of(&seller).await;
    let request = WithdrawRoleRequest {
        member_id: id.clone(),
        role: Role::Seller.into(),
        reason: "폐업".into(),
        request_id: "0195d7a0-0000-7000-8000-000000000001".into(),
    };

    let all = join_all((0..8).map(|_| {
        let (admin, request) = (admin.clone(), request.clone());
        async move { admin.roles().withdraw_role(request).await.expect("one effect") }
    }))
    .await;

    assert!(all.iter().all(|answer| *answer == all[0] && answer.roles.is_empty()));
    assert_eq!(events(&admin, &id).await.expect("lists").len(), 2, "granted once, withdrawn once");
}

#[tokio::test]
async fn roles_are_for_admins_and_for_members_who_exist() {
    let yeyak = Yeyak::new().await;
    let (admin, mina) = (yeyak.admin().await, yeyak.member().await);
    let id = id_of(&mina).await;

    assert_eq!(grant(&mina, &id, Role::Admin).await.expect_err("no").reason, ErrorReason::AccessDenied);
    let nobody = "member_01h455vb4pex5vsknk084sn02q";
    assert_eq!(grant(&admin, nobody, Role::Seller).await.expect_err("nobody").reason, ErrorReason::NotFound);
    let malformed = admin.roles().grant_role(GrantRoleRequest::default()).await.expect_err("malformed");
    let fields: Vec<_> = malformed.violations.iter().map(|violation| &*violation.field).collect();
    assert_eq!(fields, ["member_id", "role", "reason"]);
}

#[tokio::test]
async fn an_admin_is_made_by_hand_from_nobody_or_from_a_member_with_their_password() {
    let yeyak = Yeyak::new().await;
    let mina = yeyak.member().await;
    let members = &yeyak.platform.members;

    let wrong = members.create_admin(&email(0), "wrong password", "민아").await.expect_err("not theirs");
    let known = members.create_admin(&email(0), PASSWORD, "민아").await.expect("promotes");
    let again = members.create_admin(&email(0), PASSWORD, "민아").await.expect("is one");

    assert_eq!(wrong.reason(), ErrorReason::WrongCredentials);
    assert_eq!((known.id, known.roles.admin), (again.id, true));
    let events = events(&mina, &known.id.to_string()).await.expect("at once");
    assert_eq!((events.len(), &*events[0].actor), (1, "cli"));
    let all = join_all((0..8).map(|_| members.create_admin("new@example.kr", PASSWORD, "새 관리자"))).await;
    let ids: Vec<_> = all.into_iter().map(|made| made.expect("one admin").id).collect();
    assert!(ids.iter().all(|id| *id == ids[0]));
    let request = GetMemberRequest { id: ids[0].to_string() };
    assert_eq!(mina.members().get_member(request).await.expect("reads").email, "new@example.kr");
}
