//! Turns: in one process, one at a time asks the provider about a payment. The others could only repeat its question.
//!
//! Nothing rests on it: other processes ask at the same time, and what is recorded is decided by the database.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::OwnedMutexGuard;

use super::model::PaymentId;

#[derive(Clone, Debug, Default)]
pub(super) struct Turns(Arc<Mutex<HashMap<PaymentId, Arc<tokio::sync::Mutex<()>>>>>);

impl Turns {
    /// Waits for one's turn with a payment, and has it until the guard is dropped.
    pub(super) async fn of(&self, id: PaymentId) -> OwnedMutexGuard<()> {
        let turn = {
            let mut all = self.0.lock().expect("nothing panics while it takes a turn");
            all.retain(|_, turn| Arc::strong_count(turn) > 1);
            all.entry(id).or_default().clone()
        };
        turn.lock_owned().await
    }
}
