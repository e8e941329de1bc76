//! `yeyak job`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use comfy_table::Cell;
use serde_json::json;

use super::failure::Failure;
use super::output;
use super::place::{Place, block_on};
use crate::config::Sources;
use crate::kit::clock::words;
use crate::kit::date::{self, Date};
use crate::kit::suggest::did_you_mean;
use crate::point::{Counts, DAILY, Difference, MOST_SESSIONS, Order, Progress, SHARE};
use crate::serve::{Platform, World};

/// How many wallets that differ are listed; all of them are in the table `point_difference`.
const LISTED: i64 = 100;

/// Lists the work that repeats, and runs it by hand.
#[derive(Debug, Subcommand)]
pub(super) enum Job {
    /// Lists the jobs.
    List(List),
    /// Runs a job once, now; its server must not be running on the same data folder.
    Run(Run),
}

#[derive(Args, Debug)]
pub(super) struct List {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Args, Debug)]
pub(super) struct Run {
    /// The name of the job; `yeyak job list` tells them.
    name: String,
    #[command(flatten)]
    daily: Daily,
    /// Prints JSON; of `points-daily`, a line for each day, with up to 100 wallets that differ in `differing`: what they hold by
    /// themselves, by their lots and by their movements, which are without what they owe.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

/// What is told of `points-daily`.
#[derive(Args, Debug)]
pub(super) struct Daily {
    /// Of `points-daily`: the day in UTC, such as 2026-03-01; without it yesterday, and before it what was missed in the last 7
    /// days. A day that was done is not done again; one that is not over is done as of now, and again when it is. The balance that
    /// is kept of a day is that of the moment at which it was kept, which may be hours behind the day.
    #[arg(long, value_parser = day, value_name = "YYYY-MM-DD")]
    date: Option<Date>,
    /// Of `points-daily`: wallets that differ from their lots, their movements and their reservations, which agree, are put right; of
    /// a day that was done too.
    #[arg(long)]
    repair: bool,
    /// Of `points-daily`: balances are not put at hand for those who will read them.
    #[arg(long)]
    no_warm: bool,
    /// Of `points-daily`: how much of the database's time it takes, in hundredths.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=100), default_value_t = SHARE)]
    share: u8,
    /// Of `points-daily`: how many ranges of wallets are worked on at once; each keeps a core of the database busy.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=i64::from(MOST_SESSIONS)), default_value_t = 1)]
    sessions: u8,
}

fn day(text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| "must be a day of the calendar as YYYY-MM-DD, such as 2026-03-01".to_owned())
}

impl Job {
    pub(super) fn run(self, sources: Sources) -> Result<(), Failure> {
        match self {
            Self::List(command) => command.run(sources),
            Self::Run(command) => command.run(sources),
        }
    }
}

impl List {
    fn run(self, sources: Sources) -> Result<(), Failure> {
        let config = self.place.config(sources)?;
        block_on(async {
            let platform = Platform::open_to_look(config, World::default()).await?;
            if self.json {
                let job =
                    |job: &dyn crate::serve::Job| json!({ "job": job.name(), "every_seconds": job.every().as_secs() });
                return output::json(&platform.jobs.iter().map(job).collect::<Vec<_>>());
            }
            let rows = platform.jobs.iter().map(|job| [Cell::new(job.name()), Cell::new(format!("{:?}", job.every()))]);
            output::table(&["job", "every"], rows)
        })
    }
}

impl Run {
    fn run(self, sources: Sources) -> Result<(), Failure> {
        let Self { name, daily, json, place } = self;
        let (config, name) = (place.config(sources)?, &*name);
        block_on(async {
            let platform = Platform::open_to_change(config, World::default()).await?;
            let names: Vec<_> = platform.jobs.iter().map(crate::serve::Job::name).collect();
            if !names.contains(&name) {
                let meant = did_you_mean(name, names.iter().copied());
                return Err(
                    Failure::usage(format!("there is no job `{name}`{meant}")).and("`yeyak job list` tells all")
                );
            }
            if name == DAILY {
                return daily.run(&platform, json).await;
            }
            if daily.date.is_some() || daily.repair || daily.no_warm {
                return Err(Failure::usage(format!("`--date`, `--repair` and `--no-warm` are for `{DAILY}`")));
            }
            let spinner = output::spinner(format!("{name} is running"));
            let outcome = platform.jobs.run(name).await;
            let released = platform.jobs.release().await;
            spinner.finish_and_clear();
            let done = outcome?.ok_or_else(|| led_elsewhere(name))?;
            released?;
            match json {
                true => output::json(&json!({ "job": name, "done": done })),
                false => output::say(format!("{name} did {done}")),
            }
        })
    }
}

impl Daily {
    /// Runs the days that are due, or the one that is asked for.
    async fn run(&self, platform: &Platform, json: bool) -> Result<(), Failure> {
        let today = date::local_date(date::Tz::UTC, platform.kit.clock.now());
        let days = match self.date {
            Some(date) if date > today => return Err(Failure::usage(format!("{date} is still to come"))),
            Some(date) => vec![date],
            None => platform.points.days_due().await?,
        };
        // A wallet that differs does so on each day.
        let (mut differ, mut failed) = (0, None);
        for date in &days {
            match self.run_day(platform, *date, days.last() == Some(date), json).await {
                Ok(found) => differ = differ.max(found),
                // A day that can't be done keeps no other from being done.
                Err(failure) => {
                    output::note(format!("{DAILY} of {date} failed"));
                    failed.get_or_insert(failure);
                }
            }
        }
        match (failed, differ) {
            (Some(failure), _) => Err(failure),
            (None, 0) => Ok(()),
            _ => Err(Failure::differs(format!("{differ} wallets differ: see point_difference"))),
        }
    }

    /// Runs a day, and tells how far it is; how many wallets differ still.
    async fn run_day(&self, platform: &Platform, date: Date, is_last: bool, json: bool) -> Result<i64, Failure> {
        let spinner = output::spinner(format!("{DAILY} of {date} is running"));
        let shown = spinner.clone();
        let progress = move |at: Progress| {
            let left = words(Duration::from_secs(at.left.as_secs()));
            shown.set_message(format!("{} of {} wallets, {:.0} a second, {left} to go", at.done, at.all, at.rate));
        };
        let progress = Arc::new(progress);
        let Self { repair, share, sessions, no_warm, .. } = *self;
        let order = Order { date, repair, share, sessions, warm: is_last && !no_warm, progress };
        let began = Instant::now();
        let outcome = platform.jobs.run_as_leader(&platform.points.daily(order)).await;
        let released = platform.jobs.release().await;
        spinner.finish_and_clear();
        let done = outcome?.ok_or_else(|| led_elsewhere(DAILY))?;
        released?;
        let report = platform.points.daily_report(date).await?;
        let report = report.ok_or_else(|| Failure::failed(format!("{DAILY} of {date} has not begun")))?;
        let Counts { wallets, moved, expired, differences, repaired, .. } = report.counts;
        let differ = differences - repaired;
        let seconds = began.elapsed().as_secs_f64();
        match json {
            true => output::json_line(&json!({
                "job": DAILY, "date": date.to_string(), "done": report.is_done, "seconds": seconds,
                "wallets_now": done, "wallets": wallets, "changed": report.is_kept.then_some(moved),
                "expired_points": report.is_kept.then_some(expired),
                "differences": differences, "repaired": repaired,
                "differing": platform.points.daily_differences(date, LISTED).await?.iter().map(told).collect::<Vec<_>>(),
            }))?,
            false => {
                let changed = match report.is_kept {
                    true => format!("{moved} changed, {expired} points expired"),
                    false => "what time had changed is not kept any more".to_owned(),
                };
                output::say(format!(
                    "{DAILY} of {date}: {wallets} wallets, {done} of them now, {changed}; {differences} differ, \
                     {repaired} put right"
                ))?;
                if differ > 0 {
                    output::note(format!(
                        "which they are: `--json`, or the table point_difference where run_date is {date}"
                    ));
                }
            }
        }
        if !report.is_done {
            output::note(format!("{date} is not over: it is run again when it is"));
        }
        Ok(differ)
    }
}

/// A wallet that differs, with what it holds by each that it is compared with.
fn told(difference: &Difference) -> serde_json::Value {
    let Difference { held, owed, lots_held, moved, reserved, moved_reserved, reservations, .. } = *difference;
    json!({
        "member_id": difference.member().to_string(),
        "wallet": held, "owed": owed, "lots": lots_held, "movements": moved,
        "reserved": { "wallet": reserved, "movements": moved_reserved, "reservations": reservations },
    })
}

fn led_elsewhere(name: &str) -> Failure {
    Failure::failed(format!(
        "another process leads `{name}` now, and runs it; one that died does so for 10 seconds more"
    ))
}
