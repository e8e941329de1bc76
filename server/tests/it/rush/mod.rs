//! A rush for coupons: many who ask at once, and whatever may fail meanwhile.

mod crowd;
mod faults;
mod many;
mod processes;
