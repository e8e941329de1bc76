//! What this caller was told of, so that no later answer is older: any server may answer, from what it has at hand.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Mutex;

use crate::proto::point::v1::{
    GetPointBalanceRequest, ListPointMovementsRequest, PointBalance, PointMovement, PointSpending,
};

/// How many wallets are remembered; beyond that it begins anew.
const MOST: usize = 10_000;
/// The caller's own wallet, where its id is not known.
const OWN: &str = "me";

/// The greatest version of each wallet that was seen.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<HashMap<String, i64>>);

impl Seen {
    /// Has a request ask for no less than what was seen.
    pub(crate) fn ask<Q: Any>(&self, request: &mut Q) {
        let request: &mut dyn Any = request;
        if let Some(ask) = request.downcast_mut::<GetPointBalanceRequest>() {
            ask.min_version = ask.min_version.max(self.known(&ask.member_id));
        } else if let Some(ask) = request.downcast_mut::<ListPointMovementsRequest>() {
            ask.min_version = ask.min_version.max(self.known(&ask.member_id));
        }
    }

    fn known(&self, member: &str) -> i64 {
        self.0.lock().expect("nothing panics while it looks").get(own(member)).copied().unwrap_or(0)
    }

    /// Notes what an answer tells.
    pub(crate) fn note<Q: Any, A: Any>(&self, request: &Q, answer: &A) {
        let (request, answer): (&dyn Any, &dyn Any) = (request, answer);
        if let Some(balance) = answer.downcast_ref::<PointBalance>() {
            let asked = request.downcast_ref::<GetPointBalanceRequest>().map_or(OWN, |ask| own(&ask.member_id));
            self.keep(asked, balance.balance_version);
            self.keep(&balance.member_id, balance.balance_version);
        } else if let Some(spending) = answer.downcast_ref::<PointSpending>() {
            self.keep(&spending.member_id, spending.balance_version);
        } else if let Some(movement) = answer.downcast_ref::<PointMovement>() {
            self.keep(&movement.member_id, movement.balance_version);
            // Who gives points away does so from their own wallet.
            if request.is::<crate::proto::point::v1::GiftPointsRequest>() {
                self.keep(OWN, movement.balance_version);
            }
        }
    }

    fn keep(&self, member: &str, version: i64) {
        let mut all = self.0.lock().expect("nothing panics while it looks");
        if all.len() >= MOST && !all.contains_key(member) {
            all.clear();
        }
        let known = all.entry(member.to_owned()).or_default();
        *known = version.max(*known);
    }
}

fn own(member: &str) -> &str {
    if member.is_empty() { OWN } else { member }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::point::v1::GiftPointsRequest;

    fn asks(seen: &Seen, member: &str) -> i64 {
        let mut ask = GetPointBalanceRequest { member_id: member.into(), ..Default::default() };
        seen.ask(&mut ask);
        ask.min_version
    }

    #[test]
    fn a_caller_asks_for_no_less_than_they_were_told() {
        let seen = Seen::default();
        let told =
            |balance_version| PointBalance { member_id: "member_a".into(), balance_version, ..Default::default() };
        seen.note(&GetPointBalanceRequest::default(), &told(7));
        seen.note(&GetPointBalanceRequest::default(), &told(5));

        assert_eq!(
            (asks(&seen, ""), asks(&seen, "me"), asks(&seen, "member_a"), asks(&seen, "member_b")),
            (7, 7, 7, 0)
        );
        let movement = PointMovement { member_id: "member_a".into(), balance_version: 9, ..Default::default() };
        seen.note(&GiftPointsRequest::default(), &movement);
        assert_eq!((asks(&seen, ""), asks(&seen, "member_a")), (9, 9));
        let mut ask = GetPointBalanceRequest { min_version: 12, ..Default::default() };
        seen.ask(&mut ask);
        assert_eq!(ask.min_version, 12, "what they ask for by themselves stays");
    }
}
