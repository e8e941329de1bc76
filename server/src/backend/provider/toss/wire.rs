//! The bodies of the core API ("Toss Payments core API, Payment object"). Fields that it adds later are passed over.

use chrono::{DateTime, FixedOffset, NaiveDateTime};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Number;

use super::super::{Charge, ChargeCancel, ChargeState};
use crate::kit::clock::Time;
use crate::kit::money::{Currency, Money};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfirmBody<'a> {
    pub(super) payment_key: &'a str,
    pub(super) order_id: &'a str,
    pub(super) amount: Number,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CancelBody<'a> {
    pub(super) cancel_reason: &'a str,
    pub(super) cancel_amount: Number,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refundable_amount: Option<Number>,
    pub(super) currency: &'a str,
}

#[derive(Debug, Deserialize)]
pub(super) struct Failure {
    pub(super) code: String,
    #[serde(default)]
    pub(super) message: String,
}

/// The error of a body, when there is one.
pub(super) fn failure(body: &[u8]) -> Option<Failure> {
    serde_json::from_slice(body).ok()
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payment {
    payment_key: String,
    order_id: String,
    status: String,
    currency: String,
    total_amount: Number,
    balance_amount: Number,
    method: Option<String>,
    #[serde(default, deserialize_with = "moment")]
    approved_at: Option<Time>,
    cancels: Option<Vec<PaymentCancel>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PaymentCancel {
    transaction_key: String,
    cancel_amount: Number,
    #[serde(deserialize_with = "moment")]
    canceled_at: Option<Time>,
}

/// The payment of a body. Amounts must be exact, times legible and the currency known; the rest may be anything.
pub(super) fn charge(body: &[u8]) -> Result<Charge, serde_json::Error> {
    let payment: Payment = serde_json::from_slice(body)?;
    let currency: Currency = payment.currency.parse().map_err(serde_json::Error::custom)?;
    let exact = |number: &Number| {
        money(number, currency).ok_or_else(|| serde_json::Error::custom(format!("{number} is no amount of {currency}")))
    };
    let mut cancels = Vec::new();
    for cancel in payment.cancels.unwrap_or_default() {
        let time = cancel.canceled_at.ok_or_else(|| serde_json::Error::custom("a cancel without a time"))?;
        let amount = exact(&cancel.cancel_amount)?;
        cancels.push(ChargeCancel { transaction_key: cancel.transaction_key, amount, time });
    }
    cancels.sort_by_key(|cancel| cancel.time);
    Ok(Charge {
        state: state(&payment.status),
        total: exact(&payment.total_amount)?,
        balance: exact(&payment.balance_amount)?,
        key: payment.payment_key,
        order: payment.order_id,
        method: payment.method.unwrap_or_default(),
        approved_time: payment.approved_at,
        cancels,
    })
}

fn state(status: &str) -> ChargeState {
    match status {
        "READY" => ChargeState::Ready,
        "IN_PROGRESS" => ChargeState::InProgress,
        "WAITING_FOR_DEPOSIT" => ChargeState::WaitingForDeposit,
        "DONE" => ChargeState::Done,
        "PARTIAL_CANCELED" => ChargeState::PartlyCancelled,
        "CANCELED" => ChargeState::Cancelled,
        "ABORTED" => ChargeState::Aborted,
        "EXPIRED" => ChargeState::Expired,
        _ => ChargeState::Other,
    }
}

/// Times carry an offset; where one is missing it is Korea's.
fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Time>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    if let Ok(time) = DateTime::parse_from_rfc3339(&text) {
        return Ok(Some(time.to_utc()));
    }
    let local: NaiveDateTime = text.parse().map_err(D::Error::custom)?;
    let korea = FixedOffset::east_opt(9 * 3600).expect("nine hours are an offset");
    let time = local.and_local_timezone(korea).single().expect("a fixed offset has no gaps");
    Ok(Some(time.to_utc()))
}

/// How many decimals an amount has. Toss Payments settles in won, yen and dollars.
fn decimals(currency: Currency) -> usize {
    match currency.code() {
        "KRW" | "JPY" => 0,
        _ => 2,
    }
}

/// An amount as the API writes it: a JSON number in the major unit.
pub(in super::super) fn number(money: Money) -> Number {
    if decimals(money.currency) == 0 {
        return Number::from(money.minor);
    }
    // Parsed from text and printed in its shortest form, so `10.10` leaves as `10.1` and not as a neighbour of it.
    let (sign, minor) = (if money.minor < 0 { "-" } else { "" }, money.minor.unsigned_abs());
    let text = format!("{sign}{}.{:02}", minor / 100, minor % 100);
    text.parse::<f64>().ok().and_then(Number::from_f64).expect("digits and a point are a finite number")
}

/// The exact amount of a JSON number, unless it has more decimals than the currency or does not fit.
pub(in super::super) fn money(number: &Number, currency: Currency) -> Option<Money> {
    let text = number.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = fraction.trim_end_matches('0');
    let decimals = decimals(currency);
    if fraction.len() > decimals {
        return None;
    }
    let minor = format!("{whole}{fraction:0<decimals$}").parse().ok()?;
    Some(Money::new(currency, minor))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BODY: &str = r#"{"paymentKey":"k","orderId":"o","status":"PARTIAL_CANCELED","currency":"KRW","totalAmount":1000,
        "balanceAmount":700.0,"method":"카드","approvedAt":"2024-02-13T12:18:14+09:00","extra":{"a":[1]},
        "cancels":[{"transactionKey":"t","cancelAmount":300,"canceledAt":"2024-02-13T12:20:23+09:00","cancelStatus":"NEW"}]}"#;

    #[test]
    fn a_payment_with_fields_and_values_unknown_reads_well() {
        let seen = charge(BODY.as_bytes()).unwrap();
        assert_eq!((seen.total, seen.balance), (Money::won(1000), Money::won(700)));
        assert_eq!(seen.approved_time.unwrap().to_rfc3339(), "2024-02-13T03:18:14+00:00");
        assert_eq!(seen.cancels[0].amount, Money::won(300));

        let newer = BODY.replace("PARTIAL_CANCELED", "FROZEN").replace(r#""method":"카드""#, r#""method":null"#);
        assert_eq!(charge(newer.as_bytes()).unwrap().state, ChargeState::Other);
        assert!(charge(BODY.replace("700.0", "700.5").as_bytes()).is_err(), "half a won is no amount");
    }

    proptest! {
        #[test]
        fn amounts_survive_the_wire(minor in -1_000_000_000_000_i64..1_000_000_000_000) {
            for currency in ["KRW", "USD"] {
                let amount = Money::new(currency.parse().unwrap(), minor);
                let text = serde_json::to_string(&number(amount)).unwrap();
                prop_assert_eq!(money(&text.parse().unwrap(), amount.currency), Some(amount));
            }
        }
    }
}
