//! First come, first served, at every step where it may go wrong.

mod building;
mod changing;
mod crashing;
mod ending;
mod limits;
mod losing;
mod rows;
mod rush;
mod stage;
mod together;
mod watching;
