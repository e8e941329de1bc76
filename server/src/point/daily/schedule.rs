//! Which days are run where none is named.

use chrono::TimeDelta;

use super::checkpoint::{self, Run};
use crate::error::Error;
use crate::kit::date::{Date, days_before, local_date};
use crate::point::Points;

/// How many days back one that was missed is made up.
const BACK: u16 = 7;

impl Points {
    /// The days to run by now, the oldest first: those that were missed in the last seven, since there are runs, up to yesterday in
    /// UTC, which is among them though it is done.
    pub async fn days_due(&self) -> Result<Vec<Date>, Error> {
        self.prepare_runs().await?;
        let yesterday = local_date(chrono_tz::UTC, self.now() - TimeDelta::days(1));
        let latest = checkpoint::latest(self.runs().read(), yesterday, i64::from(BACK)).await?;
        Ok(due(&latest, yesterday))
    }
}

/// Of the latest runs, the latest first. Before the first run there was nothing to miss.
fn due(latest: &[Run], yesterday: Date) -> Vec<Date> {
    let first = latest.last().map_or(yesterday, |run| run.date).clamp(days_before(yesterday, BACK - 1), yesterday);
    let is_done = |date| latest.iter().any(|run| run.date == date && run.is_done());
    let days = first.iter_days().take_while(|date| *date <= yesterday);
    days.filter(|date| *date == yesterday || !is_done(*date)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().expect("a date")
    }

    fn run(day: &str, has_ended: bool) -> Run {
        let over = date("2026-04-01").and_hms_opt(0, 0, 0).expect("a time").and_utc();
        Run { has_ended, ..Run::of(date(day), over) }
    }

    fn told(latest: &[Run]) -> Vec<String> {
        due(latest, date("2026-03-09")).iter().map(Date::to_string).collect()
    }

    /// Guard: a day that was missed, or whose run failed, is made up before yesterday is run.
    #[test]
    fn days_that_were_missed_are_due() {
        assert_eq!(told(&[]), ["2026-03-09"], "nothing was missed before the first run");
        assert_eq!(told(&[run("2026-03-09", true)]), ["2026-03-09"], "which finds nothing left to do");
        assert_eq!(told(&[run("2026-03-06", true)]), ["2026-03-07", "2026-03-08", "2026-03-09"]);
        let failed = [run("2026-03-08", false), run("2026-03-07", true)];
        assert_eq!(told(&failed), ["2026-03-08", "2026-03-09"]);
        assert_eq!(told(&[run("2026-03-08", false)]), ["2026-03-08", "2026-03-09"], "none has ever ended");
        let by_hand = [run("2026-03-08", true), run("2026-03-06", false), run("2026-03-05", true)];
        assert_eq!(told(&by_hand), ["2026-03-06", "2026-03-07", "2026-03-09"], "a later one that is done hides none");
        assert_eq!(told(&[run("2026-01-01", true)]).len(), 7, "no further back");
    }

    /// Guard: a run of a day that was not over does not stand for the day.
    #[test]
    fn a_run_of_a_day_that_was_not_over_is_not_done_and_begins_anew() {
        let (day, noon) = (date("2026-03-09"), date("2026-03-09").and_hms_opt(12, 0, 0).expect("a time").and_utc());
        let early = Run::of(day, noon);
        assert!(!early.is_to_begin_anew(noon), "one that was killed goes on");
        assert!(early.is_to_begin_anew(noon + TimeDelta::hours(12)), "but once its day is over");
        let ended = Run { has_ended: true, ..early };
        assert!(!ended.is_done() && ended.is_to_begin_anew(noon));
    }
}
