//! The service of points: caller, command, operation, answer.

use tonic::{Request, Response, Status};
use yeyak_proto::yeyak::point::v1 as pb;
use yeyak_proto::yeyak::point::v1::point_service_server::{PointService, PointServiceServer};

use super::caller::Desk;
use super::model::Spending;
use super::read::Balance;
use super::{Points, convert};
use crate::kit::caller::Caller;
use crate::kit::idempotency::Reply;
use crate::kit::page::Page;

type Answer<T> = Result<Response<T>, Status>;

impl Points {
    /// The service that keeps points.
    pub fn service(&self) -> PointServiceServer<Self> {
        PointServiceServer::new(self.clone())
    }

    fn answer(&self, reply: Reply<Spending>) -> Response<pb::PointSpending> {
        let now = self.now();
        reply.map(|spending| convert::spending(&spending, now)).into_response()
    }
}

#[tonic::async_trait]
impl PointService for Points {
    async fn get_point_balance(&self, request: Request<pb::GetPointBalanceRequest>) -> Answer<pb::PointBalance> {
        let caller = Caller::of(&request).member()?;
        let (member, days, least) = convert::balance(request.get_ref())?;
        let purse = self.look(&caller, member, least).await?;
        Ok(Response::new(convert::proto_balance(Balance::of(purse, self.now() + days))))
    }

    async fn list_point_movements(
        &self,
        request: Request<pb::ListPointMovementsRequest>,
    ) -> Answer<pb::ListPointMovementsResponse> {
        let caller = Caller::of(&request).member()?;
        let (member, wanted, least) = convert::movements(request.get_ref())?;
        let page = Page::of(&self.kit.keys, request.get_ref())?;
        let purse = self.look(&caller, member, least).await?;
        let (movements, next_page_token) = self.movements(purse.wallet, wanted, &page).await?;
        let movements = movements.into_iter().map(pb::PointMovement::from).collect();
        Ok(Response::new(pb::ListPointMovementsResponse { movements, next_page_token }))
    }

    async fn list_point_lots(&self, request: Request<pb::ListPointLotsRequest>) -> Answer<pb::ListPointLotsResponse> {
        let caller = Caller::of(&request).member()?;
        let member = convert::lots(request.get_ref())?;
        let page = Page::of(&self.kit.keys, request.get_ref())?;
        let member = self.whose(&caller, member).await?;
        let (lots, next_page_token) = self.lots(member, &page).await?;
        let lots = lots.into_iter().map(pb::PointLot::from).collect();
        Ok(Response::new(pb::ListPointLotsResponse { lots, next_page_token }))
    }

    async fn simulate_point_spending(
        &self,
        request: Request<pb::SimulatePointSpendingRequest>,
    ) -> Answer<pb::SimulatePointSpendingResponse> {
        let caller = Caller::of(&request).member()?;
        let (member, points) = convert::simulate_spending(request.get_ref())?;
        let member = self.whose(&caller, member).await?;
        let (pieces, available_points) = self.simulate_spending(member, points).await?;
        let pieces = convert::pieces(&pieces);
        Ok(Response::new(pb::SimulatePointSpendingResponse { pieces, available_points }))
    }

    async fn simulate_point_expiry(
        &self,
        request: Request<pb::SimulatePointExpiryRequest>,
    ) -> Answer<pb::SimulatePointExpiryResponse> {
        let caller = Caller::of(&request).member()?;
        let (member, until) = convert::simulate_expiry(request.get_ref(), self.now())?;
        let member = self.whose(&caller, member).await?;
        let (pieces, points) = self.simulate_expiry(member, until).await?;
        Ok(Response::new(pb::SimulatePointExpiryResponse { pieces: convert::pieces(&pieces), points }))
    }

    async fn get_point_tier(&self, request: Request<pb::GetPointTierRequest>) -> Answer<pb::PointTier> {
        let caller = Caller::of(&request).member()?;
        let member = convert::tier(request.get_ref())?;
        let member = self.whose(&caller, member).await?;
        Ok(Response::new(self.show_tier(member).await?))
    }

    async fn gift_points(&self, request: Request<pb::GiftPointsRequest>) -> Answer<pb::PointMovement> {
        let caller = Caller::of(&request).member()?;
        let (gift, key) = convert::gift(request.get_ref(), caller.id)?;
        Ok(self.gift(&caller, &gift, &key).await?.into_response())
    }

    async fn earn_points(&self, request: Request<pb::EarnPointsRequest>) -> Answer<pb::PointMovement> {
        let desk = Desk::of(Caller::of(&request))?;
        let (earn, key) = convert::earn(request.get_ref(), self.now())?;
        Ok(self.earn(&desk, &earn, &key).await?.into_response())
    }

    async fn spend_points(&self, request: Request<pb::SpendPointsRequest>) -> Answer<pb::PointSpending> {
        let desk = Desk::of(Caller::of(&request))?;
        let (spend, key) = convert::spend(request.get_ref())?;
        Ok(self.answer(self.spend(&desk, &spend, &key).await?))
    }

    async fn get_point_spending(&self, request: Request<pb::GetPointSpendingRequest>) -> Answer<pb::PointSpending> {
        Desk::of(Caller::of(&request))?;
        let id = convert::spending_id(&request.get_ref().spending_id)?;
        let spending = self.spending(id).await?;
        Ok(Response::new(convert::spending(&spending, self.now())))
    }

    async fn cancel_point_spending(
        &self,
        request: Request<pb::CancelPointSpendingRequest>,
    ) -> Answer<pb::PointSpending> {
        let desk = Desk::of(Caller::of(&request))?;
        let (cancel, key) = convert::cancel(request.get_ref())?;
        Ok(self.answer(self.cancel(&desk, &cancel, &key).await?))
    }

    async fn reserve_points(&self, request: Request<pb::ReservePointsRequest>) -> Answer<pb::PointSpending> {
        let desk = Desk::of(Caller::of(&request))?;
        let (spend, key) = convert::reserve(request.get_ref(), self.now())?;
        Ok(self.answer(self.spend(&desk, &spend, &key).await?))
    }

    async fn commit_points(&self, request: Request<pb::CommitPointsRequest>) -> Answer<pb::PointSpending> {
        let desk = Desk::of(Caller::of(&request))?;
        let (id, key) = convert::named(request.get_ref(), &request.get_ref().spending_id)?;
        Ok(self.answer(self.commit_spending(&desk, id, &key).await?))
    }

    async fn release_points(&self, request: Request<pb::ReleasePointsRequest>) -> Answer<pb::PointSpending> {
        let desk = Desk::of(Caller::of(&request))?;
        let (id, key) = convert::named(request.get_ref(), &request.get_ref().spending_id)?;
        Ok(self.answer(self.release_spending(&desk, id, &key).await?))
    }

    async fn adjust_points(&self, request: Request<pb::AdjustPointsRequest>) -> Answer<pb::PointMovement> {
        let desk = Desk::of(Caller::of(&request))?;
        let (adjust, key) = convert::adjust(request.get_ref(), self.now())?;
        Ok(self.adjust(&desk, &adjust, &key).await?.into_response())
    }
}
