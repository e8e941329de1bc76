//! Coupons: policies, codes, grants, gifts and what is taken back.

pub(crate) mod code;
pub(crate) mod desk;
mod give;
pub(crate) mod grant;
mod policy;
mod policy_change;
