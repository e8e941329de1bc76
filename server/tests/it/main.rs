//! The platform from outside: through the SDK, behind every layer.

mod booking;
mod cli;
mod harness;
mod member;
mod place;
mod schema;
mod stay;
