//! First come, first served: the gate lets in, a row accepts, the queue carries, an issuer makes the coupon.
//!
//! Who asks is let in by the gate, which is quick and may be wrong, and accepted by a row, which is right. What waits at the
//! same moment is accepted together, whichever policies it is for: one script of the gate of each, one transaction, one event.
//! The answer follows the commit.

mod accept;
mod convert;
mod end;
mod issuer;
mod line;
mod read;
mod receipts;
mod refuse;
mod rpc;
mod rule;
#[cfg(test)]
mod tests;
mod verdict;
mod watch;

use tokio::sync::oneshot;
use uuid::Uuid;

pub(super) use self::convert::{coupon as proto_coupon, coupon_for as proto_coupon_for};
pub(super) use self::end::{Ends, EndsJob};
pub(super) use self::issuer::Issuer;
pub(super) use self::line::Lines;
pub(super) use self::receipts::ReceiptsJob;
use super::model::{PolicyId, Receipt};
use super::{Coupons, meter};
use crate::error::Error;
use crate::kit::caller::Member;
use crate::kit::id::MemberId;
use crate::kit::idempotency::Reply;
use crate::kit::trace;

/// Asks for a coupon of a first-come policy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Issue {
    pub(super) policy: PolicyId,
    pub(super) request: Option<Uuid>,
}

type Answer = Result<Reply<Receipt>, Error>;

/// Somebody who waits for an answer.
#[derive(Debug)]
struct Ask {
    member: MemberId,
    /// The same for the same request: it is given the same place, and has one receipt.
    token: Uuid,
    actor: String,
    trace: String,
    /// How often the gate was closed to it.
    closed: u32,
    answer: oneshot::Sender<Answer>,
}

impl Ask {
    fn answer(self, answer: Answer) {
        meter::asked(&answer);
        // Who has gone finds the receipt under the same request.
        _ = self.answer.send(answer);
    }
}

impl Coupons {
    /// Asks for a coupon. The receipt that is answered is on disk. The same request has the same receipt for ever.
    pub(super) async fn issue(&self, caller: &Member, command: Issue) -> Answer {
        let (answer, answered) = oneshot::channel();
        let ask = Ask {
            member: caller.id,
            token: self.token(caller.id, command),
            actor: caller.actor().0,
            trace: trace::current(),
            closed: 0,
            answer,
        };
        self.put_in_line(command.policy, vec![ask]);
        answered.await.map_err(|_| Error::internal("nobody answered who was asked for a coupon"))?
    }

    fn token(&self, member: MemberId, command: Issue) -> Uuid {
        let mut bytes = [0; 16];
        match command.request {
            None => self.kit.ids.fill(&mut bytes),
            Some(request) => {
                let parts = [member.0, command.policy.0, request].map(Uuid::into_bytes).concat();
                let digest = ring::digest::digest(&ring::digest::SHA256, &parts);
                let (first, _) = digest.as_ref().split_at(16);
                bytes.copy_from_slice(first);
            }
        }
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }
}
