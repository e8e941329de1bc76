//! What the rows say of those whom the gate has let in, in one transaction with the writing of theirs.

use std::collections::{HashMap, HashSet};

use chrono::TimeDelta;
use uuid::Uuid;
use yeyak_proto::yeyak::coupon::v1::CouponsAccepted;

use crate::backend::gate::{Place, Sale};
use crate::coupon::error::CouponError;
use crate::coupon::give::{day_of, free_on};
use crate::coupon::model::{Offer, Policy, PolicyId, ReceiptId};
use crate::coupon::store::receipt::{New, Row};
use crate::coupon::{Coupons, store};
use crate::error::{Error, ErrorReason, NotFound, Unavailable};
use crate::kit::caller::Actor;
use crate::kit::clock::Time;
use crate::kit::id::MemberId;
use crate::kit::outbox::Cause;
use crate::kit::tx::Tx;

/// No row is written later than this behind the time of its id: who looks for receipts in the order of their ids waits longer.
const LATE: TimeDelta = TimeDelta::seconds(20);
/// How often the rows are asked again when another has written theirs in between.
const TRIES: usize = 4;

/// Somebody whom the gate has let in.
#[derive(Clone, Debug)]
pub(super) struct Want {
    pub(super) id: ReceiptId,
    pub(super) member: MemberId,
    pub(super) token: Uuid,
    pub(super) place: Place,
    /// Whether the gate gave the place for this very request.
    pub(super) is_own: bool,
    pub(super) actor: String,
}

/// Those of one policy.
#[derive(Debug)]
pub(super) struct Wants {
    pub(super) policy: PolicyId,
    pub(super) each: Vec<Want>,
}

/// What was written of a policy, and what was there before.
#[derive(Debug)]
pub(super) struct Ruling {
    pub(super) policy: Policy,
    /// The time of the receipts, and of their ids.
    pub(super) accepted: Time,
    /// Why nobody is accepted now.
    pub(super) refused: Option<CouponError>,
    pub(super) written: HashSet<ReceiptId>,
    /// Who has as many as they may on a day.
    pub(super) over_day: HashSet<ReceiptId>,
    /// What those whose receipts were not written have of the policy, and who has their places.
    pub(super) of_members: HashMap<MemberId, Vec<Row>>,
    pub(super) of_places: HashMap<u64, Row>,
}

impl Policy {
    /// Nothing, or why no coupon is issued at this moment.
    pub(in crate::coupon) fn refusal_at(&self, now: Time) -> Option<CouponError> {
        let terms = self.terms();
        match terms.sale {
            Sale::Ended => Some(CouponError::Ended(self.id)),
            _ if terms.end_time.is_some_and(|end| end <= now) => Some(CouponError::Ended(self.id)),
            Sale::Paused => Some(CouponError::Paused(self.id)),
            Sale::Open => {
                let start = terms.start_time.filter(|start| now < *start)?;
                Some(CouponError::NotStarted { policy: self.id, start })
            }
        }
    }
}

impl Ruling {
    fn new(policy: Policy, now: Time, accepted: Time) -> Self {
        Self {
            refused: policy.refusal_at(now),
            policy,
            accepted,
            written: HashSet::new(),
            over_day: HashSet::new(),
            of_members: HashMap::new(),
            of_places: HashMap::new(),
        }
    }
}

impl Coupons {
    /// Writes the receipts that the rows allow, with the event that has their coupons issued: of all policies together, unless
    /// something is wrong with one of them, which is not the others'.
    pub(super) async fn rule(&self, lines: &[Wants], accepted: Time) -> Vec<Result<Ruling, Error>> {
        match self.rule_together(lines, accepted).await {
            Ok(rulings) => rulings.into_iter().map(Ok).collect(),
            Err(error) if is_of_one(&error) => {
                tracing::debug!("who came together is accepted policy by policy: {error}");
                self.rule_on_each(lines, accepted).await
            }
            Err(error) => lines.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    async fn rule_on_each(&self, lines: &[Wants], accepted: Time) -> Vec<Result<Ruling, Error>> {
        let mut rulings = Vec::with_capacity(lines.len());
        let mut tries = 0;
        while let Some(alone) = lines.get(rulings.len()..=rulings.len()) {
            tries += 1;
            match self.rule_together(alone, accepted).await {
                Ok(ruling) => rulings.extend(ruling.into_iter().map(Ok)),
                Err(error) if error.is_lost() && tries < TRIES => continue,
                Err(error) if is_of_one(&error) => rulings.push(Err(error)),
                // It would go no better with the rest.
                Err(error) => rulings.resize_with(lines.len(), || Err(error.clone())),
            }
            tries = 0;
        }
        rulings
    }

    async fn rule_together(&self, lines: &[Wants], accepted: Time) -> Result<Vec<Ruling>, Error> {
        self.kit.db.write(async |tx| self.rule_in(&tx, lines, accepted).await).await
    }

    async fn rule_in(&self, tx: &Tx, lines: &[Wants], accepted: Time) -> Result<Vec<Ruling>, Error> {
        // Whoever pauses, ends or changes one of them waits for this transaction, and the next reads what they wrote.
        let policies = store::policy::hold_all(tx, lines.iter().map(|wants| wants.policy)).await?;
        let now = self.kit.clock.now();
        if now - accepted > LATE {
            return Err(Unavailable { what: "the database" }.into());
        }
        let mut policies: HashMap<_, _> = policies.into_iter().map(|policy| (policy.id, policy)).collect();
        let mut rulings = Vec::with_capacity(lines.len());
        let mut rows = Vec::new();
        for Wants { policy, each } in lines {
            let policy = policies.remove(policy).ok_or_else(|| NotFound::new("coupon_policy", *policy))?;
            let mut ruling = Ruling::new(policy, now, accepted);
            if ruling.refused.is_none() {
                rows.append(&mut self.rows(tx, &mut ruling, each).await?);
            }
            rulings.push(ruling);
        }
        let written = store::receipt::insert(tx, &rows, accepted).await?;
        let beaten: HashSet<_> = rows.iter().filter(|row| !written.contains(&row.id)).map(|row| row.policy).collect();
        // What was read before does not hold any more, and slots were kept for those who can't have them.
        let is_lost = |policy: &&Policy| policy.offer.has_slots() && beaten.contains(&policy.id);
        if let Some(policy) = rulings.iter().map(|ruling| &ruling.policy).find(is_lost) {
            return Err(Error::lost(policy.id));
        }
        for (ruling, Wants { each, .. }) in rulings.iter_mut().zip(lines) {
            ruling.written = each.iter().map(|want| want.id).filter(|id| written.contains(id)).collect();
            look(tx, ruling, each).await?;
        }
        let accepted: Vec<_> =
            lines.iter().flat_map(|wants| &wants.each).filter(|want| written.contains(&want.id)).collect();
        if let Some(first) = accepted.first() {
            self.announce_accepted(tx, accepted.iter().map(|want| want.id), &Actor(first.actor.clone()));
        }
        Ok(rulings)
    }

    /// The receipts to be written: one a place, within the total, and within what each member may have.
    async fn rows(&self, tx: &Tx, ruling: &mut Ruling, wants: &[Want]) -> Result<Vec<New>, Error> {
        let Ruling { policy, accepted, .. } = &*ruling;
        let offer = &policy.offer;
        let mut firsts: HashMap<u64, &Want> = HashMap::with_capacity(wants.len());
        for want in wants.iter().filter(|want| offer.total.is_none_or(|total| want.place.place <= total)) {
            let first = firsts.entry(want.place.place).or_insert(want);
            // Whose own place it is comes before who only found it.
            if want.is_own && !first.is_own {
                *first = want;
            }
        }
        let mut firsts: Vec<&Want> = firsts.into_values().collect();
        firsts.sort_unstable_by_key(|want| want.place.place);
        let (policy_id, is_only, expire_time) = (policy.id, offer.per_member == 1, policy.expiry(*accepted));
        let rows = firsts.iter().map(|want| New {
            id: want.id,
            policy: policy_id,
            is_only,
            member: want.member,
            token: want.token,
            place: want.place,
            day_slot: None,
            expire_time,
            created_by: want.actor.clone(),
        });
        if !offer.has_slots() {
            // A gate that knows older terms gives a member several: of those the first is the one that they may have.
            let mut members = HashSet::with_capacity(firsts.len());
            let one_each = rows.filter(|row| members.insert(row.member));
            return Ok(one_each.map(|row| New { place: Place { ordinal: 1, ..row.place }, ..row }).collect());
        }
        // Where a member may have several, the rows say which ordinals and which slots of the day are free: the gate may lack
        // some of them.
        let members = firsts.iter().map(|want| want.member);
        let known = by_member(store::receipt::of_members(&**tx, policy.id, members).await?);
        let places = firsts.iter().map(|want| want.place.place);
        let occupied = by_place(store::receipt::of_places(&**tx, policy.id, places).await?);
        let mut slots = Slots::new(policy, *accepted, known);
        let mut fitting = Vec::with_capacity(firsts.len());
        for row in rows.filter(|row| !occupied.contains_key(&row.place.place)) {
            match slots.fit(row) {
                Ok(row) => fitting.push(row),
                Err(Full::Day(id)) => _ = ruling.over_day.insert(id),
                Err(Full::Member) => {}
            }
        }
        Ok(fitting)
    }

    /// Has the coupons of receipts issued. Each such event stands for itself: none has to wait for another.
    pub(super) fn announce_accepted(&self, tx: &Tx, receipts: impl Iterator<Item = ReceiptId> + Clone, actor: &Actor) {
        let Some(first) = receipts.clone().next() else { return };
        let event = CouponsAccepted { receipt_ids: receipts.map(|receipt| receipt.to_string()).collect() };
        self.kit.outbox.put(tx, Cause { aggregate: first.0, version: 1, actor }, &event);
    }
}

/// Whether it may be the error of one policy: what it has can't be read, or has changed, or it is not there.
fn is_of_one(error: &Error) -> bool {
    error.is_lost() || matches!(error.reason(), ErrorReason::Internal | ErrorReason::NotFound)
}

/// Reads what decides about those whose receipts were not written.
async fn look(tx: &Tx, ruling: &mut Ruling, wants: &[Want]) -> Result<(), Error> {
    let left: Vec<_> = wants.iter().filter(|want| !ruling.written.contains(&want.id)).collect();
    if left.is_empty() {
        return Ok(());
    }
    let id = ruling.policy.id;
    let members = left.iter().map(|want| want.member);
    ruling.of_members = by_member(store::receipt::of_members(&**tx, id, members).await?);
    let places = left.iter().map(|want| want.place.place);
    ruling.of_places = by_place(store::receipt::of_places(&**tx, id, places).await?);
    Ok(())
}

fn by_place(rows: Vec<Row>) -> HashMap<u64, Row> {
    rows.into_iter().filter_map(|row| Some((u64::try_from(row.place?).ok()?, row))).collect()
}

fn by_member(rows: Vec<Row>) -> HashMap<MemberId, Vec<Row>> {
    let mut members: HashMap<_, Vec<_>> = HashMap::new();
    for row in rows {
        members.entry(row.member).or_default().push(row);
    }
    members
}

impl Offer {
    /// Whether a member may have several, or so many a day: the rows say then which ordinals and slots are free.
    fn has_slots(&self) -> bool {
        self.per_member != 1 || self.per_member_daily.is_some()
    }
}

/// Which ordinals members have, and which slots of a day.
struct Slots {
    per_member: i64,
    per_day: Option<u32>,
    /// The first slot of the day that it is where the policy is.
    day: i64,
    known: HashMap<MemberId, Vec<Row>>,
}

/// Why there is no slot.
#[derive(Debug, Eq, PartialEq)]
enum Full {
    Member,
    Day(ReceiptId),
}

impl Slots {
    fn new(policy: &Policy, now: Time, known: HashMap<MemberId, Vec<Row>>) -> Self {
        let offer = &policy.offer;
        let day = day_of(policy, now);
        Self { per_member: offer.per_member.into(), per_day: offer.per_member_daily, day, known }
    }

    /// The receipt with an ordinal and a slot that are free.
    fn fit(&mut self, row: New) -> Result<New, Full> {
        let mine = self.known.entry(row.member).or_default();
        let is_taken = |ordinal: i64| mine.iter().any(|row| row.ordinal == Some(ordinal));
        let asked = i64::from(row.place.ordinal);
        // A ruling by the request's own row, if there is one, comes first.
        if mine.iter().any(|known| known.token == row.token) {
            return Err(Full::Member);
        }
        let live = mine.iter().filter(|row| row.ordinal.is_some()).count();
        let has_all = i64::try_from(live).is_ok_and(|live| live >= self.per_member);
        let free = std::iter::once(asked).chain(1..=self.per_member).find(|ordinal| !is_taken(*ordinal));
        let ordinal = free.filter(|_| !has_all).ok_or(Full::Member)?;
        let day_slot = match self.per_day {
            None => None,
            Some(per_day) => {
                let free = free_on(self.day, per_day, mine.iter().filter_map(|row| row.day_slot));
                Some(free.ok_or(Full::Day(row.id))?)
            }
        };
        let wide = i64::try_from(row.place.place).ok();
        let New { id, member, token, .. } = row;
        mine.push(Row { id, member, ordinal: Some(ordinal), place: wide, day_slot, token });
        let place = Place { ordinal: u32::try_from(ordinal).unwrap_or(row.place.ordinal), ..row.place };
        Ok(New { place, day_slot, ..row })
    }
}
