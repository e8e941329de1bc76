//! The platform from outside: through the SDK, behind every layer.

mod booking;
mod cli;
mod crash;
mod dice;
mod harness;
mod kill;
mod member;
mod place;
mod random;
mod schema;
mod stay;
