//! Coupons given to members one at a time: granted, given on, and taken back.

mod convert;
mod gift;
mod grant;
mod revoke;
mod rpc;
mod slot;
#[cfg(test)]
mod tests;

pub(super) use self::grant::Recipient;
pub(super) use self::slot::{day_of, free_on, next_of};
