//! The gate of a sale: of those who come at once it lets in as many as there is stock, each with a place of their own.
//!
//! Guarantees, as long as the gate remembers:
//! - a place within the total is given to one member at a time;
//! - a member never holds more places than the terms allow;
//! - the same token is given the same place, also when it is asked for twice at the same moment, until that place is given back;
//! - a place that was given back is given again, and giving it back once more mints nothing.
//!
//! A gate that has lost its memory, in whole or in part, is closed: it never begins anew by itself. That is so after a restart,
//! after a flush, and wherever another server leads than the one that it was opened under. It is opened, first of all and after
//! every loss, by [`Gate::rebuild`] from the rows that prove which places were accepted.
//!
//! A gate refuses early; it never confirms. Two servers that both believe to lead can give the same place: the rows decide, by
//! being unique on (policy, place) and on (policy, member, ordinal), and who finds a place occupied settles it as
//! [`Outcome::Occupied`] and takes another. A place whose answer was lost stays with its member: whoever finds
//! [`Refused::AlreadyYours`], or [`Refused::OverLimit`] with a place, and no row may write the row for that place.

#[cfg(test)]
mod agree;
mod memory;
mod redis;
#[cfg(test)]
mod rush;
#[cfg(test)]
mod suite;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

pub use self::memory::MemoryGate;
pub use self::redis::RedisGate;
use super::redis::Redis;
use crate::error::Error;
use crate::kit::clock::Time;

/// Lets members in. Every call may fail with `DEPENDENCY_UNAVAILABLE`, and whether it was carried out is then unknown: it may
/// be repeated with the same tokens.
#[async_trait]
pub trait Gate: Debug + Send + Sync + 'static {
    /// Asks for a place for each taker, in this order; the answers are in the same order.
    async fn take(&self, policy: Uuid, takers: &[Taker], now: Time) -> Result<Answers, Error>;

    /// Says what became of places that were taken. What the gate does not know of is passed over.
    async fn settle(&self, policy: Uuid, settlements: &[Settlement]) -> Result<(), Error>;

    /// Puts newer terms into force: once this has returned, nobody is let in under older ones. Terms of an older version change
    /// nothing. Write the row of the terms first: a rebuild reads it.
    async fn change(&self, policy: Uuid, terms: &Terms) -> Result<Changed, Error>;

    /// What is left, unless the gate is closed.
    async fn remaining(&self, policy: Uuid) -> Result<Option<Remaining>, Error>;

    /// Forgets the gates of sales that have been over for a week, for what they remember is in the rows: they are closed then.
    async fn tidy(&self, now: Time) -> Result<(), Error>;

    /// Rebuilds a gate in steps: [`Step::Begin`], then any number of [`Step::Accepted`] and [`Step::TakenBack`], then [`Step::Open`]. From the first to
    /// the last the gate is closed. Read the rows, and the row of the terms, after `Begin` has returned. Each attempt has an
    /// epoch of its own, above all before it; the attempt with the highest prevails, and the others are told so.
    async fn rebuild(&self, policy: Uuid, epoch: i64, step: Step<'_>) -> Result<Progress, Error>;
}

/// What a gate answers to takers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answers {
    /// To each.
    pub each: Vec<Answer>,
    /// Whether it knew of every place that it had given whose it is by a row, and of every request of these takers that a row has.
    /// Where it did not, a row may have a request that it refused: who asks once more for what they have, or had, is then known
    /// to the rows alone.
    pub is_complete: bool,
    /// Whether it knows now, behind these takers, whose every place that it has given is by a row. While it does not, a place may be
    /// given back, and that none is left is not the last word.
    pub is_settled: bool,
}

/// What a gate answers to a taker.
pub type Answer = Result<Place, Refused>;

/// The terms of a sale.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Terms {
    /// Grows with each change.
    pub version: i64,
    /// How many places there are; without, there is no end of them.
    pub total: Option<u64>,
    /// How many a member may have.
    pub per_member: u32,
    /// From when on places are given.
    pub start_time: Option<Time>,
    /// From when on they no longer are.
    pub end_time: Option<Time>,
    /// Whether they are given at all.
    pub sale: Sale,
}

/// Whether places are given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sale {
    /// They are, within the window.
    Open,
    /// Not for now.
    Paused,
    /// Not any more.
    Ended,
}

/// Who asks for a place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Taker {
    /// For whom.
    pub member: Uuid,
    /// By which request: the same token is given the same place.
    pub token: Uuid,
}

/// A place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place {
    /// From 1 to the total.
    pub place: u64,
    /// Which of the member's places it is, from 1.
    pub ordinal: u32,
}

/// Why there was no place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refused {
    /// The sale has not begun.
    NotStarted,
    /// The sale is over.
    Ended,
    /// The sale is interrupted.
    Paused,
    /// There is no place left; one may be given back.
    SoldOut,
    /// The one place that the member may have is already theirs, by another request.
    AlreadyYours(Place),
    /// The member has as many as the terms allow. Tells one of them that no row is known of, if there is any: its answer was
    /// lost, or is on its way.
    OverLimit(Option<Place>),
    /// The gate was never opened, has lost its memory, or is being rebuilt.
    Closed,
}

/// What became of a place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Settlement {
    /// Who took it.
    pub member: Uuid,
    /// By which request.
    pub token: Uuid,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// Its row is written. A gate that does not know the request lacks a row of the member's.
    Kept,
    /// The row of this place of the member's is written by this request, which had found it: it is this request's from now on,
    /// not that one's which took it and never heard of it.
    KeptAs(u64),
    /// It has no row: another may have it.
    Released,
    /// Its row has it no more: another may have it, and the request is known to the rows alone.
    TakenBack,
    /// By the rows it is another member's: this member may take another, and nobody is given this one.
    Occupied,
    /// Nobody knows yet: it stays as it is.
    Unknown,
}

/// What came of a change of the terms.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Changed {
    /// These terms, or newer ones, are in force.
    InForce,
    /// A place above the total was already given; the highest is told. Nothing was changed.
    TotalTooSmall(u64),
    /// The gate is closed; a rebuild reads the terms.
    Closed,
}

/// What is left of a sale.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Remaining {
    /// The epoch of the rebuild that opened the gate.
    pub epoch: i64,
    /// The version of the terms in force.
    pub version: i64,
    /// How many places are left; none when there is no end of them.
    pub left: Option<u64>,
    /// How many are given and were not given back.
    pub taken: u64,
    /// How many of them have a row, as far as the gate was told.
    pub kept: u64,
}

/// A place that a row proves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Accepted {
    /// Whose it is.
    pub member: Uuid,
    /// Which place.
    pub place: Place,
    /// By which request it was taken.
    pub token: Uuid,
}

/// A step of a rebuild.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// Forgets everything and closes the gate.
    Begin,
    /// Some of the accepted places, in ascending order of the place over all of these steps.
    Accepted(&'a [Accepted]),
    /// Some of the members who have rows that lost their places: their requests are known to the rows alone.
    TakenBack(&'a [Uuid]),
    /// Opens the gate under these terms, or newer ones that it was told of meanwhile. Tells how many accepted places there were,
    /// so that a gate that lacks one stays closed.
    Open {
        /// The terms.
        terms: &'a Terms,
        /// How many accepted places there were.
        count: u64,
    },
}

/// How a rebuild goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Progress {
    /// The step is done.
    Done,
    /// The gate was lost again, or a newer attempt is under way: nothing was changed.
    Superseded,
}

/// The gate over Redis, or the one of this process.
pub fn open(redis: Option<&Redis>) -> Arc<dyn Gate> {
    match redis {
        Some(redis) => Arc::new(RedisGate::new(redis.clone())),
        None => Arc::new(MemoryGate::default()),
    }
}
