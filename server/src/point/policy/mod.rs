//! The policy, kept by admins.

mod convert;
mod rpc;
mod update;
