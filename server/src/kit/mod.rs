//! What every domain is built from.

pub mod clock;
pub mod date;
pub mod id;
pub mod money;
