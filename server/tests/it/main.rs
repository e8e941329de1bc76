//! The platform from outside: through the SDK, behind every layer.

mod cli;
mod harness;
mod member;
mod schema;
