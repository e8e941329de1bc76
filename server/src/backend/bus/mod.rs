//! The bus: tells watchers that something changed. It carries no news itself, and may tell too often or, after a failure, not
//! at all: who watches reads the table, and looks again every few seconds anyway.

mod memory;

use std::fmt::Debug;

use async_trait::async_trait;
use uuid::Uuid;

pub use self::memory::MemoryBus;

/// Tells watchers that something changed.
pub trait Bus: Debug + Send + Sync + 'static {
    /// Wakes those who watch a thing. Never waits.
    fn publish(&self, thing: Uuid);

    /// Watches a thing: every change from now on is told.
    fn subscribe(&self, thing: Uuid) -> Box<dyn Subscription>;
}

/// A watch over one thing.
#[async_trait]
pub trait Subscription: Send + 'static {
    /// Waits until the thing has changed since the last call, or since the watch began.
    async fn changed(&mut self);
}
