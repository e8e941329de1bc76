//! Applying to be a seller.

use uuid::Uuid;
use yeyak_proto::yeyak::member::v1 as pb;

use super::model::{Application, BusinessNumber, SellerApplicationId, State};
use super::store;
use crate::error::{Error, NotFound};
use crate::kit::caller::Member;
use crate::kit::idempotency::{Reply, RequestKey};
use crate::kit::outbox::Cause;
use crate::member::role::store::lock;
use crate::member::{MemberError, Members};

/// Asks to become a seller.
#[derive(Clone, Debug)]
pub(super) struct Create {
    pub(super) business_name: String,
    pub(super) business_number: BusinessNumber,
    pub(super) note: String,
}

impl Members {
    /// Makes the caller's one open application.
    pub(super) async fn create_application(
        &self,
        caller: &Member,
        command: &Create,
        key: &RequestKey,
    ) -> Result<Reply<Application>, Error> {
        let load = async |id: Uuid| self.own_application(caller.id, SellerApplicationId(id)).await;
        self.kit
            .requests
            .once(caller.id.0, "CreateSellerApplication", key, load, async |record| {
                let now = self.kit.clock.now();
                let application = Application {
                    id: SellerApplicationId::new(&self.kit.ids, now),
                    member: caller.id,
                    state: State::Pending,
                    business_name: command.business_name.clone(),
                    business_number: command.business_number.clone(),
                    note: command.note.clone(),
                    decision_reason: String::new(),
                    decided_by: None,
                    create_time: now,
                    decide_time: None,
                };
                let event = pb::SellerApplicationCreated {
                    application_id: application.id.to_string(),
                    member_id: caller.id.to_string(),
                };
                self.kit
                    .db
                    .write(async |tx| {
                        // Locked, so that an approval at the same moment is seen.
                        let roles = lock(&*tx, caller.id).await?.ok_or_else(|| NotFound::new("member", caller.id))?;
                        if roles.seller {
                            return Err(MemberError::AlreadySeller.into());
                        }
                        store::insert(&*tx, &application).await?;
                        let cause = Cause { aggregate: application.id.0, version: 1, actor: &caller.actor() };
                        self.kit.outbox.put(&tx, cause, &event);
                        record.put(&tx, application.id.0).await
                    })
                    .await?;
                Ok(application)
            })
            .await
    }
}
