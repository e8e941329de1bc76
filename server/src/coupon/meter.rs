//! What of issuing is measured.
//!
//! - `yeyak_coupon_asks_total{outcome}`: those who came first or not: `accepted`, `replayed`, and the reason of each refusal;
//! - `yeyak_coupon_given_total{way,outcome}`: `code`, `grant`, `gift` and `revoke`, by the same outcomes;
//! - `yeyak_coupon_run_members_total{outcome}`: members that runs came to: `granted` or `skipped`;
//! - `yeyak_coupon_issued_total`: coupons that this process made of receipts;
//! - `yeyak_coupon_issue_seconds`: from the receipt to its coupon;
//! - `yeyak_coupon_republished_total`: receipts that were handed to the issuers again;
//! - `yeyak_coupon_gate_rebuilds_total{outcome}`, `yeyak_coupon_gate_rebuild_seconds`: gates that were built from rows;
//! - `yeyak_coupon_gates_closed`: gates of policies that issue now which are closed.

use chrono::TimeDelta;
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, histogram};

use super::grant::Counts;
use super::model::ReceiptId;
use crate::error::Error;
use crate::kit::clock::Time;
use crate::kit::idempotency::Reply;

/// Says what the metrics are.
pub(super) fn describe() {
    describe_counter!("yeyak_coupon_asks_total", "Answers to those who asked for a coupon, by outcome.");
    describe_counter!(
        "yeyak_coupon_given_total",
        "Coupons given or taken back by hand or by code, by way and outcome."
    );
    describe_counter!("yeyak_coupon_run_members_total", "Members that bulk runs came to, by outcome.");
    describe_counter!("yeyak_coupon_issued_total", "Coupons made of receipts.");
    describe_histogram!("yeyak_coupon_issue_seconds", Unit::Seconds, "From a receipt to its coupon.");
    describe_counter!("yeyak_coupon_republished_total", "Receipts handed to the issuers again.");
    describe_counter!("yeyak_coupon_gate_rebuilds_total", "Gates built from rows, by outcome.");
    describe_histogram!("yeyak_coupon_gate_rebuild_seconds", Unit::Seconds, "How long a gate took to build.");
    describe_gauge!("yeyak_coupon_gates_closed", "Closed gates of policies that issue now.");
}

fn outcome<T>(answer: &Result<Reply<T>, Error>) -> &'static str {
    match answer {
        Ok(reply) if reply.replayed => "replayed",
        Ok(_) => "accepted",
        Err(error) => error.reason().as_str_name(),
    }
}

pub(super) fn asked<T>(answer: &Result<Reply<T>, Error>) {
    counter!("yeyak_coupon_asks_total", "outcome" => outcome(answer)).increment(1);
}

/// Counts what came of giving a coupon in some way, and passes it on.
pub(super) fn given<T>(way: &'static str, answer: Result<Reply<T>, Error>) -> Result<Reply<T>, Error> {
    counter!("yeyak_coupon_given_total", "way" => way, "outcome" => outcome(&answer)).increment(1);
    answer
}

/// Counts the members that a run has come to.
pub(super) fn ran(before: Counts, after: Counts) {
    let members = |outcome, count: u64| {
        counter!("yeyak_coupon_run_members_total", "outcome" => outcome).increment(count);
    };
    members("granted", after.granted - before.granted);
    members("skipped", after.skipped - before.skipped);
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

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;
    use crate::coupon::error::CouponError;

    /// Guard: each outcome is told apart, and a repetition is none of its own.
    #[test]
    fn what_came_of_giving_a_coupon_is_counted_by_way_and_outcome() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let _installed = metrics::set_default_local_recorder(&recorder);
        let refused = || Err::<Reply<()>, _>(Error::from(CouponError::CodeInvalid));

        for answer in [Ok(Reply { value: (), replayed: false }), Ok(Reply { value: (), replayed: true }), refused()] {
            let was_refused = answer.is_err();
            assert_eq!(given("code", answer).is_err(), was_refused);
        }
        given("gift", refused()).expect_err("was refused");
        let counts = |granted, skipped| Counts { granted, skipped, ..Counts::default() };
        ran(counts(3, 1), counts(5, 2));

        let rendered = recorder.handle().render();
        for line in [
            r#"yeyak_coupon_given_total{way="code",outcome="accepted"} 1"#,
            r#"yeyak_coupon_given_total{way="code",outcome="replayed"} 1"#,
            r#"yeyak_coupon_given_total{way="code",outcome="COUPON_CODE_INVALID"} 1"#,
            r#"yeyak_coupon_given_total{way="gift",outcome="COUPON_CODE_INVALID"} 1"#,
            r#"yeyak_coupon_run_members_total{outcome="granted"} 2"#,
            r#"yeyak_coupon_run_members_total{outcome="skipped"} 1"#,
        ] {
            assert!(rendered.contains(line), "{line} in {rendered}");
        }
    }
}
