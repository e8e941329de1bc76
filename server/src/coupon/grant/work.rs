//! What a run does: gives some members their coupons, and moves on.

use uuid::Uuid;
use yeyak_proto::yeyak::coupon::v1 as pb;

use super::audience::{self, Next};
use super::model::{Counts, RunState};
use super::{Audience, GrantRun, GrantRunId};
use crate::coupon::give::next_of;
use crate::coupon::model::{CouponId, Policy, PolicyState, ReceiptId};
use crate::coupon::store::given::{New, Taken};
use crate::coupon::{Coupons, meter, store};
use crate::error::{Error, NotFound};
use crate::kit::caller::Actor;
use crate::kit::clock::Time;
use crate::kit::id::MemberId;
use crate::kit::keyring::Purpose;
use crate::kit::outbox::Cause;
use crate::kit::tx::Tx;
use crate::member::directory;

/// What came of some members.
struct Given {
    new: Vec<New>,
    counts: Counts,
    position: Option<MemberId>,
    /// None is left for the next of them.
    is_sold_out: bool,
}

impl Coupons {
    /// Looks at some more members of a run; how many that were. None when there is nothing to do for it now: it has ended, its
    /// policy is interrupted or has not begun, or its last members have just signed up.
    pub(super) async fn go_on(&self, id: GrantRunId, chunk: u64) -> Result<Option<u64>, Error> {
        let not_found = || Error::from(NotFound::new("coupon_grant_run", id));
        let run = store::run::find(self.kit.db.read(), id).await?.ok_or_else(not_found)?;
        if run.state != RunState::Running {
            return Ok(None);
        }
        let now = self.kit.clock.now();
        let rests = |policy: Policy| matches!(policy.state_at(now, None), PolicyState::Paused | PolicyState::Scheduled);
        // It may have been interrupted just now: that costs a look, and no transaction.
        if store::policy::find(self.kit.db.read(), run.policy).await?.is_some_and(rests) {
            return Ok(None);
        }
        let total = self.count_audience(&run).await?;
        let counts = self
            .kit
            .db
            .write(async |tx| {
                let policy = store::policy::hold(&tx, run.policy).await?.ok_or_else(not_found)?;
                let mut after = GrantRun { total, ..run.moved(now) };
                match policy.state_at(now, None) {
                    PolicyState::Ended => after.state = RunState::Stopped,
                    PolicyState::Paused | PolicyState::Scheduled => return Ok(None),
                    PolicyState::Active | PolicyState::SoldOut => {
                        let next = audience::next(&tx, &run, now, chunk).await?;
                        if next.members.is_empty() && !next.is_end {
                            return Ok(None);
                        }
                        self.give_all(&tx, &policy, &mut after, &next, now).await?;
                    }
                }
                // Asserts that nobody else has moved the run: what this transaction gave, it gave alone.
                self.put_run(&tx, &run, &after).await?;
                self.kit.crash.point("coupon-grant.given")?;
                Ok(Some(after.counts))
            })
            .await?;
        self.kit.crash.point("coupon-grant.committed")?;
        Ok(counts.map(|counts| {
            meter::ran(run.counts, counts);
            counts.done - run.counts.done
        }))
    }

    async fn give_all(
        &self,
        tx: &Tx,
        policy: &Policy,
        run: &mut GrantRun,
        next: &Next,
        now: Time,
    ) -> Result<(), Error> {
        // Locked first: who gives of the same policy waits here, and sees then what this gives.
        let granted = store::tally::granted(tx, policy.id).await?;
        let left = policy.offer.total.map(|total| total.saturating_sub(granted));
        let known = match run.audience {
            Audience::List => directory::known(&**tx, &next.members).await?,
            Audience::Segment(_) => next.members.iter().copied().collect(),
        };
        let taken = store::given::taken(&**tx, policy.id, &next.members).await?;
        let mut given = Given { new: Vec::new(), counts: run.counts, position: run.position, is_sold_out: false };
        for member in &next.members {
            let theirs: Vec<Taken> = taken.iter().filter(|taken| taken.member == *member).copied().collect();
            let slot = known.contains(member).then(|| next_of(policy, &theirs, now).ok()).flatten();
            let once = self.once_of(run.id, *member);
            match slot.filter(|_| theirs.iter().all(|taken| taken.once != Some(once))) {
                Some(_) if left.is_some_and(|left| given.new.len() as u64 >= left) => {
                    given.is_sold_out = true;
                    break;
                }
                Some(slot) => given.new.push(New {
                    id: ReceiptId::new(&self.kit.ids, now),
                    member: *member,
                    ordinal: slot.ordinal,
                    day_slot: slot.day_slot,
                    token: once,
                    once: Some(once),
                }),
                None => given.counts.skipped += 1,
            }
            given.counts.done += 1;
            given.position = Some(*member);
        }
        given.counts.granted += given.new.len() as u64;
        self.write_given(tx, policy, run, &given.new, now).await?;
        run.counts = given.counts;
        run.position = given.position;
        run.state = match (given.is_sold_out, next.is_end) {
            (true, _) => RunState::Stopped,
            (false, true) => RunState::Completed,
            (false, false) => RunState::Running,
        };
        Ok(())
    }

    async fn write_given(&self, tx: &Tx, policy: &Policy, run: &GrantRun, new: &[New], now: Time) -> Result<(), Error> {
        if new.is_empty() {
            return Ok(());
        }
        let count = i64::try_from(new.len()).map_err(Error::internal)?;
        if !store::tally::give(tx, policy.id, count, policy.offer.total).await? {
            return Err(Error::lost(policy.id));
        }
        store::given::insert(tx, policy, new, &run.created_by, now).await?;
        let coupons = new.iter().map(|new| pb::IssuedCoupon {
            coupon_id: CouponId::from(new.id).to_string(),
            member_id: new.member.to_string(),
        });
        let news = pb::CouponsIssued { policy_id: policy.id.to_string(), coupons: coupons.collect() };
        let actor = Actor(run.created_by.clone());
        self.kit.outbox.put(tx, Cause { aggregate: run.id.0, version: run.version, actor: &actor }, &news);
        Ok(())
    }

    /// A member is given one coupon by a run, whatever becomes of its position.
    fn once_of(&self, run: GrantRunId, member: MemberId) -> Uuid {
        let parts = [b"run", &run.0.as_bytes()[..], member.0.as_bytes()].concat();
        let tag = self.kit.keys.index(Purpose::CouponCode, &parts);
        let (head, _) = tag.split_first_chunk().expect("a tag has 32 bytes");
        Uuid::from_bytes(*head)
    }
}
