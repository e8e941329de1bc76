//! The platform from outside: through the SDK, behind every layer.

mod access;
mod booking;
mod cli;
mod crash;
mod dice;
mod harness;
mod kill;
mod malformed;
mod member;
mod place;
mod python;
mod random;
mod raw;
mod schema;
mod stay;
mod wire;
