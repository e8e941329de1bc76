//! Searching and pricing over the index.

mod convert;
mod offer;
mod read;
mod rpc;
