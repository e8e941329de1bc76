//! Deciding on an application.

use uuid::Uuid;
use yeyak_proto::yeyak::member::v1 as pb;

use super::model::{Application, Decision, SellerApplicationId, State};
use super::{convert, store};
use crate::error::{Error, NotFound};
use crate::kit::caller::Admin;
use crate::kit::idempotency::{Reply, RequestKey};
use crate::kit::outbox::Cause;
use crate::member::Members;
use crate::member::role::{Change, Role};

impl Members {
    /// Approves or rejects a pending application; an approval grants the role in the same transaction.
    pub(super) async fn decide_application(
        &self,
        admin: &Admin,
        id: SellerApplicationId,
        decision: &Decision,
        key: &RequestKey,
    ) -> Result<Reply<Application>, Error> {
        let method = if decision.approved { "ApproveSellerApplication" } else { "RejectSellerApplication" };
        let load = async |id: Uuid| self.any_application(SellerApplicationId(id)).await;
        self.kit
            .requests
            .once(admin.id.0, method, key, load, async |record| {
                let application = self.any_application(id).await?;
                let decided = application.decide(decision, admin.id, self.kit.clock.now())?;
                self.kit
                    .db
                    .write(async |tx| {
                        // The member before the application, as when one is made.
                        if decided.state == State::Approved {
                            self.change_role(&tx, &grant(&decided, admin)).await?;
                        }
                        store::decide(&*tx, &decided).await?;
                        let cause = Cause { aggregate: id.0, version: 2, actor: &admin.actor() };
                        self.kit.outbox.put(&tx, cause, &event(&decided));
                        record.put(&tx, id.0).await
                    })
                    .await?;
                Ok(decided)
            })
            .await
    }

    /// An application, for admins.
    pub(super) async fn any_application(&self, id: SellerApplicationId) -> Result<Application, Error> {
        let found = store::application(self.kit.db.read(), id).await?;
        Ok(found.ok_or_else(|| NotFound::new("application", id))?)
    }
}

fn grant(decided: &Application, admin: &Admin) -> Change {
    Change {
        member: decided.member,
        role: Role::Seller,
        granted: true,
        reason: format!("{} was approved", decided.id),
        actor: admin.actor(),
    }
}

fn event(decided: &Application) -> pb::SellerApplicationDecided {
    pb::SellerApplicationDecided {
        application_id: decided.id.to_string(),
        member_id: decided.member.to_string(),
        state: convert::state(decided.state).into(),
    }
}
