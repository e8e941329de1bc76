//! Bookings: held, paid, changed, cancelled, watched, expired.

mod cancel;
mod change;
mod coupon;
mod earned;
mod give_back;
mod hold;
mod life;
mod paid_change;
mod pay;
mod points;
mod points_change;
mod watch;
