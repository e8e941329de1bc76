//! The platform from outside: through the SDK, behind every layer.

mod access;
mod booking;
mod cli;
mod harness;
mod malformed;
mod member;
mod place;
mod python;
mod raw;
mod schema;
mod stay;
mod wire;
