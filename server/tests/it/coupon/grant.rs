//! Runs that give coupons to many.

use std::pin::pin;

use chrono::TimeDelta;
use futures::future::join_all;
use yeyak::proto::coupon::v1::coupon_grant_run::State;
use yeyak::proto::coupon::v1::coupon_policy::Issuing;
use yeyak::proto::coupon::v1::start_coupon_grant_run_request::Audience;
use yeyak::proto::coupon::v1::{
    CancelCouponGrantRunRequest, CouponGrantRun, CouponPolicy, GetCouponGrantRunRequest, ListCouponGrantRunsRequest,
    MemberList, MemberSegment, StartCouponGrantRunRequest, WatchCouponGrantRunRequest,
};
use yeyak::{Client, Error, ErrorReason};
use yeyak_server::kit::crash::How;

use super::desk::{counted, coupons, crowd, end, grant, instant, pause, policy, refused, resume, terms};
use crate::harness::{Yeyak, id_of};

const REQUEST: &str = "0195d7a0-0000-7000-8000-000000000005";

pub(crate) fn list(policy: &CouponPolicy, members: &[String]) -> StartCouponGrantRunRequest {
    StartCouponGrantRunRequest {
        policy_id: policy.id.clone(),
        audience: Some(Audience::List(MemberList { member_ids: members.to_vec() })),
        ..Default::default()
    }
}

fn segment(policy: &CouponPolicy, segment: MemberSegment) -> StartCouponGrantRunRequest {
    StartCouponGrantRunRequest { audience: Some(Audience::Segment(segment)), ..list(policy, &[]) }
}

pub(crate) async fn start(keeper: &Client, request: StartCouponGrantRunRequest) -> Result<CouponGrantRun, Error> {
    keeper.coupon_grants().start_coupon_grant_run(request).await
}

async fn get(keeper: &Client, id: &str) -> Result<CouponGrantRun, Error> {
    keeper.coupon_grants().get_coupon_grant_run(GetCouponGrantRunRequest { id: id.to_owned() }).await
}

/// Looked at, given, passed over.
fn counts(run: &CouponGrantRun) -> (i64, i64, i64) {
    (run.done_count, run.granted_count, run.skipped_count)
}

async fn members(yeyak: &Yeyak, count: usize) -> (Vec<Client>, Vec<String>) {
    crowd(yeyak, count).await.into_iter().unzip()
}

#[tokio::test]
async fn a_run_gives_each_of_a_list_one_coupon_and_passes_over_who_may_have_none() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let made = policy(&seller, terms(Issuing::Grant)).await;
    let (clients, mut ids) = members(&yeyak, 5).await;
    grant(&seller, &made.id, &ids[0]).await.expect("has one already");
    ids.push("member_01h455vb4pex5vsknk084sn02q".into());
    ids.push(ids[1].clone());
    let request = StartCouponGrantRunRequest { request_id: REQUEST.into(), ..list(&made, &ids) };

    let started = join_all((0..8).map(|_| start(&seller, request.clone()))).await;
    let id = started[0].as_ref().expect("starts").id.clone();
    assert!(started.iter().all(|one| one.as_ref().is_ok_and(|one| one.id == id)), "{started:?}");
    yeyak.settle().await;
    yeyak.settle().await;

    let run = get(&seller, &id).await.expect("reads");
    assert_eq!((run.state(), run.total_count, counts(&run)), (State::Completed, Some(6), (6, 4, 2)));
    for client in &clients {
        assert_eq!(coupons(client).await.len(), 1);
    }
    assert_eq!(counted(&seller, &made.id).await, (5, 5, true));
}

/// Guard: receipts, coupons and position are written in one transaction, and the next begins at the position.
#[tokio::test]
async fn a_run_that_is_killed_at_any_step_gives_what_an_undisturbed_one_gives() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let (clients, ids) = members(&yeyak, 12).await;

    for point in ["coupon-grant.given", "coupon-grant.committed"] {
        let made = policy(&seller, CouponPolicy { per_member_count: 50, ..terms(Issuing::Grant) }).await;
        let run = start(&seller, list(&made, &ids)).await.expect("starts");
        yeyak.platform.kit.crash.arm(point, How::Error);
        yeyak.platform.settle().await.expect_err("it ended half-way");
        assert!(!yeyak.platform.kit.crash.is_armed(point));

        for _ in 0..3 {
            yeyak.settle().await;
        }

        let run = get(&seller, &run.id).await.expect("reads");
        assert_eq!((run.state(), counts(&run)), (State::Completed, (12, 12, 0)), "{point}");
        assert_eq!(counted(&seller, &made.id).await, (12, 12, true));
    }
    for client in &clients {
        assert_eq!(coupons(client).await.len(), 2, "one of each run");
    }
}

#[tokio::test]
async fn a_run_stops_when_all_are_gone_or_its_policy_has_ended() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let (_, ids) = members(&yeyak, 8).await;
    let few = policy(&seller, CouponPolicy { total_count: Some(5), ..terms(Issuing::Grant) }).await;
    let over = policy(&seller, terms(Issuing::Grant)).await;
    let [few_run, over_run] = [
        start(&seller, list(&few, &ids)).await.expect("starts"),
        start(&seller, list(&over, &ids)).await.expect("starts"),
    ];
    end(&seller, &over.id).await.expect("ends");

    yeyak.settle().await;

    let (few_run, over_run) =
        (get(&seller, &few_run.id).await.expect("reads"), get(&seller, &over_run.id).await.expect("reads"));
    assert_eq!((few_run.state(), counts(&few_run)), (State::Stopped, (5, 5, 0)));
    assert_eq!((over_run.state(), counts(&over_run)), (State::Stopped, (0, 0, 0)));
    assert_eq!(counted(&seller, &few.id).await, (5, 5, true));
    assert_eq!(refused(start(&seller, list(&over, &ids)).await), ErrorReason::CouponPolicyEnded);
}

#[tokio::test]
async fn a_run_rests_while_its_policy_is_interrupted_and_ends_when_it_is_cancelled() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let (clients, ids) = members(&yeyak, 3).await;
    let made = policy(&seller, terms(Issuing::Grant)).await;
    pause(&seller, &made.id).await.expect("pauses");
    let first = start(&seller, list(&made, &ids[..2])).await.expect("starts");
    // Of one millisecond, neither is newer.
    yeyak.clock.advance(chrono::TimeDelta::seconds(1));
    let second = start(&seller, list(&made, &ids)).await.expect("starts");
    yeyak.settle().await;
    assert_eq!(get(&seller, &first.id).await.expect("reads").state(), State::Running);

    let request = CancelCouponGrantRunRequest { id: second.id.clone(), ..Default::default() };
    let cancelled = seller.coupon_grants().cancel_coupon_grant_run(request.clone()).await.expect("cancels");
    resume(&seller, &made.id).await.expect("resumes");
    yeyak.settle().await;

    assert_eq!(cancelled.state(), State::Cancelled);
    let again = seller.coupon_grants().cancel_coupon_grant_run(request).await.expect("is cancelled");
    assert_eq!(again, cancelled);
    assert_eq!(get(&seller, &first.id).await.expect("reads").state(), State::Completed);
    let have = join_all(clients.iter().map(coupons)).await;
    assert_eq!(have.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 0]);
    let runs = ListCouponGrantRunsRequest { policy_id: made.id, ..Default::default() };
    let runs = seller.coupon_grants().list_coupon_grant_runs(runs).await.expect("lists").grant_runs;
    assert_eq!(runs.iter().map(|run| &run.id).collect::<Vec<_>>(), [&second.id, &first.id]);
}

#[tokio::test]
async fn a_segment_is_everybody_who_signed_up_in_its_time_and_is_for_admins() {
    let yeyak = Yeyak::new().await;
    let (seller, admin) = (yeyak.seller().await, yeyak.admin().await);
    let (early, _) = members(&yeyak, 2).await;
    yeyak.clock.advance(TimeDelta::days(1));
    let (mid, _) = members(&yeyak, 3).await;
    yeyak.clock.advance(TimeDelta::days(1));
    let (late, _) = members(&yeyak, 1).await;
    let made = policy(&seller, terms(Issuing::Grant)).await;
    let of_time = MemberSegment {
        joined_from_time: instant("2026-03-03T03:00:00Z"),
        joined_before_time: instant("2026-03-04T03:00:00Z"),
    };

    let denied = start(&seller, segment(&made, of_time)).await;
    assert_eq!(refused(denied), ErrorReason::AccessDenied);
    let future = MemberSegment { joined_before_time: instant("2027-01-01T00:00:00Z"), ..Default::default() };
    let future = start(&admin, segment(&made, future)).await.expect_err("nobody knows them yet");
    assert_eq!(future.violations[0].field, "segment.joined_before_time");
    let run = start(&admin, segment(&made, of_time)).await.expect("starts");
    // Who signs up at this moment may not be in the table yet.
    yeyak.clock.advance(TimeDelta::minutes(1));
    yeyak.settle().await;

    let run = get(&seller, &run.id).await.expect("its policy's seller sees it");
    assert_eq!((run.state(), run.total_count, counts(&run)), (State::Completed, Some(3), (3, 3, 0)));
    let have = async |clients: &[Client]| join_all(clients.iter().map(coupons)).await.concat().len();
    assert_eq!((have(&early).await, have(&mid).await, have(&late).await), (0, 3, 0));

    let everybody = start(&admin, segment(&made, MemberSegment::default())).await.expect("starts");
    yeyak.settle().await;
    assert_eq!(get(&admin, &everybody.id).await.expect("reads").state(), State::Running, "the last are still to come");
    yeyak.clock.advance(TimeDelta::minutes(1));
    yeyak.settle().await;
    let everybody = get(&admin, &everybody.id).await.expect("reads");
    assert_eq!(everybody.state(), State::Completed);
    assert_eq!(everybody.skipped_count, 3, "who has one already");
    assert_eq!((have(&early).await, have(&mid).await, have(&late).await), (2, 3, 1));
}

#[tokio::test]
async fn a_watch_shows_a_run_at_once_and_its_end() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let made = policy(&seller, terms(Issuing::Grant)).await;
    let run = start(&seller, list(&made, &[id_of(&seller).await])).await.expect("starts");
    let open = async |after_cursor: &str| {
        let request = WatchCouponGrantRunRequest { id: run.id.clone(), after_cursor: after_cursor.to_owned() };
        seller.coupon_grants().watch_coupon_grant_run(request).await.expect("opens")
    };
    let mut watch = pin!(open("").await);
    let first = watch.message().await.expect("watches").expect("an item");
    assert_eq!(first.run.map(|run| run.state()), Some(State::Running));
    let mut resumed = open(&first.cursor).await;

    yeyak.settle().await;

    for watch in [&mut *watch, &mut resumed] {
        let last = watch.message().await.expect("watches").expect("an item");
        assert_eq!(last.run.map(|run| run.state()), Some(State::Completed));
        assert!(watch.message().await.expect("ends").is_none());
    }
}

#[tokio::test]
async fn a_run_of_another_is_not_found_and_every_violation_is_told_at_once() {
    let yeyak = Yeyak::new().await;
    let (seller, other) = (yeyak.seller().await, yeyak.seller().await);
    let made = policy(&seller, terms(Issuing::Grant)).await;
    let member = id_of(&seller).await;
    let run = start(&seller, list(&made, std::slice::from_ref(&member))).await.expect("starts");

    assert_eq!(refused(start(&other, list(&made, &[member])).await), ErrorReason::NotFound);
    assert_eq!(refused(get(&other, &run.id).await), ErrorReason::NotFound);
    let cancel = CancelCouponGrantRunRequest { id: run.id.clone(), ..Default::default() };
    assert_eq!(refused(other.coupon_grants().cancel_coupon_grant_run(cancel).await), ErrorReason::NotFound);
    let watch = WatchCouponGrantRunRequest { id: run.id, ..Default::default() };
    let watched = other.coupon_grants().watch_coupon_grant_run(watch).await.map(drop);
    assert_eq!(refused(watched), ErrorReason::NotFound);
    let wrong = list(&made, &["member_1".into(), "me".into()]);
    let wrong = StartCouponGrantRunRequest { policy_id: String::new(), ..wrong };
    let wrong = start(&seller, wrong).await.expect_err("malformed");
    let fields: Vec<_> = wrong.violations.iter().map(|violation| &*violation.field).collect();
    assert_eq!(fields, ["policy_id", "list.member_ids[0]", "list.member_ids[1]"]);
    let many = list(&made, &vec![String::new(); 10_001]);
    assert_eq!(start(&seller, many).await.expect_err("too many").violations[0].field, "list.member_ids");
}
