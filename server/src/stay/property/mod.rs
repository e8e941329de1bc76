//! Properties: one file for each operation.

mod close;
mod convert;
mod create;
mod open;
mod read;
mod rpc;
mod update;
