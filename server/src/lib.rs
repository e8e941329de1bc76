//! The server of Yeyak: every domain of a booking platform behind one gRPC port.

pub mod error;
pub mod kit;
pub mod stay;
