//! Room types: one file for each operation.

mod convert;
mod create;
mod read;
mod rpc;
mod sell;
mod update;
