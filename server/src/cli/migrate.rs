//! `yeyak migrate`.

use std::collections::HashSet;
use std::path::Path;

use clap::Args;
use comfy_table::{Cell, Color};
use serde_json::json;

use super::failure::Failure;
use super::output;
use super::place::{Place, block_on};
use crate::config::{Config, Sources};
use crate::kit::tx::Db;
use crate::serve::{Folder, Schema};

/// Brings the database to the schema of this release; `yeyak serve` does so too.
#[derive(Args, Debug)]
pub(super) struct Migrate {
    /// Only tells what is applied and what is not; may be asked while a server runs.
    #[arg(long)]
    status: bool,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

/// A migration, and what is to be said of it.
struct Line {
    name: String,
    state: &'static str,
}

impl Migrate {
    pub(super) fn run(self, sources: Sources) -> Result<(), Failure> {
        let config = self.place.config(sources)?;
        let lines = match self.status {
            true => block_on(status(&config))?,
            false => block_on(migrate(&config))?,
        };
        if self.json {
            let all: Vec<_> = lines.iter().map(|line| json!({ "migration": line.name, "state": line.state })).collect();
            return output::json(&all);
        }
        if lines.is_empty() {
            return output::say("the database has the schema of this release; nothing was to be applied");
        }
        let rows = lines.iter().map(|line| {
            let colour = if line.state == "pending" { Color::Yellow } else { Color::Green };
            [Cell::new(&line.name), Cell::new(line.state).fg(colour)]
        });
        output::table(&["migration", "state"], rows)
    }
}

async fn status(config: &Config) -> Result<Vec<Line>, Failure> {
    // Looking must not make a database.
    let missing = file_of(&config.database_url()).is_some_and(|file| !Path::new(&file).exists());
    let pending: HashSet<_> = match missing {
        true => Schema::names().into_iter().collect(),
        false => Schema::look(&open(config).await?).await.map_err(unusable)?.into_iter().collect(),
    };
    let state = |name: &String| if pending.contains(name) { "pending" } else { "applied" };
    Ok(Schema::names().into_iter().map(|name| Line { state: state(&name), name }).collect())
}

async fn migrate(config: &Config) -> Result<Vec<Line>, Failure> {
    let _folder = Folder::of(config)?;
    let schema = Schema::lock(&open(config).await?, config).await.map_err(unusable)?;
    let pending = schema.pending().await.map_err(unusable)?;
    let bar = output::bar(pending.len());
    let mut lines = Vec::new();
    for name in pending {
        bar.set_message(name.clone());
        schema.step().await.map_err(unusable)?;
        bar.inc(1);
        lines.push(Line { name, state: "applied now" });
    }
    schema.unlock().await.map_err(unusable)?;
    bar.finish_and_clear();
    Ok(lines)
}

async fn open(config: &Config) -> Result<Db, Failure> {
    Db::open(&config.database_settings()).await.map_err(unusable)
}

fn unusable(error: impl std::fmt::Display) -> Failure {
    Failure::failed(format!("the database can't be used: {error}; `yeyak config` shows which one it is"))
}

/// The file of an embedded database.
fn file_of(url: &str) -> Option<String> {
    let path = url.strip_prefix("sqlite:")?.trim_start_matches("//");
    Some(path.split('?').next().unwrap_or(path).to_owned())
}
