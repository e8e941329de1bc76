//! Policies, kept by their sellers and by admins.

mod change;
mod convert;
mod create;
mod read;
mod rpc;
mod sell;
mod update;
