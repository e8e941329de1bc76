//! A place to book: a seller's property with one room type, one rate plan, and a calendar, made through the interface.

use chrono::{Datelike, Days, NaiveDate};
use yeyak::proto::booking::v1::booking::State;
use yeyak::proto::booking::v1::{
    Booking, BookingQuote, CancelBookingRequest, CreateBookingRequest, GetBookingRequest, Guest, QuoteBookingRequest,
    QuoteCancellationRequest,
};
use yeyak::proto::common::v1::{Date, Money};
use yeyak::proto::payment::v1::{ConfirmPaymentRequest, Payment, PreparePaymentRequest};
use yeyak::proto::stay::v1::cancellation_policy::Preset;
use yeyak::proto::stay::v1::property::{ConfirmationMode, LatePaymentPolicy};
use yeyak::proto::stay::v1::{
    CancellationPolicy, CreatePropertyRequest, CreateRatePlanRequest, CreateRoomTypeRequest, GeoPoint,
    OpenPropertyRequest, Property, RatePlan, RatePlanPrice, Region, RoomType, SearchStaysRequest, SearchStaysResponse,
    UpdateCalendarRequest, UpdateRoomTypeRequest,
};
use yeyak::{Client, Error};

use crate::harness::Yeyak;

pub(crate) const PRICE: i64 = 100_000;

/// The first night of most tests: 30 days from the day that the clock shows.
pub(crate) fn arrival() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 4, 1).expect("a date")
}

pub(crate) fn date(day: NaiveDate) -> Option<Date> {
    let [month, day_of_month] = [day.month(), day.day()].map(|part| i32::try_from(part).expect("at most 31"));
    Some(Date { year: day.year(), month, day: day_of_month })
}

pub(crate) fn nights(from: u64, count: u64) -> (NaiveDate, NaiveDate) {
    let check_in = arrival() + Days::new(from);
    (check_in, check_in + Days::new(count))
}

/// What a test wants to book.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) rooms: i32,
    pub(crate) policy: Preset,
    pub(crate) mode: ConfirmationMode,
    pub(crate) late: LatePaymentPolicy,
    pub(crate) price: i64,
    pub(crate) arrival: NaiveDate,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            rooms: 1,
            policy: Preset::Flexible,
            mode: ConfirmationMode::Instant,
            late: LatePaymentPolicy::Refund,
            price: PRICE,
            arrival: arrival(),
        }
    }
}

pub(crate) struct Place {
    pub(crate) seller: Client,
    pub(crate) room_type_id: String,
    pub(crate) rate_plan_id: String,
    pub(crate) arrival: NaiveDate,
}

impl Yeyak {
    pub(crate) async fn place(&self, plan: Plan) -> Place {
        let seller = self.seller().await;
        let property = Property {
            name: "바다가 보이는 집".into(),
            name_en: "House by the Sea".into(),
            region: Region::Jeju.into(),
            address: "제주시 애월읍 1".into(),
            location: Some(GeoPoint { latitude_e7: 334_600_000, longitude_e7: 1_263_100_000 }),
            confirmation_mode: plan.mode.into(),
            late_payment_policy: plan.late.into(),
            ..Default::default()
        };
        let create = CreatePropertyRequest { property: Some(property), ..Default::default() };
        let property = seller.properties().create_property(create).await.expect("a property");
        let room_type = RoomType {
            property_id: property.id.clone(),
            name: "온돌방".into(),
            base_occupancy: 2,
            max_occupancy: 4,
            room_count: plan.rooms,
            ..Default::default()
        };
        let create = CreateRoomTypeRequest { room_type: Some(room_type), ..Default::default() };
        let room_type = seller.room_types().create_room_type(create).await.expect("a room type");
        let policy = CancellationPolicy { preset: plan.policy.into(), tiers: Vec::new() };
        let rate_plan = RatePlan {
            room_type_id: room_type.id.clone(),
            name: "기본".into(),
            cancellation_policy: Some(policy),
            ..Default::default()
        };
        let create = CreateRatePlanRequest { rate_plan: Some(rate_plan), ..Default::default() };
        let rate_plan = seller.rate_plans().create_rate_plan(create).await.expect("a rate plan");
        let place = Place { seller, room_type_id: room_type.id, rate_plan_id: rate_plan.id, arrival: plan.arrival };
        place.set_price(plan.price).await;
        let open = OpenPropertyRequest { id: property.id, ..Default::default() };
        place.seller.properties().open_property(open).await.expect("is for sale");
        place
    }

    /// Does what a person does on the pay page: presses a button. Gives the provider's key.
    pub(crate) async fn press(&self, checkout_url: &str, choice: &str) -> Option<String> {
        press(&browser(), checkout_url, choice).await
    }
}

pub(crate) fn browser() -> reqwest::Client {
    // Installed by another test of this process: it is the same.
    _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a browser")
}

/// Presses a button of a pay page; none where the page, or the way back from it, is not to be had.
pub(crate) async fn press(browser: &reqwest::Client, checkout_url: &str, choice: &str) -> Option<String> {
    let next = |answer: reqwest::Response| {
        let location = answer.headers().get("location")?.to_str().ok()?.to_owned();
        answer.url().join(&location).ok()
    };
    let page = next(browser.get(checkout_url).send().await.ok()?)?;
    let back = next(browser.post(page).form(&[("choice", choice)]).send().await.ok()?)?;
    back.query_pairs().find(|(name, _)| name == "paymentKey").map(|(_, key)| key.into_owned())
}

impl Place {
    /// Changes how many rooms the type has.
    pub(crate) async fn set_room_count(&self, rooms: i32) {
        self.try_room_count(rooms).await.expect("changes");
    }

    /// As [`Self::set_room_count`], where it may be refused.
    pub(crate) async fn try_room_count(&self, rooms: i32) -> Result<RoomType, Error> {
        let room_type = RoomType { id: self.room_type_id.clone(), room_count: rooms, ..Default::default() };
        let update_mask = Some(prost_types::FieldMask { paths: vec!["room_count".into()] });
        let request = UpdateRoomTypeRequest { room_type: Some(room_type), update_mask, ..Default::default() };
        self.seller.room_types().update_room_type(request).await
    }

    /// Sets how many rooms are for sale in some nights.
    pub(crate) async fn try_rooms_on(&self, (start, end): (NaiveDate, NaiveDate), rooms: i32) -> Result<(), Error> {
        let request = UpdateCalendarRequest {
            room_type_id: self.room_type_id.clone(),
            start_date: date(start),
            end_date: date(end),
            room_count: Some(rooms),
            ..Default::default()
        };
        self.seller.calendars().update_calendar(request).await.map(drop)
    }

    /// Sets one price for every night of a few months.
    pub(crate) async fn set_price(&self, won: i64) {
        let price = Money { currency_code: "KRW".into(), minor_units: won };
        let price = RatePlanPrice { rate_plan_id: self.rate_plan_id.clone(), price: Some(price) };
        let calendar = UpdateCalendarRequest {
            room_type_id: self.room_type_id.clone(),
            start_date: date(self.arrival - Days::new(30)),
            end_date: date(self.arrival + Days::new(120)),
            prices: vec![price],
            ..Default::default()
        };
        self.seller.calendars().update_calendar(calendar).await.expect("a calendar");
    }

    /// Whether a search for what is free on the first night finds this place.
    pub(crate) async fn is_found(&self, client: &Client) -> bool {
        !self.search(client).await.expect("searches").offers.is_empty()
    }

    /// Searches for what is free on the first night.
    pub(crate) async fn search(&self, client: &Client) -> Result<SearchStaysResponse, Error> {
        let next = self.arrival + Days::new(1);
        let stay = SearchStaysRequest {
            region: Region::Jeju.into(),
            check_in_date: date(self.arrival),
            check_out_date: date(next),
            ..Default::default()
        };
        client.stay_search().search_stays(stay).await
    }

    pub(crate) async fn quote(&self, client: &Client, stay: (NaiveDate, NaiveDate)) -> Result<BookingQuote, Error> {
        let ask = QuoteBookingRequest {
            room_type_id: self.room_type_id.clone(),
            rate_plan_id: self.rate_plan_id.clone(),
            check_in_date: date(stay.0),
            check_out_date: date(stay.1),
            ..Default::default()
        };
        client.bookings().quote_booking(ask).await
    }

    pub(crate) async fn hold(&self, client: &Client, stay: (NaiveDate, NaiveDate)) -> Result<Booking, Error> {
        let quote = self.quote(client, stay).await?;
        client.bookings().create_booking(take(quote)).await
    }

    /// A booking that is paid.
    pub(crate) async fn confirmed(&self, yeyak: &Yeyak, client: &Client, stay: (NaiveDate, NaiveDate)) -> Booking {
        let booking = self.hold(client, stay).await.expect("holds");
        pay(yeyak, client, &booking).await;
        get(client, &booking.id).await
    }
}

/// The request that takes a quote.
pub(crate) fn take(quote: BookingQuote) -> CreateBookingRequest {
    let guest = Guest { name: "김민아".into(), email: "guest@example.kr".into(), phone: String::new() };
    CreateBookingRequest { quote_token: quote.token, guest: Some(guest), ..Default::default() }
}

pub(crate) async fn prepare(client: &Client, booking: &Booking) -> Payment {
    let request = PreparePaymentRequest { booking_id: booking.id.clone(), ..Default::default() };
    client.payments().prepare_payment(request).await.expect("prepares")
}

pub(crate) async fn confirm(client: &Client, payment: &Payment, provider_key: String) -> Result<Payment, Error> {
    let request = ConfirmPaymentRequest { id: payment.id.clone(), provider_key, ..Default::default() };
    client.payments().confirm_payment(request).await
}

pub(crate) async fn pay(yeyak: &Yeyak, client: &Client, booking: &Booking) -> Payment {
    let payment = prepare(client, booking).await;
    let key = yeyak.press(&payment.checkout_url, "pay").await.expect("a key");
    confirm(client, &payment, key).await.expect("confirms")
}

pub(crate) async fn get(client: &Client, id: &str) -> Booking {
    client.bookings().get_booking(GetBookingRequest { id: id.to_owned() }).await.expect("a booking")
}

pub(crate) async fn cancel(client: &Client, booking: &Booking) -> Result<Booking, Error> {
    let ask = QuoteCancellationRequest { id: booking.id.clone() };
    let quote = client.bookings().quote_cancellation(ask).await?;
    let request = CancelBookingRequest { id: booking.id.clone(), quote_token: quote.token, ..Default::default() };
    client.bookings().cancel_booking(request).await
}

pub(crate) fn minor(money: &Option<Money>) -> i64 {
    money.as_ref().expect("an amount").minor_units
}

pub(crate) fn is(booking: &Booking, state: State) -> bool {
    booking.state() == state
}
