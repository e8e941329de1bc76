//! The calls that are measured.

use std::sync::atomic::{AtomicU64, Ordering};

use yeyak::Client;
use yeyak::proto::booking::v1::booking::State;
use yeyak::proto::booking::v1::{BookingQuote, CreateBookingRequest, GetBookingRequest, Guest, QuoteBookingRequest};
use yeyak::proto::member::v1::VerifyTokenRequest;
use yeyak::proto::payment::v1::{ConfirmPaymentRequest, PreparePaymentRequest};
use yeyak::proto::stay::v1::{Guests, SearchStaysRequest};
use yeyak_server::backend::provider::simulator::{NewPayment, Simulator};
use yeyak_server::kit::money::Money;

use crate::catalogue::{Room, stay};
use crate::commits::Commits;
use crate::{Done, Failure};

/// Who calls, and what about.
pub(crate) struct Stage {
    pub(crate) members: Vec<Client>,
    pub(crate) rooms: Vec<Room>,
    pub(crate) simulator: Simulator,
    pub(crate) commits: Commits,
    turns: AtomicU64,
}

impl Stage {
    pub(crate) fn new(members: Vec<Client>, rooms: Vec<Room>, simulator: Simulator, commits: Commits) -> Self {
        Self { members, rooms, simulator, commits, turns: AtomicU64::new(0) }
    }

    /// Numbers that spread over rooms and dates, another one for each call.
    fn turn(&self) -> u64 {
        self.turns.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 16
    }

    fn room(&self, turn: u64) -> &Room {
        &self.rooms[usize::try_from(turn).expect("48 bits fit") % self.rooms.len()]
    }

    pub(crate) async fn empty(&self, client: usize) -> Done {
        let request = VerifyTokenRequest { access_token: "x.y.z".into() };
        self.members[client].auth().verify_token(request).await?;
        Ok(())
    }

    pub(crate) async fn search(&self, client: usize) -> Done {
        let turn = self.turn();
        let (check_in, check_out) = stay(turn);
        let region = i32::try_from(turn % 17).expect("is small") + 1;
        let request = SearchStaysRequest {
            check_in_date: check_in,
            check_out_date: check_out,
            guests: Some(Guests { adult_count: 2, ..Default::default() }),
            region,
            ..Default::default()
        };
        let found = self.members[client].stay_search().search_stays(request).await?;
        // With few properties some regions have none.
        let missing = found.offers.is_empty() && self.rooms.len() >= 17;
        if missing { Err(format!("nothing was found in region {region}").into()) } else { Ok(()) }
    }

    async fn quoted(&self, client: usize) -> Result<BookingQuote, Failure> {
        let turn = self.turn();
        let (room, (check_in_date, check_out_date)) = (self.room(turn), stay(turn));
        let request = QuoteBookingRequest {
            room_type_id: room.room_type.clone(),
            rate_plan_id: room.rate_plan.clone(),
            check_in_date,
            check_out_date,
            ..Default::default()
        };
        Ok(self.members[client].bookings().quote_booking(request).await?)
    }

    pub(crate) async fn quote(&self, client: usize) -> Done {
        self.quoted(client).await.map(|_| ())
    }

    /// From the quote until the booking reads CONFIRMED.
    pub(crate) async fn booking(&self, client: usize) -> Done {
        let quote = self.quoted(client).await?;
        let member = &self.members[client];
        let guest = Guest { name: "김민아".into(), email: "guest@example.kr".into(), phone: String::new() };
        let take = CreateBookingRequest { quote_token: quote.token, guest: Some(guest), ..Default::default() };
        let booking = member.bookings().create_booking(take).await?;
        let prepare = PreparePaymentRequest { booking_id: booking.id.clone(), ..Default::default() };
        let payment = member.payments().prepare_payment(prepare).await?;
        let amount = payment.amount.as_ref().map_or(0, |amount| amount.minor_units);
        let agreed = NewPayment {
            order: payment.id.clone(),
            order_name: "stay".into(),
            amount: Money::won(amount),
            success_url: "http://127.0.0.1/paid".into(),
            fail_url: "http://127.0.0.1/declined".into(),
            agreed: true,
        };
        let provider_key = self.simulator.create_payment(agreed).await?;
        let confirm = ConfirmPaymentRequest { id: payment.id, provider_key, ..Default::default() };
        member.payments().confirm_payment(confirm).await?;
        let booking = member.bookings().get_booking(GetBookingRequest { id: booking.id }).await?;
        match booking.state() {
            State::Confirmed => Ok(()),
            state => Err(format!("{} is {}", booking.id, state.as_str_name()).into()),
        }
    }
}
