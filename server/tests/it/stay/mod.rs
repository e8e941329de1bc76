//! Stays: the catalogue of sellers, the calendar, search and price.

mod calendar;
mod catalogue;
mod demo;
mod inn;
mod search;
