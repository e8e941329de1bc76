//! Requests to commands, with every violation at once; and answers.

use std::net::IpAddr;

use reqwest::Url;
use yeyak_proto::yeyak::common::v1 as common;
use yeyak_proto::yeyak::payment::v1 as pb;

use super::confirm::Confirm;
use super::model::{PaymentId, Refund, RefundState, State};
use super::prepare::Prepare;
use super::read::View;
use super::refund::GiveBack;
use super::resolve::Decision;
use crate::error::Error;
use crate::kit::id::BookingId;
use crate::kit::idempotency::RequestKey;
use crate::kit::money::{Currency, Money};
use crate::kit::proto_time;
use crate::kit::violation::Violations;

const LONGEST_URL: usize = 2000;
const LONGEST_KEY: usize = 200;

/// A page that a payer may be sent to: encrypted, or on this machine.
fn return_url(violations: &mut Violations, text: &str) -> Option<String> {
    if text.is_empty() {
        return Some(String::new());
    }
    // As it was read, which is ASCII: what was sent may hold what a URL leaves out.
    let page = Url::parse(text).ok().filter(is_page).filter(|url| url.as_str().len() <= LONGEST_URL);
    violations.require(
        "return_url",
        page.is_some(),
        "must be `https://…`, or `http://` to this machine, without a user name, of at most 2,000 characters",
    );
    page.map(String::from)
}

fn is_page(url: &Url) -> bool {
    let bare = url.username().is_empty() && url.password().is_none();
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    bare && !host.is_empty() && (url.scheme() == "https" || (url.scheme() == "http" && here))
}

pub(super) fn prepare(request: &pb::PreparePaymentRequest) -> Result<(Prepare, RequestKey), Error> {
    let mut violations = Violations::new();
    let key = RequestKey::of(request, &mut violations);
    let booking = violations.id("booking_id", &request.booking_id);
    let return_url = return_url(&mut violations, &request.return_url);
    let change_quote = Some(request.change_quote_token.clone()).filter(|token| !token.is_empty());
    let command = booking.zip(return_url);
    let command = command.map(|(booking, return_url)| Prepare { booking, return_url, change_quote });
    violations.finish(command.map(|command| (command, key)))
}

pub(super) fn confirm(request: &pb::ConfirmPaymentRequest) -> Result<(Confirm, RequestKey), Error> {
    let mut violations = Violations::new();
    let key = RequestKey::of(request, &mut violations);
    let id = violations.id("id", &request.id);
    let provider_key = provider_key(&request.provider_key);
    let sound = provider_key.is_some();
    violations.require("provider_key", sound, "must have at most 200 characters of ASCII without spaces");
    let command = id.zip(provider_key).map(|(id, provider_key)| Confirm { id, provider_key });
    violations.finish(command.map(|command| (command, key)))
}

/// A key as the provider gives it, or nothing.
pub(super) fn provider_key(text: &str) -> Option<String> {
    let sound = text.len() <= LONGEST_KEY && text.bytes().all(|byte| byte.is_ascii_graphic());
    sound.then(|| text.to_owned())
}

pub(super) fn payment_id(request: &pb::GetPaymentRequest) -> Result<PaymentId, Error> {
    let mut violations = Violations::new();
    let id = violations.id("id", &request.id);
    violations.finish(id)
}

pub(super) fn booking_id(request: &pb::ListPaymentsRequest) -> Result<BookingId, Error> {
    let mut violations = Violations::new();
    let id = violations.id("booking_id", &request.booking_id);
    violations.finish(id)
}

fn amount(violations: &mut Violations, money: Option<&common::Money>) -> Option<Money> {
    let Some(money) = money else {
        violations.add("amount", "must be given");
        return None;
    };
    let currency = violations.take("amount.currency_code", money.currency_code.parse::<Currency>());
    violations.require("amount.minor_units", money.minor_units >= 1, "must be at least 1");
    currency.map(|currency| Money::new(currency, money.minor_units))
}

pub(super) fn refund(request: &pb::RefundPaymentRequest) -> Result<(GiveBack, RequestKey), Error> {
    let mut violations = Violations::new();
    let key = RequestKey::of(request, &mut violations);
    let id = violations.id("id", &request.id);
    let amount = amount(&mut violations, request.amount.as_ref());
    let reason = violations.text("reason", &request.reason, 1, 200);
    let command = (|| Some(GiveBack { id: id?, amount: amount?, reason: reason? }))();
    violations.finish(command.map(|command| (command, key)))
}

pub(super) fn resolve(request: &pb::ResolvePaymentRequest) -> Result<(PaymentId, Decision, RequestKey), Error> {
    use pb::resolve_payment_request::Decision as Asked;
    let mut violations = Violations::new();
    let key = RequestKey::of(request, &mut violations);
    let id = violations.id("id", &request.id);
    let decision = match request.decision() {
        Asked::Unspecified => None,
        Asked::Accept => Some(Decision::Accept),
        Asked::Refund => Some(Decision::Refund),
    };
    violations.require("decision", decision.is_some(), "must be DECISION_ACCEPT or DECISION_REFUND");
    violations.finish(id.zip(decision).map(|(id, decision)| (id, decision, key)))
}

/// A state as the interface has it.
pub(super) fn state(state: State) -> pb::payment::State {
    match state {
        State::Ready => pb::payment::State::Ready,
        State::Confirming => pb::payment::State::Confirming,
        State::Captured => pb::payment::State::Captured,
        State::Failed => pb::payment::State::Failed,
        State::Reconciling => pb::payment::State::Reconciling,
        State::Expired => pb::payment::State::Expired,
        State::NeedsDecision => pb::payment::State::NeedsDecision,
        State::Refunded => pb::payment::State::Refunded,
    }
}

impl From<Refund> for pb::Refund {
    fn from(refund: Refund) -> Self {
        let state = match refund.state {
            RefundState::Pending => pb::refund::State::Pending,
            RefundState::Done => pb::refund::State::Done,
            RefundState::Failed => pb::refund::State::Failed,
        };
        Self {
            id: refund.id.to_string(),
            amount: Some(refund.amount.into()),
            state: state.into(),
            reason: refund.reason,
            create_time: Some(proto_time(refund.create_time)),
            done_time: refund.done_time.map(proto_time),
        }
    }
}

impl From<View> for pb::Payment {
    fn from(view: View) -> Self {
        let View { payment, refunds, state: now, checkout_url } = view;
        let refundable = Some(payment.refundable().into());
        Self {
            id: payment.id.to_string(),
            booking_id: payment.booking.to_string(),
            state: state(now).into(),
            amount: Some(payment.amount.into()),
            captured: Some(payment.captured.into()),
            refunded: Some(payment.refunded.into()),
            checkout_url,
            provider: payment.provider,
            failure: payment.failure.map(|failure| pb::PaymentFailure { code: failure.code, message: failure.message }),
            refunds: refunds.into_iter().map(pb::Refund::from).collect(),
            create_time: Some(proto_time(payment.create_time)),
            update_time: Some(proto_time(payment.update_time)),
            expire_time: Some(proto_time(payment.expire_time)),
            refundable,
            for_change: payment.change.is_some(),
            point_balance_version: 0,
        }
    }
}

#[cfg(test)]
mod convert_tests {
    use super::*;

    #[test]
    fn a_payer_is_sent_to_encrypted_pages_or_to_this_machine() {
        for good in ["https://shop.kr/paid?x=1", "http://127.0.0.1:3000/", "http://localhost/a", "http://[::1]:8/"] {
            assert_eq!(return_url(&mut Violations::new(), good).as_deref(), Some(good));
        }
        for bad in ["http://shop.kr/", "javascript:alert(1)", "https://u:p@shop.kr/", "http://127.0.0.1.evil.kr/", "x"]
        {
            assert_eq!(return_url(&mut Violations::new(), bad), None, "{bad}");
        }
    }

    /// Guard: what is kept is what was read.
    #[test]
    fn a_page_is_kept_in_ascii_and_measured_so() {
        let kept = |text: &str| return_url(&mut Violations::new(), text);
        assert_eq!(kept("https://shop.kr/가\0b").as_deref(), Some("https://shop.kr/%EA%B0%80%00b"));
        assert_eq!(kept(&format!("https://shop.kr/{}", "가".repeat(300))), None, "2,716 letters");
    }
}
