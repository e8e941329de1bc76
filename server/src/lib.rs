//! The server of Yeyak: every domain of a booking platform behind one gRPC port.

pub mod admin;
pub mod backend;
pub mod booking;
pub mod cli;
pub mod config;
pub mod coupon;
pub mod demo;
pub mod embedded;
pub mod error;
#[cfg(test)]
mod harness;
pub mod inventory;
pub mod kit;
pub mod layer;
pub mod ledger;
pub mod member;
pub mod payment;
pub mod point;
pub mod serve;
pub mod stay;
