//! What can be made to go wrong, per order or for all.

use std::sync::Mutex;

use sea_orm::{ActiveValue, DatabaseConnection, DbErr};
use serde::{Deserialize, Serialize};

use super::entity::fault;
use super::store;

/// Something that goes wrong with the next confirm or cancel.
///
/// One of each sort applies to a call: what becomes of its answer, what the provider decides, what the webhooks do.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Fault {
    /// The connection is dropped without an answer.
    LoseAnswer {
        /// Before or after the thing was done.
        when: When,
    },
    /// The answer comes late. A caller that leaves meanwhile stops nothing.
    Delay {
        /// Before or after the thing is done.
        when: When,
        /// How late.
        millis: u64,
    },
    /// The answer is a 500.
    ServerError {
        /// Before or after the thing was done.
        when: When,
    },
    /// The answer is cut in its middle.
    BrokenJson {
        /// Before or after the thing was done.
        when: When,
    },
    /// The answer is an error of the table. A final one aborts a payment that was to be confirmed.
    Decline {
        /// `REJECT_CARD_PAYMENT`, `PROVIDER_ERROR`, or any other of the provider's codes.
        code: String,
    },
    /// Another amount is taken than the one confirmed.
    WrongAmount {
        /// The amount in minor units.
        charged: i64,
    },
    /// The buyer chose a virtual account: a confirm takes nothing, and waits for a deposit that never comes.
    AwaitDeposit,
    /// The webhook of the change misbehaves.
    Webhooks {
        /// How.
        order: Hooks,
    },
}

/// On which side of the effect a fault strikes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Nothing was done.
    BeforeCommit,
    /// All was done.
    AfterCommit,
}

/// How a webhook misbehaves.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Hooks {
    /// It comes twice under one transmission id.
    Twice,
    /// It comes behind the next one of its payment, or after a minute without one.
    Reversed,
    /// It comes late.
    Delayed {
        /// How late.
        millis: u64,
    },
    /// It never comes.
    Never,
}

/// What goes wrong with one call.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    pub(super) answer: Option<Fault>,
    pub(super) decline: Option<String>,
    pub(super) charged: Option<i64>,
    pub(super) awaits_deposit: bool,
    pub(super) hooks: Option<Hooks>,
}

impl Plan {
    /// Takes a fault into the plan, if its place is free and it concerns such a call.
    fn take(&mut self, fault: &Fault, confirms: bool) -> bool {
        match fault {
            Fault::Decline { code } if self.decline.is_none() => self.decline = Some(code.clone()),
            Fault::WrongAmount { charged } if confirms && self.charged.is_none() => self.charged = Some(*charged),
            Fault::AwaitDeposit if confirms && !self.awaits_deposit => self.awaits_deposit = true,
            Fault::Webhooks { order } if self.hooks.is_none() => self.hooks = Some(*order),
            Fault::Decline { .. } | Fault::WrongAmount { .. } | Fault::AwaitDeposit | Fault::Webhooks { .. } => {
                return false;
            }
            _ if self.answer.is_none() => self.answer = Some(fault.clone()),
            _ => return false,
        }
        true
    }
}

#[derive(Debug)]
struct Scripted {
    id: i64,
    order: Option<String>,
    fault: Fault,
    left: i64,
}

/// The faults to come: kept in memory to be asked on each call, and in the file to outlive the process.
#[derive(Debug)]
pub(super) struct Book {
    scripted: Mutex<Vec<Scripted>>,
}

impl Book {
    pub(super) async fn load(db: &DatabaseConnection) -> Result<Self, DbErr> {
        let mut scripted = Vec::new();
        for row in store::faults(db).await? {
            let Ok(fault) = serde_json::from_str(&row.fault) else { continue };
            scripted.push(Scripted { id: row.id, order: row.order_id, fault, left: row.left });
        }
        Ok(Self { scripted: Mutex::new(scripted) })
    }

    pub(super) async fn add(
        &self,
        db: &DatabaseConnection,
        order: Option<&str>,
        fault: Fault,
        times: u32,
    ) -> Result<(), DbErr> {
        let left = i64::from(times.max(1));
        let row = fault::ActiveModel {
            id: ActiveValue::NotSet,
            order_id: ActiveValue::Set(order.map(str::to_owned)),
            fault: ActiveValue::Set(serde_json::to_string(&fault).expect("a fault is plain data")),
            left: ActiveValue::Set(left),
        };
        let id = store::insert_fault(db, row).await?;
        self.lock().push(Scripted { id, order: order.map(str::to_owned), fault, left });
        Ok(())
    }

    /// Takes the faults of a call about an order: those of the order before those of all.
    pub(super) async fn take(&self, db: &DatabaseConnection, order: &str, confirms: bool) -> Result<Plan, DbErr> {
        let (plan, used) = self.choose(order, confirms);
        for (id, left) in used {
            store::fault_left(db, id, left).await?;
        }
        Ok(plan)
    }

    fn choose(&self, order: &str, confirms: bool) -> (Plan, Vec<(i64, i64)>) {
        let (mut plan, mut used) = (Plan::default(), Vec::new());
        let mut scripted = self.lock();
        for of_order in [true, false] {
            for entry in scripted.iter_mut() {
                let concerned = if of_order { entry.order.as_deref() == Some(order) } else { entry.order.is_none() };
                if concerned && plan.take(&entry.fault, confirms) {
                    entry.left -= 1;
                    used.push((entry.id, entry.left));
                }
            }
        }
        if !used.is_empty() {
            scripted.retain(|entry| entry.left > 0);
        }
        (plan, used)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Scripted>> {
        self.scripted.lock().expect("nothing panics while it looks through the faults")
    }
}
