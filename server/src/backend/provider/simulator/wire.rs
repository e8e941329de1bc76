//! The bodies as Toss Payments writes them ("Toss Payments core API, Payment object"): absent objects are `null`, times are
//! Korea's, and a field nobody knows is in each.

use chrono::{FixedOffset, TimeDelta};
use sea_orm::ActiveEnum;
use serde::Deserialize;
use serde_json::{Number, Value, json};

use super::super::toss::number;
use super::code::Code;
use super::create::{CARD, VIRTUAL_ACCOUNT};
use super::entity::{State, cancel, payment};
use crate::kit::clock::Time;
use crate::kit::money::{Currency, Money};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfirmBody {
    pub(super) payment_key: String,
    pub(super) order_id: String,
    pub(super) amount: Number,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CancelBody {
    pub(super) cancel_reason: String,
    pub(super) cancel_amount: Option<Number>,
    pub(super) refundable_amount: Option<Number>,
    pub(super) currency: Option<String>,
}

/// The currency of a payment.
pub(super) fn currency(payment: &payment::Model) -> Currency {
    payment.currency.parse().expect("written from a currency")
}

/// A payment with its cancels. `base` is where people reach the simulator.
pub(super) fn payment(payment: &payment::Model, cancels: &[cancel::Model], base: &str) -> Value {
    let amount = |minor| number(Money::new(currency(payment), minor));
    let vat = vat(payment.balance);
    let page = format!("{base}/pay/{}", payment.key);
    let failure = payment.failure_code.as_deref().and_then(Code::find);
    let cancels: Vec<Value> = cancels.iter().map(|row| cancel(row, &amount)).collect();
    json!({
        "version": "2022-11-16", "mId": "yeyaksim", "type": "NORMAL", "country": "KR",
        "paymentKey": payment.key, "orderId": payment.order_id, "orderName": payment.order_name,
        "lastTransactionKey": payment.transaction_key, "status": payment.state.to_value(),
        "requestedAt": korean(payment.requested_time), "approvedAt": payment.approved_time.map(korean),
        "method": payment.method, "card": card(payment, amount(payment.total)),
        "currency": payment.currency, "totalAmount": amount(payment.total), "balanceAmount": amount(payment.balance),
        "suppliedAmount": amount(payment.balance - vat), "vat": amount(vat), "taxFreeAmount": 0, "taxExemptionAmount": 0,
        "cancels": if cancels.is_empty() { Value::Null } else { cancels.into() },
        "isPartialCancelable": true, "useEscrow": false, "cultureExpense": false, "secret": payment.secret,
        "failure": failure.map(|code| json!({ "code": code.name, "message": code.message })),
        "receipt": { "url": page }, "checkout": { "url": page },
        "virtualAccount": virtual_account(payment), "transfer": null, "mobilePhone": null, "giftCertificate": null, "easyPay": null,
        "cashReceipt": null, "cashReceipts": null, "discount": null, "metadata": null,
        "addedSince": { "by": "the simulator, for fields may be added at any time" },
    })
}

/// The tax inside an amount: an eleventh, rounded to the nearest.
fn vat(amount: i64) -> i64 {
    (amount * 2 + 11) / 22
}

fn cancel(row: &cancel::Model, amount: &impl Fn(i64) -> Number) -> Value {
    json!({
        "transactionKey": row.transaction_key, "cancelReason": row.reason, "canceledAt": korean(row.time),
        "cancelAmount": amount(row.amount), "refundableAmount": amount(row.refundable), "cancelStatus": "DONE",
        "taxFreeAmount": 0, "taxExemptionAmount": 0, "cardDiscountAmount": 0, "transferDiscountAmount": 0,
        "easyPayDiscountAmount": 0, "receiptKey": null, "cancelRequestId": null,
    })
}

/// A card, once the buyer has shown one.
fn card(payment: &payment::Model, amount: Number) -> Value {
    if payment.method.as_deref() != Some(CARD) {
        return Value::Null;
    }
    let acquired = if payment.state == State::Cancelled { "CANCELED" } else { "READY" };
    json!({
        "issuerCode": "71", "acquirerCode": "71", "number": "12345678****000*", "installmentPlanMonths": 0,
        "isInterestFree": false, "interestPayer": null, "approveNo": "00000000", "useCardPoint": false, "cardType": "신용",
        "ownerType": "개인", "acquireStatus": acquired, "amount": amount,
    })
}

/// The account into which a buyer who chose one is to pay.
fn virtual_account(payment: &payment::Model) -> Value {
    if payment.method.as_deref() != Some(VIRTUAL_ACCOUNT) {
        return Value::Null;
    }
    json!({
        "accountType": "일반", "accountNumber": "X6505636518308", "bankCode": "20", "customerName": "김민아",
        "depositorName": "", "dueDate": korean(payment.requested_time + TimeDelta::days(7)), "expired": false,
        "settlementStatus": "INCOMPLETED", "refundStatus": "NONE", "refundReceiveAccount": null,
    })
}

/// The body of an error.
pub(super) fn error(code: Code) -> Value {
    json!({ "code": code.name, "message": code.message })
}

/// The body of a webhook. Its time has microseconds and no zone ("Toss Payments webhooks, PAYMENT_STATUS_CHANGED").
pub(super) fn status_changed(payment: &Value, now: Time) -> Value {
    let created = now.with_timezone(&korea()).format("%Y-%m-%dT%H:%M:%S%.6f").to_string();
    json!({ "eventType": "PAYMENT_STATUS_CHANGED", "createdAt": created, "data": payment })
}

/// A time as the API writes it.
pub(super) fn korean(time: Time) -> String {
    time.with_timezone(&korea()).format("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

fn korea() -> FixedOffset {
    FixedOffset::east_opt(9 * 3600).expect("nine hours are an offset")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tax_is_an_eleventh_rounded_to_the_nearest() {
        assert_eq!([vat(1000), vat(700), vat(7000), vat(5), vat(0)], [91, 64, 636, 0, 0]);
    }
}
