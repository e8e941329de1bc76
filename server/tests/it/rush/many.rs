//! Ten thousand callers, in one process.

use std::collections::HashMap;

use futures::StreamExt;
use yeyak::ErrorReason;
use yeyak::proto::coupon::v1::{GetCouponPolicyReportRequest, coupon_receipt};

use super::crowd::{members, policy, receipt, request};
use crate::harness::Yeyak;

/// Guards: the unique places and members of receipts, and the token of a request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_callers_who_ask_twice_get_a_thousand_coupons() {
    let yeyak = Yeyak::new().await;
    let seller = yeyak.seller().await;
    let policy = &policy(&seller, 1000).await;
    let callers: Vec<_> =
        members(&yeyak, 10_000).await.into_iter().map(|tokens| yeyak.client.with_tokens(tokens)).collect();
    // Each twice, one behind the other or at the same moment; half of them by the same request.
    let twice = (0..20_000).map(|turn| (turn / 2, if turn / 2 % 2 == 0 { 0 } else { turn % 2 }));
    let ask = |(member, turn): (usize, usize)| {
        let (client, request) = (&callers[member], request(policy, member, turn));
        async move { (member, client.coupons().issue_coupon(request).await) }
    };

    let answers: Vec<_> = futures::stream::iter(twice).map(ask).buffer_unordered(256).collect().await;
    yeyak.settle().await;

    let mut receipts: HashMap<String, usize> = HashMap::new();
    let mut refusals: HashMap<ErrorReason, usize> = HashMap::new();
    for (member, answer) in &answers {
        match answer {
            Ok(receipt) => {
                let owner = receipts.entry(receipt.id.clone()).or_insert(*member);
                assert_eq!(owner, member, "a receipt of two members");
            }
            Err(error) => *refusals.entry(error.reason).or_default() += 1,
        }
    }
    println!("{} receipts, refused {refusals:?}", receipts.len());
    assert_eq!(receipts.len(), 1000);
    assert!(
        refusals
            .keys()
            .all(|reason| { matches!(reason, ErrorReason::CouponSoldOut | ErrorReason::CouponAlreadyYours) })
    );
    for (id, member) in &receipts {
        assert_eq!(receipt(&callers[*member], id).await.expect("reads").state(), coupon_receipt::State::Issued);
    }
    let report = GetCouponPolicyReportRequest { id: policy.clone() };
    let report = seller.coupon_policies().get_coupon_policy_report(report).await.expect("reports");
    assert_eq!((report.receipt_count, report.coupon_count, report.pending_count), (1000, 1000, 0));
    assert!(report.consistent, "{report:?}");
    yeyak.check().await;
}
