//! What this caller was told of, so that no later answer is older: any server may answer, from what it has at hand.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use crate::proto::booking::v1::Booking;
use crate::proto::payment::v1::Payment;
use crate::proto::point::v1::{
    GetPointBalanceRequest, GiftPointsRequest, ListPointMovementsRequest, ListPointMovementsResponse, PointBalance,
    PointMovement, PointSpending,
};

/// How many wallets are remembered; beyond that it begins anew.
const MOST: usize = 10_000;
/// The caller's own wallet, where its id is not known.
const OWN: &str = "me";

/// The greatest version of each wallet that was seen.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<Known>);

/// As which caller something was asked.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Asked(u64);

#[derive(Debug, Default)]
struct Known {
    versions: HashMap<String, i64>,
    /// Who calls, once an answer has told.
    own: Option<String>,
    asked: Asked,
}

impl Seen {
    /// Has a request ask for no less than what was seen.
    pub(crate) fn ask<Q: Any>(&self, request: &mut Q) -> Asked {
        let known = self.known();
        let request: &mut dyn Any = request;
        if let Some(ask) = request.downcast_mut::<GetPointBalanceRequest>() {
            ask.min_version = ask.min_version.max(known.version(&ask.member_id));
        } else if let Some(ask) = request.downcast_mut::<ListPointMovementsRequest>() {
            ask.min_version = ask.min_version.max(known.version(&ask.member_id));
        }
        known.asked
    }

    /// Notes what an answer tells, unless another calls by now.
    pub(crate) fn note<Q: Any, A: Any>(&self, caller: Asked, request: &Q, answer: &A) {
        let mut known = self.known();
        if known.asked != caller {
            return;
        }
        let (request, answer): (&dyn Any, &dyn Any) = (request, answer);
        if let Some(balance) = answer.downcast_ref::<PointBalance>() {
            let asked = request.downcast_ref::<GetPointBalanceRequest>().map_or(OWN, |ask| &ask.member_id);
            known.keep_of(asked, &balance.member_id, balance.balance_version);
        } else if let Some(page) = answer.downcast_ref::<ListPointMovementsResponse>() {
            let asked = request.downcast_ref::<ListPointMovementsRequest>().map_or(OWN, |ask| &ask.member_id);
            for movement in &page.movements {
                known.keep_of(asked, &movement.member_id, movement.balance_version);
            }
        } else if let Some(spending) = answer.downcast_ref::<PointSpending>() {
            known.keep(&spending.member_id, spending.balance_version);
        } else if let Some(movement) = answer.downcast_ref::<PointMovement>() {
            // Who gives points away does so from their own wallet.
            let asked = if request.is::<GiftPointsRequest>() { OWN } else { &movement.member_id };
            known.keep_of(asked, &movement.member_id, movement.balance_version);
        } else if let Some(booking) = answer.downcast_ref::<Booking>().filter(|one| one.point_balance_version > 0) {
            // Its member alone is told.
            known.keep_of(OWN, &booking.member_id, booking.point_balance_version);
        } else if let Some(payment) = answer.downcast_ref::<Payment>().filter(|one| one.point_balance_version > 0) {
            known.keep(OWN, payment.point_balance_version);
        }
    }

    /// Another may call from here on: what is their own wallet is not known.
    pub(crate) fn forget_own(&self) {
        let mut known = self.known();
        known.own = None;
        known.versions.remove(OWN);
        known.asked.0 += 1;
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().expect("nothing panics while it looks")
    }
}

impl Known {
    /// The one key of a wallet, by however it is named.
    fn key<'a>(&'a self, member: &'a str) -> &'a str {
        if member.is_empty() || member == OWN { self.own.as_deref().unwrap_or(OWN) } else { member }
    }

    fn version(&self, member: &str) -> i64 {
        self.versions.get(self.key(member)).copied().unwrap_or(0)
    }

    /// Keeps the version of a wallet that was asked for by a name, which may be that of the caller's own.
    fn keep_of(&mut self, asked: &str, member: &str, version: i64) {
        if (asked.is_empty() || asked == OWN) && self.own.is_none() {
            let before = self.versions.remove(OWN).unwrap_or(0);
            self.own = Some(member.to_owned());
            self.keep(member, before);
        }
        self.keep(member, version);
    }

    fn keep(&mut self, member: &str, version: i64) {
        let key = self.key(member).to_owned();
        if self.versions.len() >= MOST && !self.versions.contains_key(&key) {
            self.versions.clear();
        }
        let known = self.versions.entry(key).or_default();
        *known = version.max(*known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(seen: &Seen, member: &str) -> i64 {
        let mut ask = GetPointBalanceRequest { member_id: member.into(), ..Default::default() };
        seen.ask(&mut ask);
        ask.min_version
    }

    fn note<Q: Any, A: Any>(seen: &Seen, request: &Q, answer: &A) {
        let asked = seen.ask(&mut GiftPointsRequest::default());
        seen.note(asked, request, answer);
    }

    fn balance(member: &str, balance_version: i64) -> PointBalance {
        PointBalance { member_id: member.into(), balance_version, ..Default::default() }
    }

    #[test]
    fn a_caller_asks_for_no_less_than_they_were_told() {
        let seen = Seen::default();
        note(&seen, &GetPointBalanceRequest::default(), &balance("member_a", 7));
        note(&seen, &GetPointBalanceRequest::default(), &balance("member_a", 5));

        assert_eq!(
            (asks(&seen, ""), asks(&seen, "me"), asks(&seen, "member_a"), asks(&seen, "member_b")),
            (7, 7, 7, 0)
        );
        let movement = PointMovement { member_id: "member_a".into(), balance_version: 9, ..Default::default() };
        note(&seen, &GiftPointsRequest::default(), &movement);
        assert_eq!((asks(&seen, ""), asks(&seen, "member_a")), (9, 9));
        let mut ask = GetPointBalanceRequest { min_version: 12, ..Default::default() };
        seen.ask(&mut ask);
        assert_eq!(ask.min_version, 12, "what they ask for by themselves stays");
    }

    /// Guard: what moves points beside the wallet tells of its version too, however it is then asked for.
    #[test]
    fn bookings_payments_and_pages_of_movements_tell_of_versions() {
        let seen = Seen::default();
        let payment = Payment { point_balance_version: 3, ..Default::default() };
        note(&seen, &(), &payment);
        assert_eq!(asks(&seen, ""), 3);
        let booking = |point_balance_version| Booking {
            member_id: "member_a".into(),
            point_balance_version,
            ..Default::default()
        };
        note(&seen, &(), &booking(2));
        assert_eq!((asks(&seen, ""), asks(&seen, "member_a")), (3, 3), "it is one wallet");
        note(&seen, &(), &booking(5));
        note(&seen, &(), &Booking { member_id: "member_b".into(), ..Default::default() });
        assert_eq!((asks(&seen, ""), asks(&seen, "member_a"), asks(&seen, "member_b")), (5, 5, 0));

        let movement =
            |balance_version| PointMovement { member_id: "member_a".into(), balance_version, ..Default::default() };
        let page = ListPointMovementsResponse { movements: vec![movement(8), movement(6)], ..Default::default() };
        note(&seen, &ListPointMovementsRequest::default(), &page);

        assert_eq!((asks(&seen, "me"), asks(&seen, "member_a")), (8, 8));
    }

    /// Guard: whose wallet `me` is.
    #[test]
    fn another_who_logs_in_is_not_held_to_the_version_of_who_called_before() {
        let seen = Seen::default();
        let late = seen.ask(&mut GetPointBalanceRequest::default());
        note(&seen, &GetPointBalanceRequest::default(), &balance("member_a", 7));

        seen.forget_own();

        assert_eq!((asks(&seen, ""), asks(&seen, "member_a")), (0, 7));
        seen.note(late, &GetPointBalanceRequest::default(), &balance("member_a", 9));
        assert_eq!(asks(&seen, ""), 0, "an answer to who called before");
        note(&seen, &GetPointBalanceRequest::default(), &balance("member_b", 2));
        assert_eq!((asks(&seen, "me"), asks(&seen, "member_b")), (2, 2));
    }
}
