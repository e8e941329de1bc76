//! What a cancellation refunds: a policy is resolved into plain tiers when the stay is booked, and the booking keeps those.

use std::collections::BTreeSet;

use chrono::{Datelike, Days, NaiveTime, Weekday};

use crate::kit::clock::Time;
use crate::kit::date::{Date, Tz, days_before, instant, local_date};

/// What a rate plan refunds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CancellationPolicy {
    /// All until the day before.
    Flexible,
    /// All until 5 days before, half until the day before.
    Moderate,
    /// All until 14 days before, half until 7 days before.
    Strict,
    /// The table for lodging of the Korean Consumer Dispute Resolution Standards.
    KrLodging,
    /// Nothing.
    NonRefundable,
    /// The seller's own tiers.
    Custom(RefundTiers),
}

/// What is refunded up to a day.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RefundTier {
    /// At least so many days before the check-in date; 0 is that date.
    pub days_before: u16,
    /// Of the price of the stay.
    pub percent: u8,
}

/// Tiers from the most days to the fewest, refunding less and less. Behind the last one nothing is refunded.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RefundTiers(Vec<RefundTier>);

/// Tiers that make no sense together.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotTiers {
    /// There are too many.
    #[error("must be at most {} tiers", RefundTiers::LIMIT)]
    TooMany,
    /// A tier is further away than a stay can be booked for.
    #[error("must be at most {} days before check-in", RefundTiers::DAYS)]
    Days,
    /// A tier refunds nothing, or more than was paid.
    #[error("must be 1 to 100 percent")]
    Percent,
    /// Who cancels later would be refunded as much, or more.
    #[error("must refund less the fewer days are left, and each number of days must stand once")]
    NotFalling,
}

impl RefundTiers {
    /// The most tiers.
    pub const LIMIT: usize = 10;

    /// The most days before check-in.
    pub const DAYS: u16 = 365;

    /// Tiers in any order; none refund nothing.
    pub fn new(mut tiers: Vec<RefundTier>) -> Result<Self, NotTiers> {
        if tiers.len() > Self::LIMIT {
            return Err(NotTiers::TooMany);
        }
        if tiers.iter().any(|tier| tier.days_before > Self::DAYS) {
            return Err(NotTiers::Days);
        }
        if tiers.iter().any(|tier| !(1..=100).contains(&tier.percent)) {
            return Err(NotTiers::Percent);
        }
        tiers.sort_by_key(|tier| std::cmp::Reverse(tier.days_before));
        let falling =
            |pair: &[RefundTier]| pair[0].days_before > pair[1].days_before && pair[0].percent > pair[1].percent;
        if tiers.windows(2).all(falling) { Ok(Self(tiers)) } else { Err(NotTiers::NotFalling) }
    }

    /// From the most days to the fewest.
    pub fn as_slice(&self) -> &[RefundTier] {
        &self.0
    }

    /// The instant at which each tier ends, which is midnight behind its last day at the property, and what it refunds.
    pub fn deadlines(&self, zone: Tz, check_in: Date) -> Vec<(Time, u8)> {
        let end = |tier: &RefundTier| start_of_day(zone, days_before(check_in, tier.days_before) + Days::new(1));
        self.0.iter().map(|tier| (end(tier), tier.percent)).collect()
    }
}

/// The percentage that the tiers refund on a day at the property; nothing after the check-in date.
pub fn refund_percent(tiers: &RefundTiers, check_in: Date, local_today: Date) -> u8 {
    let days = (check_in - local_today).num_days();
    tiers.0.iter().find(|tier| days >= i64::from(tier.days_before)).map_or(0, |tier| tier.percent)
}

/// What a booking keeps of the policy that it was made under.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RefundTerms {
    /// What is refunded on which day.
    pub tiers: RefundTiers,
    /// Before this instant everything is refunded, whatever the tiers say: the guest may think again.
    pub full_until: Option<Time>,
}

impl RefundTerms {
    /// The same terms for who books at another moment: the day to think again is that of the booking, not of its quote.
    #[must_use]
    pub fn booked_at(self, zone: Tz, now: Time) -> Self {
        Self { full_until: self.full_until.map(|_| end_of_day(zone, now)), ..self }
    }

    /// The percentage that a cancellation refunds now.
    pub fn refund_percent(&self, zone: Tz, check_in: Date, now: Time) -> u8 {
        if self.full_until.is_some_and(|until| now < until) {
            return 100;
        }
        refund_percent(&self.tiers, check_in, local_date(zone, now))
    }
}

/// A part of each year, from one day to another, both included; it may pass the new year.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Peak {
    /// Its first month and day.
    pub first: (u32, u32),
    /// Its last month and day.
    pub last: (u32, u32),
}

impl Peak {
    /// Whether a date is in it.
    pub fn contains(&self, date: Date) -> bool {
        let day = (date.month(), date.day());
        match self.first <= self.last {
            true => self.first <= day && day <= self.last,
            false => self.first <= day || day <= self.last,
        }
    }
}

/// When stays are in demand: the peak seasons, and the public holidays, on whose eves it is weekend.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Season {
    /// The peak seasons.
    pub peaks: Vec<Peak>,
    /// Public holidays.
    pub holidays: BTreeSet<Date>,
}

impl Season {
    /// The peaks that the standards name for a seller who names none: 15 July to 24 August, 20 December to 20 February.
    pub fn korean(holidays: impl IntoIterator<Item = Date>) -> Self {
        let summer = Peak { first: (7, 15), last: (8, 24) };
        let winter = Peak { first: (12, 20), last: (2, 20) };
        Self { peaks: vec![summer, winter], holidays: holidays.into_iter().collect() }
    }

    /// Whether a date is in a peak season.
    pub fn is_peak(&self, date: Date) -> bool {
        self.peaks.iter().any(|peak| peak.contains(date))
    }

    /// Whether the night of a date is one of a weekend: of a Friday, a Saturday, or the eve of a holiday.
    pub fn is_weekend(&self, date: Date) -> bool {
        let eve = date.succ_opt().is_some_and(|next| self.holidays.contains(&next));
        matches!(date.weekday(), Weekday::Fri | Weekday::Sat) || eve
    }
}

/// Days before check-in, and the percentage that is refunded.
type Table = &'static [(u16, u8)];

const FLEXIBLE: Table = &[(1, 100)];
const MODERATE: Table = &[(5, 100), (1, 50)];
const STRICT: Table = &[(14, 100), (7, 50)];
const KR_OFF_PEAK: Table = &[(2, 100), (1, 90), (0, 80)];
const KR_OFF_PEAK_WEEKEND: Table = &[(2, 100), (1, 80), (0, 70)];
const KR_PEAK: Table = &[(10, 100), (7, 90), (5, 70), (3, 50), (0, 20)];
const KR_PEAK_WEEKEND: Table = &[(10, 100), (7, 80), (5, 60), (3, 40), (0, 10)];

impl CancellationPolicy {
    /// The terms of a stay that is booked now. The check-in date decides on season and weekend, however long the stay.
    pub fn resolve(&self, season: &Season, zone: Tz, check_in: Date, now: Time) -> RefundTerms {
        let (table, full_until) = match self {
            Self::Flexible => (FLEXIBLE, None),
            Self::Moderate => (MODERATE, None),
            Self::Strict => (STRICT, None),
            Self::NonRefundable => (&[] as Table, None),
            Self::Custom(tiers) => return RefundTerms { tiers: tiers.clone(), full_until: None },
            Self::KrLodging => kr_lodging(season, zone, check_in, now),
        };
        let tiers =
            table.iter().map(|(days_before, percent)| RefundTier { days_before: *days_before, percent: *percent });
        RefundTerms { tiers: RefundTiers(tiers.collect()), full_until }
    }
}

/// In peak season the whole day of the booking is free to think again.
fn kr_lodging(season: &Season, zone: Tz, check_in: Date, now: Time) -> (Table, Option<Time>) {
    match (season.is_peak(check_in), season.is_weekend(check_in)) {
        (false, false) => (KR_OFF_PEAK, None),
        (false, true) => (KR_OFF_PEAK_WEEKEND, None),
        (true, false) => (KR_PEAK, Some(end_of_day(zone, now))),
        (true, true) => (KR_PEAK_WEEKEND, Some(end_of_day(zone, now))),
    }
}

/// The midnight that ends the day of a moment.
fn end_of_day(zone: Tz, now: Time) -> Time {
    start_of_day(zone, local_date(zone, now) + Days::new(1))
}

fn start_of_day(zone: Tz, date: Date) -> Time {
    instant(zone, date, NaiveTime::MIN)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use chrono_tz::{America, Asia, Australia, Europe};
    use proptest::prelude::*;

    use super::*;

    fn date(text: &str) -> Date {
        text.parse().expect("a date")
    }

    fn time(text: &str) -> Time {
        text.parse().expect("an instant")
    }

    fn tiers(table: &[(u16, u8)]) -> Result<RefundTiers, NotTiers> {
        RefundTiers::new(
            table
                .iter()
                .map(|(days_before, percent)| RefundTier { days_before: *days_before, percent: *percent })
                .collect(),
        )
    }

    /// What is refunded on each of the last days, 11 days before check-in first.
    fn countdown(policy: &CancellationPolicy, season: &Season, check_in: &str) -> Vec<u8> {
        let check_in = date(check_in);
        let terms = policy.resolve(season, Asia::Seoul, check_in, time("2026-01-01T00:00:00Z"));
        (0..=11).rev().map(|days| refund_percent(&terms.tiers, check_in, days_before(check_in, days))).collect()
    }

    #[test]
    fn the_korean_table_holds_on_every_day() {
        let season = Season::korean([date("2026-05-05"), date("2026-08-15")]);
        let kr = |check_in| countdown(&CancellationPolicy::KrLodging, &season, check_in);

        // Days before check-in:             11   10    9    8    7    6   5   4   3   2   1   0
        let off_peak = [100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 90, 80];
        let off_peak_weekend = [100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 80, 70];
        let peak = [100, 100, 90, 90, 90, 70, 70, 50, 50, 20, 20, 20];
        let peak_weekend = [100, 100, 80, 80, 80, 60, 60, 40, 40, 10, 10, 10];
        assert_eq!(kr("2026-05-06"), off_peak, "a Wednesday in May");
        assert_eq!(kr("2026-05-08"), off_peak_weekend, "a Friday");
        assert_eq!(kr("2026-05-09"), off_peak_weekend, "a Saturday");
        assert_eq!(kr("2026-05-10"), off_peak, "a Sunday");
        assert_eq!(kr("2026-05-04"), off_peak_weekend, "the eve of Children's Day");
        assert_eq!(kr("2026-07-14"), off_peak, "the day before the summer peak");
        assert_eq!(kr("2026-07-15"), peak, "its first day");
        assert_eq!(kr("2026-08-24"), peak, "its last day");
        assert_eq!(kr("2026-08-25"), off_peak, "the day behind");
        assert_eq!(kr("2026-08-14"), peak_weekend, "a Friday, and the eve of a holiday");
        assert_eq!(kr("2026-12-20"), peak, "the winter peak passes the new year");
        assert_eq!(kr("2027-01-01"), peak_weekend);
        assert_eq!(kr("2027-02-18"), peak);
        assert_eq!(kr("2027-02-22"), off_peak);
    }

    #[test]
    fn presets_refund_what_the_proto_says() {
        let season = Season::korean([]);
        let of = |policy| countdown(&policy, &season, "2026-05-06");

        assert_eq!(of(CancellationPolicy::Flexible), [100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 0]);
        assert_eq!(of(CancellationPolicy::Moderate), [100, 100, 100, 100, 100, 100, 100, 50, 50, 50, 50, 0]);
        assert_eq!(of(CancellationPolicy::Strict), [50, 50, 50, 50, 50, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(of(CancellationPolicy::NonRefundable), [0; 12]);
        let custom = CancellationPolicy::Custom(tiers(&[(0, 10), (10, 80)]).expect("tiers"));
        assert_eq!(of(custom), [80, 80, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10]);
    }

    #[test]
    fn preset_tables_keep_the_rules_of_tiers() {
        for table in [FLEXIBLE, MODERATE, STRICT, KR_OFF_PEAK, KR_OFF_PEAK_WEEKEND, KR_PEAK, KR_PEAK_WEEKEND] {
            let checked = tiers(table).expect("a valid table");
            assert_eq!(
                checked.0.iter().map(|tier| (tier.days_before, tier.percent)).collect::<Vec<_>>(),
                table,
                "and in order"
            );
        }
    }

    #[test]
    fn the_day_of_a_booking_for_the_peak_is_free_to_think_again() {
        let season = Season::korean([]);
        let check_in = date("2026-07-20");
        // 23:30 on the 18th in Seoul, two days before check-in.
        let booked = time("2026-07-18T14:30:00Z");
        let terms = CancellationPolicy::KrLodging.resolve(&season, Asia::Seoul, check_in, booked);

        assert_eq!(terms.refund_percent(Asia::Seoul, check_in, booked), 100);
        assert_eq!(terms.refund_percent(Asia::Seoul, check_in, time("2026-07-18T14:59:59Z")), 100);
        assert_eq!(terms.refund_percent(Asia::Seoul, check_in, time("2026-07-18T15:00:00Z")), 20, "midnight in Seoul");

        let after_midnight = terms.booked_at(Asia::Seoul, time("2026-07-18T15:00:00Z"));
        assert_eq!(after_midnight.full_until, Some(time("2026-07-19T15:00:00Z")), "quoted on the day before");

        let off_peak = CancellationPolicy::KrLodging.resolve(&season, Asia::Seoul, date("2026-06-10"), booked);
        assert_eq!(off_peak.full_until, None, "the off season has no such rule");
        assert_eq!(off_peak.booked_at(Asia::Seoul, booked).full_until, None);
    }

    #[test]
    fn tiers_that_make_no_sense_are_refused() {
        assert_eq!(tiers(&[(1, 50), (3, 50)]), Err(NotTiers::NotFalling));
        assert_eq!(tiers(&[(3, 50), (1, 80)]), Err(NotTiers::NotFalling), "later must not refund more");
        assert_eq!(tiers(&[(3, 50), (3, 40)]), Err(NotTiers::NotFalling));
        assert_eq!(tiers(&[(3, 0)]), Err(NotTiers::Percent));
        assert_eq!(tiers(&[(3, 101)]), Err(NotTiers::Percent));
        assert_eq!(tiers(&[(366, 10)]), Err(NotTiers::Days));
        assert_eq!(tiers(&(0..11).map(|day| (day, 10 + 2 * day as u8)).collect::<Vec<_>>()), Err(NotTiers::TooMany));
    }

    #[test]
    fn deadlines_are_midnights_at_the_property_when_clocks_change() {
        let flexible = tiers(FLEXIBLE).expect("tiers");
        let end = |zone, check_in: &str| flexible.deadlines(zone, date(check_in))[0].0.to_rfc3339();

        assert_eq!(end(Asia::Seoul, "2026-05-06"), "2026-05-05T15:00:00+00:00");
        // The day before check-in has 23 hours, or 25.
        assert_eq!(end(America::New_York, "2026-03-09"), "2026-03-09T04:00:00+00:00");
        assert_eq!(end(America::New_York, "2026-11-02"), "2026-11-02T05:00:00+00:00");
        assert_eq!(end(Europe::London, "2026-03-30"), "2026-03-29T23:00:00+00:00");
        // Half an hour at Lord Howe; in Santiago and Havana the clock jumps at midnight itself.
        assert_eq!(end(Australia::Lord_Howe, "2026-10-05"), "2026-10-04T13:00:00+00:00");
        assert_eq!(end(America::Santiago, "2026-09-06"), "2026-09-06T04:00:00+00:00");
    }

    const ZONES: [Tz; 7] = [
        Asia::Seoul,
        America::New_York,
        Europe::London,
        Australia::Lord_Howe,
        America::Santiago,
        America::Havana,
        Asia::Beirut,
    ];

    proptest! {
        #[test]
        fn a_refund_never_rises_and_changes_at_its_deadline_alone(
            zone in prop::sample::select(ZONES.as_slice()), day in 0..365_u64, minutes in 0..60 * 24 * 30_i64,
            days in prop::collection::btree_set(0..20_u16, 0..6), percents in prop::collection::btree_set(1..=100_u8, 6)
        ) {
            let table: Vec<_> = days.into_iter().zip(percents).collect();
            let tiers = tiers(&table).expect("rising together");
            let check_in = date("2026-02-01") + Days::new(day);
            let now = start_of_day(zone, check_in) + TimeDelta::days(2) - TimeDelta::minutes(minutes);
            let terms = RefundTerms { tiers, full_until: None };

            let percent = terms.refund_percent(zone, check_in, now);

            let by_deadline = terms.tiers.deadlines(zone, check_in).into_iter().find(|(end, _)| now < *end);
            prop_assert_eq!(percent, by_deadline.map_or(0, |(_, percent)| percent));
            prop_assert!(terms.refund_percent(zone, check_in, now + TimeDelta::minutes(1)) <= percent);
        }
    }
}
