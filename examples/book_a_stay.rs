//! Books a stay from end to end: sign up, search, quote, hold, pay, confirm, cancel.
//!
//! Against the server that `YEYAK_URL` names, or, when it is not set, one that the example starts itself, with a small
//! catalogue in a folder of its own.

use std::error::Error;

use chrono::Datelike;
use yeyak::Client;
use yeyak::proto::booking::v1::booking::State;
use yeyak::proto::booking::v1::{
    Booking, CancelBookingRequest, CreateBookingRequest, GetBookingRequest, Guest, QuoteBookingRequest,
    QuoteCancellationRequest,
};
use yeyak::proto::common::v1::{Date, Money};
use yeyak::proto::payment::v1::{ConfirmPaymentRequest, PreparePaymentRequest};
use yeyak::proto::stay::v1::cancellation_policy::Preset;
use yeyak::proto::stay::v1::{Guests, ListRatePlansRequest, RatePlan, SearchStaysRequest};
use yeyak_server::embedded::Embedded;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    match std::env::var_os("YEYAK_URL") {
        Some(url) => book_a_stay(&url.to_string_lossy()).await,
        None => {
            let server = Embedded::start().await?;
            println!("no YEYAK_URL: started a server at {}", server.url());
            let booked = book_a_stay(server.url()).await;
            server.stop().await?;
            booked
        }
    }
}

async fn book_a_stay(url: &str) -> Result<(), Box<dyn Error>> {
    let client = Client::connect(url).await?;
    let email = format!("mina.{}@example.kr", chrono::Local::now().timestamp_micros());
    let member = client.sign_up(&email, "correct horse battery", "민아").await?;
    println!("signed up as {} ({})", member.display_name, member.id);

    let (check_in, check_out) = dates();
    let search = SearchStaysRequest {
        check_in_date: Some(check_in),
        check_out_date: Some(check_out),
        guests: Some(Guests { adult_count: 2, child_count: 0 }),
        ..Default::default()
    };
    let found = client.stay_search().search_stays(search).await?;
    println!("{} stays are free for two nights from {}", found.total_count, show(check_in));
    let Some(stay) = found.offers.into_iter().next() else {
        return Err("nothing to book here: stop the server, load stays with `yeyak demo`, and start it again".into());
    };

    // The cheapest plan gives nothing back: look for one that does.
    let list = ListRatePlansRequest { room_type_id: stay.room_type_id.clone(), ..Default::default() };
    let plans = client.rate_plans().list_rate_plans(list).await?.rate_plans;
    let gives_back = |plan: &RatePlan| {
        plan.cancellation_policy.as_ref().is_some_and(|policy| policy.preset() != Preset::NonRefundable)
    };
    let plan = plans.into_iter().find(gives_back).ok_or("no plan of this room gives anything back")?;

    let quote = QuoteBookingRequest {
        room_type_id: stay.room_type_id.clone(),
        rate_plan_id: plan.id,
        check_in_date: Some(check_in),
        check_out_date: Some(check_out),
        adult_count: 2,
        ..Default::default()
    };
    let quote = client.bookings().quote_booking(quote).await?;
    let place = stay.property.unwrap_or_default().name;
    println!("quoted {} for {} ({}) at {place}", money(&quote.total), stay.room_type_name, plan.name);

    let guest = Guest { name: "김민아".into(), email, phone: "+821012345678".into() };
    let create = CreateBookingRequest { quote_token: quote.token, guest: Some(guest), ..Default::default() };
    let booking = client.bookings().create_booking(create).await?;
    println!("{} is {}: the nights are held", booking.code, state(&booking));

    let prepare = PreparePaymentRequest { booking_id: booking.id.clone(), ..Default::default() };
    let payment = client.payments().prepare_payment(prepare).await?;
    println!("pay at {}", payment.checkout_url);
    let provider_key = press_pay(&payment.checkout_url).await?;
    let confirm = ConfirmPaymentRequest { id: payment.id, provider_key, ..Default::default() };
    let payment = client.payments().confirm_payment(confirm).await?;
    println!("the payment is {:?}", payment.state());

    let booking = client.bookings().get_booking(GetBookingRequest { id: booking.id }).await?;
    println!("{} is {}, paid {}", booking.code, state(&booking), money(&booking.paid));

    let ask = QuoteCancellationRequest { id: booking.id.clone() };
    let quote = client.bookings().quote_cancellation(ask).await?;
    println!("a cancellation now would give back {} and keep {}", money(&quote.refund), money(&quote.fee));
    let cancel = CancelBookingRequest {
        id: booking.id,
        quote_token: quote.token,
        reason: "a typhoon".into(),
        ..Default::default()
    };
    let booking = client.bookings().cancel_booking(cancel).await?;
    println!("{} is {}, {} goes back", booking.code, state(&booking), money(&booking.refunded));
    Ok(())
}

/// Does what a person does in a browser: opens the pay page and presses *Pay*. Gives the key with which the provider knows
/// the payment, from the address that it sends the browser back to.
async fn press_pay(checkout_url: &str) -> Result<String, Box<dyn Error>> {
    rustls::crypto::ring::default_provider().install_default().map_err(|_| "installed twice")?;
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let page = browser.get(checkout_url).send().await?;
    let page = location(&page, checkout_url)?;
    let pressed = browser.post(page.clone()).form(&[("choice", "pay")]).send().await?;
    let back = location(&pressed, page.as_str())?;
    let key = back.query_pairs().find(|(name, _)| name == "paymentKey").map(|(_, key)| key.into_owned());
    Ok(key.ok_or("the provider declined")?)
}

fn location(answer: &reqwest::Response, base: &str) -> Result<reqwest::Url, Box<dyn Error>> {
    let location = answer.headers().get("location").ok_or_else(|| format!("{} at {base}", answer.status()))?;
    Ok(reqwest::Url::parse(base)?.join(location.to_str()?)?)
}

/// Two nights, thirty days from today.
fn dates() -> (Date, Date) {
    let today = chrono::Local::now().date_naive();
    let date = |days| {
        let day = today + chrono::Days::new(days);
        let [month, day_of_month] = [day.month(), day.day()].map(|part| i32::try_from(part).expect("at most 31"));
        Date { year: day.year(), month, day: day_of_month }
    };
    (date(30), date(32))
}

fn show(date: Date) -> String {
    format!("{}-{:02}-{:02}", date.year, date.month, date.day)
}

fn state(booking: &Booking) -> &'static str {
    State::as_str_name(&booking.state()).trim_start_matches("STATE_")
}

fn money(money: &Option<Money>) -> String {
    money.as_ref().map(|money| format!("{} {}", money.minor_units, money.currency_code)).unwrap_or_default()
}
