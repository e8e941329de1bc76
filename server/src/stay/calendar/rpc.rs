//! The service of the calendar: caller, command, operation, answer.

use tonic::{Request, Response, Status};
use yeyak_proto::yeyak::stay::v1 as pb;
use yeyak_proto::yeyak::stay::v1::calendar_service_server::{CalendarService, CalendarServiceServer};

use super::convert;
use crate::kit::caller::Caller;
use crate::kit::date::local_date;
use crate::kit::page::{Page, Sizes};
use crate::stay::Stays;

type Answer<T> = Result<Response<T>, Status>;

const SIZES: Sizes = Sizes { default: 100, most: 400 };

impl Stays {
    /// The service that keeps the calendar.
    pub fn calendar_service(&self) -> CalendarServiceServer<Self> {
        CalendarServiceServer::new(self.clone())
    }
}

#[tonic::async_trait]
impl CalendarService for Stays {
    async fn update_calendar(&self, request: Request<pb::UpdateCalendarRequest>) -> Answer<pb::UpdateCalendarResponse> {
        let seller = Caller::of(&request).seller()?;
        let today = local_date(chrono_tz::UTC, self.kit.clock.now());
        let (command, key) = convert::update(request.get_ref(), today)?;
        let count = self.update_calendar(&seller, &command, &key).await?;
        let answer = |count| pb::UpdateCalendarResponse { night_count: i32::try_from(count).unwrap_or(i32::MAX) };
        Ok(count.map(answer).into_response())
    }

    async fn list_calendar_nights(
        &self,
        request: Request<pb::ListCalendarNightsRequest>,
    ) -> Answer<pb::ListCalendarNightsResponse> {
        let seller = Caller::of(&request).seller()?;
        let (room_type, dates) = convert::list(request.get_ref())?;
        let page = Page::sized(&self.kit.keys, request.get_ref(), SIZES)?;
        let (nights, next_page_token) = self.calendar_nights(&seller, room_type, dates, &page).await?;
        let nights = nights.into_iter().map(pb::CalendarNight::from).collect();
        Ok(Response::new(pb::ListCalendarNightsResponse { nights, next_page_token }))
    }
}
