//! The service of bookings: caller, command, operation, answer.

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use tonic::{Request, Response, Status};
use yeyak_proto::Mutation;
use yeyak_proto::yeyak::booking::v1 as pb;
use yeyak_proto::yeyak::booking::v1::booking_service_server::{BookingService, BookingServiceServer};

use super::model::Booking;
use super::store::Of;
use super::watch::{Cursor, Seen};
use super::{Bookings, convert};
use crate::error::Error;
use crate::kit::caller::Caller;
use crate::kit::id::{BookingId, MemberId};
use crate::kit::idempotency::{Reply, RequestKey};
use crate::kit::page::Page;
use crate::kit::violation::Violations;
use crate::layer::context::RequestContext;

type Answer<T> = Result<Response<T>, Status>;

impl Bookings {
    /// The service that books.
    pub fn service(&self) -> BookingServiceServer<Self> {
        BookingServiceServer::new(self.clone())
    }

    async fn answer(&self, viewer: MemberId, reply: Reply<Booking>) -> Answer<pb::Booking> {
        let now = self.kit.clock.now();
        let point_balance_version = self.point_version(viewer, &reply.value).await?;
        let told =
            |booking: Booking| pb::Booking { point_balance_version, ..convert::booking(&booking, Some(viewer), now) };
        Ok(reply.map(told).into_response())
    }

    fn seen(&self, viewer: MemberId, seen: Seen) -> pb::WatchBookingResponse {
        let now = self.kit.clock.now();
        pb::WatchBookingResponse {
            cursor: seen.cursor.to_string(),
            booking: seen.booking.map(|booking| convert::booking(&booking, Some(viewer), now)),
        }
    }
}

/// The request's key and the booking that it names.
fn named<M: Mutation>(message: &M, id: &str) -> Result<(BookingId, RequestKey), Error> {
    let mut violations = Violations::new();
    let key = RequestKey::of(message, &mut violations);
    let id = violations.id("id", id);
    violations.finish(id.map(|id| (id, key)))
}

/// The same, with text of some length.
fn with_text<M: Mutation>(
    message: &M,
    id: &str,
    text: (&str, &str),
    length: (usize, usize),
) -> Result<(BookingId, RequestKey, String), Error> {
    let mut violations = Violations::new();
    let key = RequestKey::of(message, &mut violations);
    let id = violations.id("id", id);
    let text = violations.text(text.0, text.1, length.0, length.1);
    violations.finish((|| Some((id?, key, text?)))())
}

#[tonic::async_trait]
impl BookingService for Bookings {
    type WatchBookingStream = BoxStream<'static, Result<pb::WatchBookingResponse, Status>>;

    async fn quote_booking(&self, request: Request<pb::QuoteBookingRequest>) -> Answer<pb::BookingQuote> {
        let caller = Caller::of(&request).member()?;
        let ask = convert::ask_quote(request.get_ref())?;
        let quoted = self.quote(&caller, ask).await?;
        Ok(Response::new(convert::quote(quoted)))
    }

    async fn create_booking(&self, request: Request<pb::CreateBookingRequest>) -> Answer<pb::Booking> {
        let caller = Caller::of(&request).member()?;
        let mut violations = Violations::new();
        let key = RequestKey::of(request.get_ref(), &mut violations);
        let command = convert::create(&mut violations, request.into_inner());
        let command = violations.finish(command)?;
        let created = self.create(&caller, &command, &key).await?;
        self.answer(caller.id, created).await
    }

    async fn get_booking(&self, request: Request<pb::GetBookingRequest>) -> Answer<pb::Booking> {
        let caller = Caller::of(&request).member()?;
        let id = convert::booking_id(&request.get_ref().id)?;
        let value = self.get(&caller, id).await?;
        self.answer(caller.id, Reply { value, replayed: false }).await
    }

    async fn list_bookings(&self, request: Request<pb::ListBookingsRequest>) -> Answer<pb::ListBookingsResponse> {
        let caller = Caller::of(&request).member()?;
        let page = Page::of(&self.kit.keys, request.get_ref())?;
        let (bookings, next_page_token) = self.list(Of::Member(caller.id), &page).await?;
        let now = self.kit.clock.now();
        let bookings = bookings.iter().map(|booking| convert::booking(booking, Some(caller.id), now)).collect();
        Ok(Response::new(pb::ListBookingsResponse { bookings, next_page_token }))
    }

    async fn list_seller_bookings(
        &self,
        request: Request<pb::ListSellerBookingsRequest>,
    ) -> Answer<pb::ListSellerBookingsResponse> {
        let caller = Caller::of(&request).seller()?;
        let page = Page::of(&self.kit.keys, request.get_ref())?;
        let mut violations = Violations::new();
        let property = match &*request.get_ref().property_id {
            "" => None,
            id => violations.id("property_id", id),
        };
        violations.finish(Some(()))?;
        let (bookings, next_page_token) = self.list(Of::Seller(caller.id, property), &page).await?;
        let now = self.kit.clock.now();
        let bookings = bookings.iter().map(|booking| convert::booking(booking, Some(caller.id), now)).collect();
        Ok(Response::new(pb::ListSellerBookingsResponse { bookings, next_page_token }))
    }

    async fn look_up_booking(&self, request: Request<pb::LookUpBookingRequest>) -> Answer<pb::Booking> {
        let peer = request.extensions().get::<RequestContext>().and_then(|context| context.peer);
        let mut violations = Violations::new();
        violations.require("code", !request.get_ref().code.is_empty(), "must be given");
        violations.require("email", !request.get_ref().email.is_empty(), "must be given");
        violations.finish(Some(()))?;
        let booking = self.look_up(&request.get_ref().code, &request.get_ref().email, peer).await?;
        Ok(Response::new(convert::booking(&booking, None, self.kit.clock.now())))
    }

    async fn watch_booking(&self, request: Request<pb::WatchBookingRequest>) -> Answer<Self::WatchBookingStream> {
        let caller = Caller::of(&request).member()?;
        let mut violations = Violations::new();
        let id = violations.id("id", &request.get_ref().id);
        let after = match &*request.get_ref().after_cursor {
            "" => None,
            text => {
                let cursor = Cursor::of(text);
                violations.require("after_cursor", cursor.is_some(), "must be a cursor of an earlier item");
                cursor
            }
        };
        let id = violations.finish(id)?;
        let (viewer, this) = (caller.id, self.clone());
        let items = self.watch(caller, id, after).await?;
        Ok(Response::new(items.map_ok(move |seen| this.seen(viewer, seen)).map_err(Status::from).boxed()))
    }

    async fn extend_booking(&self, request: Request<pb::ExtendBookingRequest>) -> Answer<pb::Booking> {
        let caller = Caller::of(&request).member()?;
        let (id, key) = named(request.get_ref(), &request.get_ref().id)?;
        let extended = self.extend(&caller, id, &key).await?;
        self.answer(caller.id, extended).await
    }

    async fn quote_cancellation(
        &self,
        request: Request<pb::QuoteCancellationRequest>,
    ) -> Answer<pb::CancellationQuote> {
        let caller = Caller::of(&request).member()?;
        let id = convert::booking_id(&request.get_ref().id)?;
        let quoted = self.quote_cancellation(&caller, id).await?;
        Ok(Response::new(convert::cancellation_quote(quoted)))
    }

    async fn cancel_booking(&self, request: Request<pb::CancelBookingRequest>) -> Answer<pb::Booking> {
        let caller = Caller::of(&request).member()?;
        let message = request.get_ref();
        let mut violations = Violations::new();
        let key = RequestKey::of(message, &mut violations);
        let id = violations.id("id", &message.id);
        violations.require(
            "quote_token",
            !message.quote_token.is_empty(),
            "must be given; QuoteCancellation gives one",
        );
        let reason = violations.text("reason", &message.reason, 0, 500);
        let (id, reason) = violations.finish(id.zip(reason))?;
        let cancelled = self.cancel(&caller, id, &message.quote_token, &reason, &key).await?;
        self.answer(caller.id, cancelled).await
    }

    async fn cancel_seller_booking(&self, request: Request<pb::CancelSellerBookingRequest>) -> Answer<pb::Booking> {
        let caller = Caller::of(&request).seller()?;
        let message = request.get_ref();
        let (id, key, reason) = with_text(message, &message.id, ("reason", &message.reason), (1, 500))?;
        let cancelled = self.cancel_by_seller(&caller, id, &reason, &key).await?;
        self.answer(caller.id, cancelled).await
    }

    async fn quote_change(&self, request: Request<pb::QuoteChangeRequest>) -> Answer<pb::ChangeQuote> {
        let caller = Caller::of(&request).member()?;
        let (id, nights) = convert::change(request.get_ref())?;
        let quoted = self.quote_change(&caller, id, nights).await?;
        Ok(Response::new(convert::change_quote(quoted)))
    }

    async fn change_booking(&self, request: Request<pb::ChangeBookingRequest>) -> Answer<pb::Booking> {
        let caller = Caller::of(&request).member()?;
        let message = request.get_ref();
        let mut violations = Violations::new();
        let key = RequestKey::of(message, &mut violations);
        let id = violations.id("id", &message.id);
        violations.require("quote_token", !message.quote_token.is_empty(), "must be given; QuoteChange gives one");
        let id = violations.finish(id)?;
        let changed = self.change(&caller, id, &message.quote_token, &key).await?;
        self.answer(caller.id, changed).await
    }

    async fn approve_booking(&self, request: Request<pb::ApproveBookingRequest>) -> Answer<pb::Booking> {
        let caller = Caller::of(&request).seller()?;
        let (id, key) = named(request.get_ref(), &request.get_ref().id)?;
        let approved = self.approve(&caller, id, &key).await?;
        self.answer(caller.id, approved).await
    }

    async fn decline_booking(&self, request: Request<pb::DeclineBookingRequest>) -> Answer<pb::Booking> {
        let caller = Caller::of(&request).seller()?;
        let message = request.get_ref();
        let (id, key, reason) = with_text(message, &message.id, ("reason", &message.reason), (1, 500))?;
        let declined = self.decline(&caller, id, &reason, &key).await?;
        self.answer(caller.id, declined).await
    }

    async fn check_in_booking(&self, request: Request<pb::CheckInBookingRequest>) -> Answer<pb::Booking> {
        let caller = Caller::of(&request).seller()?;
        let (id, key) = named(request.get_ref(), &request.get_ref().id)?;
        let checked_in = self.check_in(&caller, id, &key).await?;
        self.answer(caller.id, checked_in).await
    }

    async fn mark_no_show(&self, request: Request<pb::MarkNoShowRequest>) -> Answer<pb::Booking> {
        let caller = Caller::of(&request).seller()?;
        let (id, key) = named(request.get_ref(), &request.get_ref().id)?;
        let marked = self.mark_no_show(&caller, id, &key).await?;
        self.answer(caller.id, marked).await
    }

    async fn complete_booking(&self, request: Request<pb::CompleteBookingRequest>) -> Answer<pb::Booking> {
        let caller = Caller::of(&request).seller()?;
        let (id, key) = named(request.get_ref(), &request.get_ref().id)?;
        let completed = self.complete(&caller, id, &key).await?;
        self.answer(caller.id, completed).await
    }
}
