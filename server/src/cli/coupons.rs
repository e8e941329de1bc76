//! `yeyak coupons`.

use clap::{Args, Subcommand};
use comfy_table::{Cell, Color};
use serde_json::json;
use yeyak::Client;
use yeyak::proto::coupon::v1::{
    CouponPolicyReport, GetCouponPolicyReportRequest, RebuildCouponGateRequest, RepublishCouponReceiptsRequest,
};

use super::failure::Failure;
use super::output;
use super::session::SessionFile;
use super::target::{Target, block_on};

/// Looks after the coupons of a policy on a running server, as the member of `yeyak login`.
#[derive(Debug, Subcommand)]
pub(super) enum Coupons {
    /// Counts what was accepted of a policy and what became coupons, and compares it with the gate. Exits with 1 when they do
    /// not agree.
    Report(OfPolicy),
    /// Closes the gate of a first-come policy and builds it again from the receipts; for admins.
    Rebuild(OfPolicy),
    /// Hands the receipts of a policy whose coupons are not there yet to the issuers again; for admins.
    Republish(OfPolicy),
}

#[derive(Args, Debug)]
pub(super) struct OfPolicy {
    /// The policy, `policy_…`.
    policy: String,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    session: SessionFile,
}

impl Coupons {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Report(of) => of.run(async |client, id| {
                let request = GetCouponPolicyReportRequest { id };
                client.coupon_policies().get_coupon_policy_report(request).await
            }),
            Self::Rebuild(of) => of.run(async |client, id| {
                let request = RebuildCouponGateRequest { id };
                client.coupon_policies().rebuild_coupon_gate(request).await
            }),
            Self::Republish(of) => of.run(async |client, id| {
                let request = RepublishCouponReceiptsRequest { id };
                client.coupon_policies().republish_coupon_receipts(request).await
            }),
        }
    }
}

impl OfPolicy {
    fn run(
        self,
        call: impl AsyncFnOnce(Client, String) -> Result<CouponPolicyReport, yeyak::Error>,
    ) -> Result<(), Failure> {
        let Self { policy, json, target, session } = self;
        let report = block_on(async {
            let client = target.connect().await?;
            let client = match session.logged_in(&client, target.url()).await? {
                Some(session) => client.with_tokens(session.tokens()),
                None => client,
            };
            Ok(call(client, policy).await?)
        })?;
        match json {
            true => output::json(&as_json(&report))?,
            false => show(&report)?,
        }
        match report.consistent {
            true => Ok(()),
            false => Err(Failure::failed("receipts, coupons and gate do not agree")
                .and("while coupons are being issued that is so for a moment; ask again")),
        }
    }
}

fn counts(report: &CouponPolicyReport) -> [(&'static str, Option<i64>); 6] {
    [
        ("receipts", Some(report.receipt_count)),
        ("pending", Some(report.pending_count)),
        ("coupons", Some(report.coupon_count)),
        ("gate", report.gate_count),
        ("used", Some(report.used_count)),
        ("reserved", Some(report.reserved_count)),
    ]
}

fn show(report: &CouponPolicyReport) -> Result<(), Failure> {
    let rows = counts(report).map(|(name, count)| {
        let colour = if name == "pending" && count != Some(0) { Color::Yellow } else { Color::Reset };
        let count = count.map_or("closed, or none".to_owned(), |count| count.to_string());
        [Cell::new(name), Cell::new(count).fg(colour)]
    });
    output::table(&["what", "count"], rows)?;
    for discount in &report.discounts {
        output::say(format!("taken off: {} {}", discount.minor_units, discount.currency_code))?;
    }
    if report.consistent {
        output::say(format!("receipts, coupons and gate of {} agree", report.policy_id))?;
    }
    Ok(())
}

fn as_json(report: &CouponPolicyReport) -> serde_json::Value {
    let mut all = serde_json::Map::new();
    all.insert("policy".to_owned(), json!(report.policy_id));
    all.extend(counts(report).map(|(name, count)| (name.to_owned(), json!(count))));
    let discounts =
        report.discounts.iter().map(|one| json!({ "currency": one.currency_code, "minor": one.minor_units }));
    all.insert("discounts".to_owned(), discounts.collect());
    all.insert("consistent".to_owned(), json!(report.consistent));
    all.into()
}
