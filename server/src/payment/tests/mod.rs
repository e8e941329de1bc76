//! Payments over the simulator on a loopback port, for bookings that are none.

mod confirming;
mod crashing;
mod depositing;
mod giving_back;
mod late;
mod on_pages;
mod preparing;
mod stage;
mod webhooks;
