//! Bookings: held, paid, changed, cancelled, watched, expired.

mod cancel;
mod change;
mod hold;
mod life;
mod pay;
mod watch;
