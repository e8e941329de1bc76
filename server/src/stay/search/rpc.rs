//! The service that finds and prices stays: query, answer.

use tonic::{Request, Response, Status};
use yeyak_proto::yeyak::stay::v1 as pb;
use yeyak_proto::yeyak::stay::v1::stay_search_service_server::{StaySearchService, StaySearchServiceServer};

use super::convert;
use crate::kit::page::{Page, Sizes};
use crate::stay::Stays;

type Answer<T> = Result<Response<T>, Status>;

const SIZES: Sizes = Sizes { default: 20, most: 100 };

impl Stays {
    /// The service that finds and prices stays.
    pub fn search_service(&self) -> StaySearchServiceServer<Self> {
        StaySearchServiceServer::new(self.clone())
    }
}

#[tonic::async_trait]
impl StaySearchService for Stays {
    async fn search_stays(&self, request: Request<pb::SearchStaysRequest>) -> Answer<pb::SearchStaysResponse> {
        let mut query = convert::search(request.get_ref(), self.earliest(), self.tomorrow())?;
        let page = Page::sized(&self.kit.keys, request.get_ref(), SIZES)?;
        (query.after, query.limit) = (page.after, page.limit());
        let (found, degraded) = self.search(&query).await?;
        Ok(Response::new(pb::SearchStaysResponse {
            offers: found.hits.into_iter().map(pb::StayOffer::from).collect(),
            next_page_token: found.next.map(|next| page.token(&self.kit.keys, &next)).unwrap_or_default(),
            total_count: i32::try_from(found.total_count).unwrap_or(i32::MAX),
            degraded,
        }))
    }

    async fn price_stay(&self, request: Request<pb::PriceStayRequest>) -> Answer<pb::PriceStayResponse> {
        let (room_type, plan, wanted) = convert::price(request.get_ref())?;
        let offers = self.price(room_type, plan, &wanted).await?.into_iter().map(convert::plan_offer).collect();
        Ok(Response::new(pb::PriceStayResponse { offers }))
    }

    async fn get_stay_calendar(&self, request: Request<pb::GetStayCalendarRequest>) -> Answer<pb::StayCalendar> {
        let (room_type, nights) = convert::calendar(request.get_ref())?;
        let nights = self.nights(room_type, nights).await?;
        Ok(Response::new(pb::StayCalendar { nights: nights.into_iter().map(pb::StayNight::from).collect() }))
    }
}
