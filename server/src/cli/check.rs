//! `yeyak check`.

use clap::Args;
use comfy_table::{Cell, Color};
use serde_json::json;

use super::failure::Failure;
use super::output;
use super::place::{Place, block_on};
use crate::admin::Checks;
use crate::config::Sources;
use crate::serve::{Platform, World};

/// How long one statement may take, in seconds: each sums up a whole table, and nobody waits for it.
const PATIENCE: u64 = 3_600;

/// Compares the tables with the promises of the platform; may be asked while a server runs. Exits with 1 when one is broken.
#[derive(Args, Debug)]
pub(super) struct Check {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

impl Check {
    pub(super) fn run(self, sources: Sources) -> Result<(), Failure> {
        let config = self.place.config(sources.with("database_statement_seconds", PATIENCE))?;
        let found = block_on(async {
            let platform = Platform::open_to_look(config, World::default()).await?;
            platform.checks().run().await.map_err(Failure::failed)
        })?;
        let checked: Vec<_> = Checks::invariants().collect();
        if self.json {
            let violations: Vec<_> = found
                .iter()
                .map(
                    |broken| json!({ "invariant": broken.invariant, "subject": broken.subject, "found": broken.found }),
                )
                .collect();
            output::json(&json!({ "checked": checked, "violations": violations }))?;
        } else {
            let rows = checked.iter().map(|invariant| {
                let broken = found.iter().filter(|violation| violation.invariant == *invariant).count();
                let colour = if broken == 0 { Color::Green } else { Color::Red };
                [Cell::new(broken).fg(colour), Cell::new(invariant)]
            });
            output::table(&["violations", "promise"], rows)?;
            for violation in &found {
                output::say(format!("{}: {} ({})", violation.subject, violation.found, violation.invariant))?;
            }
        }
        match found.len() {
            0 => Ok(()),
            count => Err(Failure::failed(format!("{count} violations of what must always be true"))),
        }
    }
}
