//! Accepting those who came together: the gate, one transaction, the settlement, the answers.

use std::collections::HashMap;

use futures::{StreamExt, stream};

use super::Ask;
use super::line::Line;
use super::rule::{Ruling, Want, Wants};
use super::verdict::{Verdict, is_astray, verdict};
use crate::backend::gate::{Outcome, Place, Refused, Settlement, Taker};
use crate::coupon::error::CouponError;
use crate::coupon::model::{PolicyId, ReceiptId};
use crate::coupon::{Coupons, store};
use crate::error::{Error, NotFound, Unavailable};
use crate::kit::idempotency::Reply;
use crate::kit::trace;

/// How often somebody is given another place because a row has theirs: only a gate that lacks rows gives such places.
const ROUNDS: usize = 10;
/// How many gates are asked, or told, at a time.
const GATES: usize = 8;
/// How often the gate may be closed to somebody.
const CLOSED: u32 = 3;

/// Whom the gate has let in.
pub(super) struct Admitted {
    ask: Ask,
    place: Place,
    /// Whether it is this request's own place: else one of the member whose row is not known of.
    pub(super) is_own: bool,
}

/// Who has to take another place, and what the gate is told first, so that none is given the same one.
#[derive(Default)]
struct Again {
    asks: Vec<Ask>,
    settlements: Vec<Settlement>,
}

/// What the gate of one policy said.
pub(super) struct Group {
    pub(super) policy: PolicyId,
    pub(super) admitted: Vec<Admitted>,
    pub(super) refused: Vec<(Ask, Refused)>,
    /// Whether the gate knows of all, and whether it will give no place that it has given before.
    is_complete: bool,
    pub(super) is_settled: bool,
}

impl Group {
    /// Tells those who were let in; the others have been told.
    fn answer(self, error: &Error) {
        answer_all(self.admitted.into_iter().map(|admitted| admitted.ask).collect(), error);
    }
}

impl Coupons {
    /// Accepts or refuses those who came together, and answers each.
    pub(super) async fn accept(&self, lines: Vec<Line>) {
        let mut lines = lines;
        for _ in 0..ROUNDS {
            lines = self.round(lines).await;
            if lines.is_empty() {
                return;
            }
        }
        for Line { policy, asks } in lines {
            // It lacks rows, and not a few: whoever met them waits until it is built from them.
            if let Err(error) = self.rebuild_gate_of(policy).await {
                tracing::debug!(policy.id = %policy, "the gate of {policy} could not be put right: {error}");
            }
            self.wait_for_gate(policy, asks);
        }
    }

    /// One try; who has to take another place is left.
    async fn round(&self, lines: Vec<Line>) -> Vec<Line> {
        let gates: Vec<_> = lines.into_iter().map(|line| self.let_in(line)).collect();
        let mut groups: Vec<Group> = stream::iter(gates).buffered(GATES).collect().await;
        let refused: Vec<_> = groups
            .iter_mut()
            .map(|group| (self.hopeless(group), group.policy, group.is_complete))
            .filter(|(refused, ..)| !refused.is_empty())
            .map(|(refused, policy, is_complete)| self.refuse(policy, refused, is_complete))
            .collect();
        groups.retain(|group| !group.admitted.is_empty());
        // Who is let in does not wait until the others are told why they are not.
        let refusing = stream::iter(refused).buffer_unordered(GATES).collect::<()>();
        let writing = async { if groups.is_empty() { Vec::new() } else { self.write(groups).await } };
        tokio::join!(writing, refusing).0
    }

    /// Those whom the gate of their policy lets in, and refuses.
    async fn let_in(&self, Line { policy, asks }: Line) -> Group {
        let takers: Vec<_> = asks.iter().map(|ask| Taker { member: ask.member.0, token: ask.token }).collect();
        let (admitted, refused) = (Vec::new(), Vec::new());
        let mut group = Group { policy, admitted, refused, is_complete: false, is_settled: false };
        let answers = match self.gate.take(policy.0, &takers, self.kit.clock.now()).await {
            Ok(answers) => answers,
            // Whether places were taken is not known: the same token has the same place.
            Err(error) => {
                answer_all(asks, &error);
                return group;
            }
        };
        // What ends here is as if it had been killed: nothing is settled.
        if let Err(error) = self.kit.crash.point("coupon.taken") {
            answer_all(asks, &error);
            return group;
        }
        (group.is_complete, group.is_settled) = (answers.is_complete, answers.is_settled);
        let mut closed = Vec::new();
        for (ask, answer) in asks.into_iter().zip(answers.each) {
            match answer {
                Ok(place) => group.admitted.push(Admitted { ask, place, is_own: true }),
                Err(Refused::AlreadyYours(place) | Refused::OverLimit(Some(place))) => {
                    group.admitted.push(Admitted { ask, place, is_own: false });
                }
                Err(Refused::Closed) => closed.push(ask),
                Err(why) => group.refused.push((ask, why)),
            }
        }
        if !closed.is_empty() {
            self.wait_for_gate(policy, closed);
        }
        group
    }

    /// Writes the rows of those who were let in, and tells each what became of it; who has to take another place is left.
    async fn write(&self, groups: Vec<Group>) -> Vec<Line> {
        let now = self.kit.clock.now();
        let want = |Admitted { ask, place, is_own }: &Admitted| Want {
            id: ReceiptId::new(&self.kit.ids, now),
            member: ask.member,
            token: ask.token,
            place: *place,
            is_own: *is_own,
            actor: ask.actor.clone(),
        };
        let wants: Vec<_> = groups
            .iter()
            .map(|Group { policy, admitted, .. }| Wants { policy: *policy, each: admitted.iter().map(want).collect() })
            .collect();
        let first = groups.iter().find_map(|group| group.admitted.first());
        let trace = first.map(|admitted| admitted.ask.trace.clone()).unwrap_or_default();
        let rulings = trace::scope(trace, self.rule(&wants, now)).await;
        if let Err(error) = self.kit.crash.point("coupon.accepted") {
            groups.into_iter().for_each(|group| group.answer(&error));
            return Vec::new();
        }
        self.tell(rulings, &wants, groups).await
    }

    async fn tell(&self, rulings: Vec<Result<Ruling, Error>>, wants: &[Wants], groups: Vec<Group>) -> Vec<Line> {
        let (mut replays, mut told) = (Vec::new(), Vec::with_capacity(groups.len()));
        for (ruling, (wants, group)) in rulings.into_iter().zip(wants.iter().zip(groups)) {
            match ruling {
                Ok(ruling) => {
                    let again = self.tell_each(&ruling, wants, group.admitted, &mut replays);
                    told.push((ruling, wants, again));
                }
                Err(error) => {
                    self.undo(wants, &error);
                    group.answer(&error);
                }
            }
        }
        if !replays.is_empty() {
            self.replay(replays).await;
        }
        let mended: Vec<_> = told.into_iter().map(|(ruling, wants, again)| self.mend(ruling, wants, again)).collect();
        let left: Vec<_> = stream::iter(mended).buffer_unordered(GATES).collect().await;
        left.into_iter().filter(|line| !line.asks.is_empty()).collect()
    }

    /// Tells the gate what it has missed. Who has to take another place is left.
    async fn mend(&self, ruling: Ruling, Wants { policy, each }: &Wants, again: Again) -> Line {
        self.look_for_end(&ruling, each);
        self.teach_gate(&ruling, each).await;
        let mut asks = again.asks;
        if let Err(error) = self.gate.settle(policy.0, &again.settlements).await {
            answer_all(std::mem::take(&mut asks), &error);
        }
        Line { policy: *policy, asks }
    }

    /// Answers those of a policy, save those whose receipts are to be read, and those who have to take another place.
    fn tell_each(
        &self,
        ruling: &Ruling,
        wants: &Wants,
        admitted: Vec<Admitted>,
        replays: &mut Vec<(Ask, ReceiptId)>,
    ) -> Again {
        let mut settlements = Vec::with_capacity(admitted.len());
        let mut again = Again::default();
        for (want, Admitted { ask, .. }) in wants.each.iter().zip(admitted) {
            let (verdict, outcome) = verdict(ruling, want);
            let settlement = Settlement { member: want.member.0, token: want.token, outcome };
            match verdict {
                Verdict::Accepted(receipt) => ask.answer(Ok(Reply { value: receipt, replayed: false })),
                Verdict::Known(receipt) => replays.push((ask, receipt)),
                Verdict::Refused(refusal) => ask.answer(Err(refusal.into())),
                Verdict::Again => {
                    again.asks.push(ask);
                    again.settlements.push(settlement);
                    continue;
                }
            }
            settlements.push(settlement);
        }
        self.settle_later(wants.policy, settlements);
        again
    }

    /// Where the gate lets in whom the rows refuse, it has missed a change of the terms, or some rows.
    async fn teach_gate(&self, ruling: &Ruling, wants: &[Want]) {
        let policy = &ruling.policy;
        let is_beyond = |want: &Want| policy.offer.total.is_some_and(|total| want.place.place > total);
        let taught = match wants.iter().any(|want| is_astray(ruling, want)) {
            true => self.rebuild_gate(policy).await,
            false if ruling.refused.is_some() || wants.iter().any(is_beyond) => self.change_gate(policy).await,
            false => Ok(()),
        };
        if let Err(error) = taught {
            tracing::debug!(policy.id = %policy.id, "the gate of {} could not be put right: {error}", policy.id);
        }
    }

    /// Answers with receipts of before, as they are now.
    pub(super) async fn replay(&self, replays: Vec<(Ask, ReceiptId)>) {
        let ids = replays.iter().map(|(_, receipt)| *receipt);
        let found = match store::receipt::find_all(self.kit.db.read(), ids).await {
            Ok(found) => found,
            Err(error) => return answer_all(replays.into_iter().map(|(ask, _)| ask).collect(), &error),
        };
        let found: HashMap<_, _> = found.into_iter().map(|receipt| (receipt.id, receipt)).collect();
        for (ask, receipt) in replays {
            let known = found.get(&receipt).cloned();
            let missing = || NotFound::new("coupon_receipt", receipt).into();
            ask.answer(known.map(|value| Reply { value, replayed: true }).ok_or_else(missing));
        }
    }

    /// Gives back what was taken for nothing. Where the commit may have happened, the places stay with their members, who are
    /// told when they ask again.
    fn undo(&self, wants: &Wants, error: &Error) {
        let Wants { policy, each } = wants;
        if error.fault::<Unavailable>().is_some() {
            tracing::warn!(policy.id = %policy, "whether {} receipts of {policy} were written is not known", each.len());
            return;
        }
        let released = each.iter().filter(|want| want.is_own).map(|want| Settlement {
            member: want.member.0,
            token: want.token,
            outcome: Outcome::Released,
        });
        self.settle_later(*policy, released.collect());
    }

    /// Tells the gate what became of places. Nobody waits for it but a stop: a gate that does not hear of it gives less than
    /// there is until it is looked after.
    fn settle_later(&self, policy: PolicyId, settlements: Vec<Settlement>) {
        if settlements.is_empty() {
            return;
        }
        let gate = self.gate.clone();
        self.tasks.spawn(async move {
            if let Err(error) = gate.settle(policy.0, &settlements).await {
                tracing::debug!(policy.id = %policy, "the gate of {policy} was not told of its places: {error}");
            }
        });
    }

    /// Has those who met a closed gate wait until it is open, and get in line again.
    fn wait_for_gate(&self, policy: PolicyId, asks: Vec<Ask>) {
        let this = self.clone();
        self.tasks.spawn(async move {
            let (tired, mut patient): (Vec<_>, Vec<_>) = asks.into_iter().partition(|ask| ask.closed >= CLOSED);
            answer_all(tired, &CouponError::GateClosed(policy).into());
            if patient.is_empty() {
                return;
            }
            patient.iter_mut().for_each(|ask| ask.closed += 1);
            match this.open_gate(policy).await {
                Ok(true) => this.put_in_line(policy, patient),
                Ok(false) => this.answer_by_rows(policy, patient).await,
                Err(error) => answer_all(patient, &error),
            }
        });
    }
}

pub(super) fn answer_all(asks: Vec<Ask>, error: &Error) {
    for ask in asks {
        ask.answer(Err(error.clone()));
    }
}
