//! The issuer: makes the coupons of receipts.
//!
//! A receipt becomes one coupon however often it comes, since the two have the same id; each is decided by itself. What is new
//! is told in the same transaction.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use prost::Name;
use uuid::Uuid;
use yeyak_proto::yeyak::coupon::v1::{CouponsAccepted, CouponsIssued, IssuedCoupon};

use crate::backend::queue::{Consumer, Message, Unreadable};
use crate::coupon::model::{PolicyId, ReceiptId};
use crate::coupon::store::coupon::Issued;
use crate::coupon::{Coupons, meter, store};
use crate::error::Error;
use crate::kit::caller::Actor;
use crate::kit::inbox;
use crate::kit::outbox::Cause;
use crate::kit::tx::Tx;

const NAME: &str = "coupon-issuer";
/// Messages that are taken together: each has what one commit accepted. A full batch does not wait for those who ask,
/// so that what was accepted never piles up behind them.
const BATCH: usize = 64;
/// The receipts beyond which a transaction takes no further message: an event that has more is taken alone.
const ROWS: usize = 4_000;
/// The most that one event names.
const TOGETHER: usize = 500;

/// What was accepted, as messages tell it.
#[derive(Debug, Default)]
struct Accepted {
    events: Vec<Uuid>,
    by_event: HashMap<Uuid, Vec<ReceiptId>>,
    rows: usize,
    actor: String,
}

impl Accepted {
    /// As much at a time as one transaction takes.
    fn read(messages: &[Message]) -> Result<Vec<Self>, Error> {
        let (mut all, mut accepted) = (Vec::new(), Self::default());
        for message in messages {
            let unreadable =
                |why: &dyn std::fmt::Display| Unreadable { what: message.kind.clone(), why: why.to_string() };
            let event: CouponsAccepted = message.event()?;
            let mut receipts = Vec::with_capacity(event.receipt_ids.len());
            for id in &event.receipt_ids {
                receipts.push(id.parse().map_err(|why: crate::kit::id::NotAnId| unreadable(&why))?);
            }
            if accepted.rows + receipts.len() > ROWS && accepted.rows > 0 {
                all.push(std::mem::take(&mut accepted));
            }
            accepted.rows += receipts.len();
            accepted.events.push(message.id);
            accepted.by_event.insert(message.id, receipts);
            accepted.actor.clone_from(&message.actor);
        }
        all.push(accepted);
        Ok(all)
    }
}

impl Coupons {
    /// Makes the coupons of what was accepted.
    async fn issue_accepted(&self, messages: &[Message]) -> Result<(), Error> {
        for accepted in &Accepted::read(messages)? {
            self.issue_together(accepted).await?;
        }
        Ok(())
    }

    async fn issue_together(&self, accepted: &Accepted) -> Result<(), Error> {
        let issued = self.kit.db.write(async |tx| self.issue_in(&tx, accepted).await).await?;
        let now = self.kit.clock.now();
        for coupon in &issued {
            self.bus.publish(coupon.id.0);
        }
        meter::issued(issued.iter().map(|coupon| ReceiptId(coupon.id.0)), now);
        Ok(())
    }

    async fn issue_in(&self, tx: &Tx, accepted: &Accepted) -> Result<Vec<Issued>, Error> {
        let now = self.kit.clock.now();
        let new = inbox::first_of(tx, NAME, &accepted.events, now).await?;
        let mut receipts: Vec<_> = new.iter().flat_map(|event| &accepted.by_event[event]).copied().collect();
        receipts.sort_unstable();
        receipts.dedup();
        let issued = store::coupon::issue(tx, &receipts, now).await?;
        self.kit.crash.point("coupon.issuing")?;
        self.announce_issued(tx, &issued, &Actor(accepted.actor.clone()));
        Ok(issued)
    }

    fn announce_issued(&self, tx: &Tx, issued: &[Issued], actor: &Actor) {
        let mut by_policy: BTreeMap<PolicyId, Vec<&Issued>> = BTreeMap::new();
        for coupon in issued {
            by_policy.entry(coupon.policy).or_default().push(coupon);
        }
        for (policy, coupons) in by_policy {
            for together in coupons.chunks(TOGETHER) {
                let tell = |coupon: &&Issued| IssuedCoupon {
                    coupon_id: coupon.id.to_string(),
                    member_id: coupon.member.to_string(),
                };
                let event =
                    CouponsIssued { policy_id: policy.to_string(), coupons: together.iter().map(tell).collect() };
                // Each such event stands for itself, as the one that it follows from.
                let aggregate = together.first().map_or(policy.0, |coupon| coupon.id.0);
                self.kit.outbox.put(tx, Cause { aggregate, version: 1, actor }, &event);
            }
        }
    }
}

/// Takes what was accepted from the queue.
#[derive(Debug)]
pub(in crate::coupon) struct Issuer(pub(in crate::coupon) Coupons);

#[async_trait]
impl Consumer for Issuer {
    fn name(&self) -> &'static str {
        NAME
    }

    fn kinds(&self) -> Vec<String> {
        vec![CouponsAccepted::full_name()]
    }

    async fn take(&self, message: &Message) -> Result<(), Error> {
        self.0.issue_accepted(std::slice::from_ref(message)).await
    }

    fn batch_size(&self) -> usize {
        BATCH
    }

    async fn take_batch(&self, messages: &[Message]) -> Result<(), Error> {
        if messages.len() < BATCH {
            self.0.lines.quiet().await;
        }
        self.0.issue_accepted(messages).await
    }

    fn never_gives_up(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::harness::Harness;
    use crate::kit::clock::Clock;

    fn message(yeyak: &Harness, id: u128, receipts: usize) -> Message {
        let now = yeyak.clock.now();
        let receipt_ids = (0..receipts).map(|_| ReceiptId::new(&yeyak.kit.ids, now).to_string()).collect();
        let event = CouponsAccepted { receipt_ids };
        Message {
            id: Uuid::from_u128(id),
            kind: CouponsAccepted::full_name(),
            aggregate: Uuid::from_u128(id),
            version: 1,
            actor: "test".to_owned(),
            trace: String::new(),
            payload: event.encode_to_vec(),
            create_time: now,
        }
    }

    /// Guard: the limit on the rows of a transaction, which never parts what one commit accepted.
    #[tokio::test]
    async fn a_transaction_has_as_many_messages_as_it_has_room_for() {
        let yeyak = Harness::new().await;
        let sizes = [ROWS - 1, 1, 1, ROWS + 1, 2];
        let messages: Vec<_> = (1..).zip(sizes).map(|(id, size)| message(&yeyak, id, size)).collect();

        let all = Accepted::read(&messages).expect("can be read");

        let parts: Vec<_> = all.iter().map(|one| (one.events.len(), one.rows)).collect();
        assert_eq!(parts, [(2, ROWS), (1, 1), (1, ROWS + 1), (1, 2)]);
        let told: Vec<_> = all.iter().flat_map(|one| one.events.clone()).collect();
        assert_eq!(told, messages.iter().map(|one| one.id).collect::<Vec<_>>());
    }
}
