//! Ports: what differs between the embedded default and production, each with one behaviour.

pub mod bus;
pub mod provider;
pub mod queue;
