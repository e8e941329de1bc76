//! Codes that are redeemed for coupons.
//!
//! A code is kept nowhere: it says itself which one of which batch it is, under a MAC. So a batch of 100,000 is one row, the
//! database holds nothing that could be redeemed, and most of what is guessed or mistyped is refused without asking it.

mod batch;
mod cancel;
mod convert;
mod create;
mod guess;
mod read;
mod redeem;
mod rpc;
#[cfg(test)]
mod tests;
mod text;

pub(super) use self::batch::{Batch, BatchState, CodeBatchId};
