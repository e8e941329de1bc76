//! `yeyak job`.

use clap::{Args, Subcommand};
use comfy_table::Cell;
use serde_json::json;

use super::failure::Failure;
use super::output;
use super::place::{Place, block_on};
use super::suggest::did_you_mean;
use crate::config::Sources;
use crate::serve::{Platform, World};

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
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
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
        let config = self.place.config(sources)?;
        let name = &*self.name;
        block_on(async {
            let platform = Platform::open(config, World::default()).await?;
            let names: Vec<_> = platform.jobs.iter().map(crate::serve::Job::name).collect();
            if !names.contains(&name) {
                let meant = did_you_mean(name, names.iter().copied());
                return Err(
                    Failure::usage(format!("there is no job `{name}`{meant}")).and("`yeyak job list` tells all")
                );
            }
            let spinner = output::spinner(format!("{name} is running"));
            let outcome = platform.jobs.run(name).await;
            let released = platform.jobs.release().await;
            spinner.finish_and_clear();
            let Some(done) = outcome? else {
                return Err(Failure::failed(format!(
                    "another process leads `{name}` now, and runs it; one that died does so for 10 seconds more"
                )));
            };
            released?;
            match self.json {
                true => output::json(&json!({ "job": name, "done": done })),
                false => output::say(format!("{name} did {done}")),
            }
        })
    }
}
