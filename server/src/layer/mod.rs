//! The tower stack.
pub mod auth;
pub mod context;
