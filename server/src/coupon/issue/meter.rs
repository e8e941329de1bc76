//! What of first-come issuing is measured.
//!
//! - `yeyak_coupon_asks_total{outcome}`: `accepted`, `replayed`, and the reason of each refusal;
//! - `yeyak_coupon_issued_total`: coupons that this process made of receipts;
//! - `yeyak_coupon_issue_seconds`: from the receipt to its coupon;
//! - `yeyak_coupon_republished_total`: receipts that were handed to the issuers again;
//! - `yeyak_coupon_gate_rebuilds_total{outcome}`, `yeyak_coupon_gate_rebuild_seconds`: gates that were built from rows;
//! - `yeyak_coupon_gates_closed`: gates of policies that issue now which are closed.

use chrono::TimeDelta;
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, histogram};

use super::Answer;
use crate::coupon::model::ReceiptId;
use crate::kit::clock::Time;

/// Says what the metrics are.
pub(in crate::coupon) fn describe() {
    describe_counter!("yeyak_coupon_asks_total", "Answers to those who asked for a coupon, by outcome.");
    describe_counter!("yeyak_coupon_issued_total", "Coupons made of receipts.");
    describe_histogram!("yeyak_coupon_issue_seconds", Unit::Seconds, "From a receipt to its coupon.");
    describe_counter!("yeyak_coupon_republished_total", "Receipts handed to the issuers again.");
    describe_counter!("yeyak_coupon_gate_rebuilds_total", "Gates built from rows, by outcome.");
    describe_histogram!("yeyak_coupon_gate_rebuild_seconds", Unit::Seconds, "How long a gate took to build.");
    describe_gauge!("yeyak_coupon_gates_closed", "Closed gates of policies that issue now.");
}

pub(super) fn answered(answer: &Answer) {
    let outcome = match answer {
        Ok(reply) if reply.replayed => "replayed",
        Ok(_) => "accepted",
        Err(error) => error.reason().as_str_name(),
    };
    counter!("yeyak_coupon_asks_total", "outcome" => outcome).increment(1);
}

/// When a receipt was made, to the millisecond: its id says it.
fn accepted_at(receipt: ReceiptId) -> Option<Time> {
    let (seconds, nanos) = receipt.0.get_timestamp()?.to_unix();
    Time::from_timestamp(i64::try_from(seconds).ok()?, nanos)
}

pub(super) fn issued(receipts: impl Iterator<Item = ReceiptId>, now: Time) {
    let (mut count, latency) = (0, histogram!("yeyak_coupon_issue_seconds"));
    for receipt in receipts {
        count += 1;
        let took = accepted_at(receipt).map_or(TimeDelta::zero(), |accepted| now - accepted);
        latency.record(took.as_seconds_f64().max(0.0));
    }
    counter!("yeyak_coupon_issued_total").increment(count);
}
