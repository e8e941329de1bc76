//! What tests of points begin with: an admin who gives and takes, and what is asked of them.

use chrono::{DateTime, Utc};
use yeyak::proto::member::v1::{Member, UpdateMemberRequest};
use yeyak::proto::point::v1::earn_points_request::Amount;
use yeyak::proto::point::v1::{
    AdjustPointsRequest, CancelPointSpendingRequest, CommitPointsRequest, EarnPointsRequest, GetPointBalanceRequest,
    GetPointSpendingRequest, GiftPointsRequest, ListPointLotsRequest, ListPointMovementsRequest, PointBalance,
    PointLot, PointMovement, PointPolicy, PointSpending, ReleasePointsRequest, ReservePointsRequest,
    SpendPointsRequest, UpdatePointPolicyRequest,
};
use yeyak::{Client, Error};
use yeyak_server::kit::clock::Clock;

use crate::harness::{Yeyak, id_of};

/// A member with a wallet, and an admin.
pub(crate) struct Desk {
    pub(crate) yeyak: Yeyak,
    pub(crate) admin: Client,
    pub(crate) member: Client,
    pub(crate) id: String,
}

pub(crate) fn stamp(time: DateTime<Utc>) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds: time.timestamp(), nanos: 0 })
}

pub(crate) fn told(time: Option<&prost_types::Timestamp>) -> String {
    let time = time.expect("a time");
    DateTime::from_timestamp(time.seconds, 0).expect("an instant").to_rfc3339()
}

impl Desk {
    pub(crate) async fn new() -> Self {
        let yeyak = Yeyak::new().await;
        let (admin, member) = (yeyak.admin().await, yeyak.member().await);
        let id = id_of(&member).await;
        Self { yeyak, admin, member, id }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.yeyak.clock.now()
    }

    pub(crate) fn ask(&self, points: i64) -> EarnPointsRequest {
        EarnPointsRequest { member_id: self.id.clone(), amount: Some(Amount::Points(points)), ..Default::default() }
    }

    pub(crate) async fn earn(&self, points: i64) -> PointMovement {
        self.admin.points().earn_points(self.ask(points)).await.expect("earns")
    }

    /// Points that are good until an instant.
    pub(crate) async fn earn_until(&self, points: i64, until: DateTime<Utc>) -> PointMovement {
        let earn = EarnPointsRequest { expire_time: stamp(until), ..self.ask(points) };
        self.admin.points().earn_points(earn).await.expect("earns")
    }

    pub(crate) async fn spend(&self, points: i64) -> Result<PointSpending, Error> {
        let spend = SpendPointsRequest { member_id: self.id.clone(), points, ..Default::default() };
        self.admin.points().spend_points(spend).await
    }

    pub(crate) async fn reserve(&self, points: i64) -> Result<PointSpending, Error> {
        let reserve = ReservePointsRequest { member_id: self.id.clone(), points, ..Default::default() };
        self.admin.points().reserve_points(reserve).await
    }

    pub(crate) async fn commit(&self, spending: &PointSpending) -> Result<PointSpending, Error> {
        let commit = CommitPointsRequest { spending_id: spending.id.clone(), ..Default::default() };
        self.admin.points().commit_points(commit).await
    }

    pub(crate) async fn release(&self, spending: &PointSpending) -> Result<PointSpending, Error> {
        let release = ReleasePointsRequest { spending_id: spending.id.clone(), ..Default::default() };
        self.admin.points().release_points(release).await
    }

    pub(crate) async fn cancel(&self, spending: &PointSpending, points: i64) -> Result<PointSpending, Error> {
        let cancel = CancelPointSpendingRequest { spending_id: spending.id.clone(), points, ..Default::default() };
        self.admin.points().cancel_point_spending(cancel).await
    }

    pub(crate) async fn spending(&self, spending: &PointSpending) -> PointSpending {
        let get = GetPointSpendingRequest { spending_id: spending.id.clone() };
        self.admin.points().get_point_spending(get).await.expect("reads")
    }

    pub(crate) async fn adjust(&self, points: i64) -> Result<PointMovement, Error> {
        let (member_id, reason) = (self.id.clone(), "고객 문의 처리".to_owned());
        let adjust = AdjustPointsRequest { member_id, points, reason, ..Default::default() };
        self.admin.points().adjust_points(adjust).await
    }

    pub(crate) async fn policy(&self, policy: PointPolicy, fields: &[&str]) -> Result<PointPolicy, Error> {
        let paths = fields.iter().map(|field| (*field).to_owned()).collect();
        let update_mask = Some(prost_types::FieldMask { paths });
        let update = UpdatePointPolicyRequest { point_policy: Some(policy), update_mask, ..Default::default() };
        self.admin.point_policies().update_point_policy(update).await
    }

    /// The member lives elsewhere from now on.
    pub(crate) async fn moves(&self, time_zone: &str) {
        let member = Member { id: self.id.clone(), time_zone: time_zone.into(), ..Default::default() };
        let update_mask = Some(prost_types::FieldMask { paths: vec!["time_zone".into()] });
        let update = UpdateMemberRequest { member: Some(member), update_mask, ..Default::default() };
        self.member.members().update_member(update).await.expect("moves");
    }

    pub(crate) async fn balance(&self) -> PointBalance {
        balance(&self.member).await
    }

    pub(crate) async fn available(&self) -> i64 {
        self.balance().await.available_points
    }

    pub(crate) async fn movements(&self) -> Vec<PointMovement> {
        movements(&self.member).await
    }

    pub(crate) async fn lots(&self) -> Vec<PointLot> {
        self.member.points().list_point_lots(ListPointLotsRequest::default()).await.expect("lists").lots
    }
}

pub(crate) async fn balance(member: &Client) -> PointBalance {
    member.points().get_point_balance(GetPointBalanceRequest::default()).await.expect("reads")
}

pub(crate) async fn movements(member: &Client) -> Vec<PointMovement> {
    member.points().list_point_movements(ListPointMovementsRequest::default()).await.expect("lists").movements
}

pub(crate) async fn gift(giver: &Client, recipient: &str, points: i64) -> Result<PointMovement, Error> {
    let gift = GiftPointsRequest { recipient_id: recipient.to_owned(), points, ..Default::default() };
    giver.points().gift_points(gift).await
}
