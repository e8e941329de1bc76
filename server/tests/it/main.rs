//! The platform from outside: through the SDK, behind every layer.

#[cfg(not(debug_assertions))]
compile_error!("some tests make an operation end half-way, which a release can't: run them without --release");

mod access;
mod booking;
mod cli;
mod coupon;
mod crash;
mod dice;
mod faults;
mod guest;
mod harness;
mod kill;
mod malformed;
mod member;
mod migrate;
mod place;
mod point;
mod process;
mod processes;
mod python;
mod random;
mod raw;
mod redis;
mod rush;
mod schema;
mod stay;
mod tls;
mod wire;
