//! The platform from outside: through the SDK, behind every layer.

mod harness;
mod member;
mod schema;
mod stay;
