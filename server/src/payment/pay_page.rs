//! What a payer's browser reaches: the way to the pay page, and the pages behind it.
//!
//! An address holds the payment's id, which only its payer knows, and no credentials. Who comes back with the provider's key
//! of that payment has been at the provider.

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State as Shared};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;

use super::confirm::Confirm;
use super::convert;
use super::error::PaymentError;
use super::model::{Payment, PaymentId, State};
use super::page::Page;
use super::{Payments, store};
use crate::backend::provider::simulator::{CreateError, NewPayment, Simulator};
use crate::error::{Error, ErrorReason};
use crate::kit::caller::Actor;

pub(super) fn routes() -> Router<Payments> {
    Router::new().route("/pay/{id}", get(pay)).route("/pay/return", get(come_back)).route("/pay/failed", get(failed))
}

async fn pay(Shared(payments): Shared<Payments>, Path(id): Path<String>) -> Response {
    let Ok(id) = id.parse() else { return no_payment().into_response() };
    match store::payment(payments.kit.db.read(), id).await {
        Ok(None) => no_payment().into_response(),
        Ok(Some(payment)) => payments.pay_page(&payment).await,
        Err(error) => broken(&error).into_response(),
    }
}

/// What the provider adds to the address of the page that a payer comes back to.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Returned {
    payment_key: String,
    order_id: String,
    amount: String,
}

async fn come_back(Shared(payments): Shared<Payments>, returned: Result<Query<Returned>, QueryRejection>) -> Response {
    let Ok(Query(returned)) = returned else { return malformed().into_response() };
    let id: Result<PaymentId, _> = returned.order_id.parse();
    let key = convert::provider_key(&returned.payment_key).filter(|key| !key.is_empty());
    let (Ok(id), Some(provider_key)) = (id, key) else { return malformed().into_response() };
    let command = Confirm { id, provider_key };
    // A browser that leaves must not end what it began.
    let tasks = payments.settings.tasks.clone();
    let shown = tasks.spawn(async move { payments.come_back(&command, &returned.amount).await });
    match shown.await {
        Ok(Ok(page)) => page.into_response(),
        Ok(Err(error)) => refused(&error).into_response(),
        Err(error) => broken(&Error::internal(error)).into_response(),
    }
}

#[derive(Deserialize)]
struct Failed {
    #[serde(default)]
    code: String,
}

/// Shows the provider's code alone: its message came by the browser, and anyone can write an address.
async fn failed(failed: Result<Query<Failed>, QueryRejection>) -> Response {
    let page = declined();
    let known = |code: &str| {
        (1..=60).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
    };
    match failed {
        Ok(Query(failed)) if known(&failed.code) => page.line(failed.code).into_response(),
        _ => page.into_response(),
    }
}

impl Payments {
    async fn pay_page(&self, payment: &Payment) -> Response {
        let state = payment.state_at(self.kit.clock.now(), self.settings.paying);
        match (state, &self.simulator) {
            (State::Ready, _) if payment.provider != self.provider.name() => over().into_response(),
            (State::Ready, Some(simulator)) => self.send_to(simulator, payment).await,
            (State::Ready, None) => described(WIDGET, payment).into_response(),
            _ => outcome(payment, state).into_response(),
        }
    }

    /// Sends the payer to the page of the simulator.
    async fn send_to(&self, simulator: &Simulator, payment: &Payment) -> Response {
        let ours = |page: &str| format!("{}/pay/{page}", self.settings.public_url);
        let (success_url, fail_url) = match &*payment.return_url {
            "" => (ours("return"), ours("failed")),
            theirs => (theirs.to_owned(), theirs.to_owned()),
        };
        let order_name = payment.order_name.clone();
        let new = NewPayment {
            order: payment.id.to_string(),
            order_name,
            amount: payment.amount,
            success_url,
            fail_url,
            agreed: false,
        };
        match simulator.create_payment(new).await {
            Ok(key) => Redirect::to(&simulator.pay_url(&key)).into_response(),
            Err(CreateError::OrderTaken(_)) => over().into_response(),
            Err(error) => broken(&Error::internal(error)).into_response(),
        }
    }

    /// Confirms what the payer agreed to, when the key is that of the payment and the amount is ours.
    async fn come_back(&self, command: &Confirm, amount: &str) -> Result<Page, Error> {
        let payment = self.payment(command.id).await?;
        let state = payment.state_at(self.kit.clock.now(), self.settings.paying);
        if state == State::Ready {
            // A wrong key would end the attempt of a payer who did nothing wrong.
            let charge = self.provider.find(&command.id.to_string()).await;
            let Ok(charge) = charge else { return Ok(described(NOT_KNOWN, &payment)) };
            let asked = charge.filter(|charge| charge.key == command.provider_key);
            let shown = asked.filter(|charge| charge.total == payment.amount);
            if shown.is_none() || amount.parse() != Ok(payment.amount.minor) {
                return Ok(malformed());
            }
        }
        let confirmed = self.confirm_by_page(command, &Actor("payer at the pay page".to_owned())).await?;
        let state = confirmed.state_at(self.kit.clock.now(), self.settings.paying);
        Ok(outcome(&confirmed, state))
    }
}

type Words = (StatusCode, &'static str, &'static str);

const PAID: Words = (StatusCode::OK, "결제가 완료되었습니다", "It is paid.");
const DECLINED: Words = (
    StatusCode::OK,
    "결제가 승인되지 않았습니다",
    "The payment was declined. Nothing was taken; go back to the booking and begin again, with another card perhaps.",
);
const NOT_KNOWN: Words = (
    StatusCode::OK,
    "결제 결과를 확인하고 있습니다",
    "The outcome is not known yet. It is asked for until it is: please do not pay again, and look at your booking later.",
);
const DECIDING: Words = (
    StatusCode::OK,
    "판매자가 확인하고 있습니다",
    "The payment arrived late. The seller decides whether the booking is made or the money goes back.",
);
const GOES_BACK: Words =
    (StatusCode::OK, "결제 금액이 환불됩니다", "The booking can't take the payment: all of it goes back to you.");
const OVER: Words =
    (StatusCode::GONE, "결제 시간이 지났습니다", "The time to pay has run out. Nothing was taken; begin again.");
const NO_PAYMENT: Words = (StatusCode::NOT_FOUND, "결제를 찾을 수 없습니다", "There is no such payment.");
const MALFORMED: Words = (
    StatusCode::BAD_REQUEST,
    "결제 정보가 올바르지 않습니다",
    "This address does not belong to the payment. Nothing was taken by opening it.",
);
const BROKEN: Words = (StatusCode::SERVICE_UNAVAILABLE, "잠시 후 다시 시도해주세요", "Please try again in a moment.");
const REFUSED: Words =
    (StatusCode::CONFLICT, "결제할 수 없습니다", "The booking can't be paid any more. Nothing was taken.");
const OTHER_PRICE: Words = (
    StatusCode::CONFLICT,
    "예약 금액이 변경되었습니다",
    "The booking costs something else by now. Nothing was taken; go back to the booking and begin to pay again.",
);
const WIDGET: Words = (
    StatusCode::NOT_IMPLEMENTED,
    "결제창은 판매 페이지에 있습니다",
    "Paying with this provider begins in the checkout widget of the page that sells: give it this order and this amount.",
);

fn page((status, title, words): Words) -> Page {
    Page::new(status, title, words)
}

fn described(words: Words, payment: &Payment) -> Page {
    page(words).line(&payment.order_name).line(payment.amount.to_string()).line(payment.id.to_string())
}

fn outcome(payment: &Payment, state: State) -> Page {
    match state {
        State::Captured => described(PAID, payment),
        State::Confirming | State::Reconciling => described(NOT_KNOWN, payment),
        State::NeedsDecision => described(DECIDING, payment),
        State::Refunded => described(GOES_BACK, payment),
        State::Failed if payment.captured.minor > 0 => described(GOES_BACK, payment),
        State::Failed => {
            let page = described(DECLINED, payment);
            match &payment.failure {
                Some(failure) => page.line(&failure.message),
                None => page,
            }
        }
        State::Ready | State::Expired => over(),
    }
}

fn declined() -> Page {
    page(DECLINED)
}

fn over() -> Page {
    page(OVER)
}

fn no_payment() -> Page {
    page(NO_PAYMENT)
}

fn malformed() -> Page {
    page(MALFORMED)
}

fn broken(error: &Error) -> Page {
    tracing::error!("a pay page failed: {error}");
    page(BROKEN)
}

fn refused(error: &Error) -> Page {
    match (error.reason(), error.fault::<PaymentError>()) {
        (ErrorReason::NotFound, _) => no_payment(),
        (_, Some(PaymentError::NotReady { state: State::Expired, .. })) => over(),
        (ErrorReason::PriceChanged, _) => page(OTHER_PRICE),
        (_, Some(_)) | (ErrorReason::BookingExpired | ErrorReason::ActionBlocked, _) => page(REFUSED),
        _ => broken(error),
    }
}
