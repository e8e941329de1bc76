//! The nights of a property of the demo: dearer at weekends and in the peak seasons, now and then restricted or closed.

use std::num::NonZeroU16;

use rand::Rng;
use rand::rngs::StdRng;

use crate::kit::date::{Date, local_date};
use crate::serve::Platform;
use crate::stay::model::{Rate, Restrictions};

/// One night of a property.
#[derive(Clone, Copy, Debug)]
pub(super) struct Night {
    /// The price in hundredths of that of a plain night.
    percent: i64,
    restrictions: Restrictions,
}

/// The nights from today on.
pub(super) fn calendar(platform: &Platform, rng: &mut StdRng, days: u16) -> Vec<Night> {
    let season = platform.stays.season();
    let today = local_date(chrono_tz::Asia::Seoul, platform.kit.clock.now());
    let strict = rng.random_ratio(1, 4);
    let night = |date: Date| {
        let (weekend, peak) = (season.is_weekend(date), season.is_peak(date));
        let percent = match (weekend, peak) {
            (false, false) => 100,
            (true, false) => 130,
            (false, true) => 150,
            (true, true) => 190,
        };
        // Some sellers let nobody take a weekend of the peak season apart.
        let two_nights = (strict && weekend && peak).then_some(2).and_then(NonZeroU16::new);
        Night { percent, restrictions: Restrictions { min_stay_through: two_nights, ..Restrictions::default() } }
    };
    let mut nights: Vec<_> = today.iter_days().take(usize::from(days)).map(night).collect();
    close_some(rng, &mut nights);
    nights
}

/// Two repairs a year, and a few dates on which nobody is there to welcome or to say goodbye.
fn close_some(rng: &mut StdRng, nights: &mut [Night]) {
    let count = nights.len();
    if count < 30 {
        return;
    }
    for _ in 0..count.div_ceil(180) {
        let from = rng.random_range(7..count - 4);
        let length = rng.random_range(2..=4);
        nights[from..(from + length).min(count)].iter_mut().for_each(|night| night.restrictions.closed = true);
    }
    for _ in 0..count.div_ceil(60) {
        nights[rng.random_range(0..count)].restrictions.closed_to_arrival = true;
        nights[rng.random_range(0..count)].restrictions.closed_to_departure = true;
    }
}

/// The price of each night for a room that costs so much on a plain one, in whole thousands.
pub(super) fn prices(calendar: &[Night], base: i64) -> Vec<Option<Rate>> {
    let price = |night: &Night| (base * night.percent / 100_000 * 1_000).max(10_000);
    calendar.iter().map(|night| Rate::new(price(night)).ok()).collect()
}

/// What the calendar allows in each night.
pub(super) fn restrictions(calendar: &[Night]) -> Vec<Restrictions> {
    calendar.iter().map(|night| night.restrictions).collect()
}
