//! Tests of the best coupons.

mod exact;
mod rules;
mod sample;

// What the sample is made with; the bench, which includes it, has these from the library.
use crate::{coupon, kit};
