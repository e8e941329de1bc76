//! `yeyak queue`.

use std::io::{IsTerminal, Write};

use clap::{Args, Subcommand};
use comfy_table::{Cell, Color};
use serde_json::json;

use super::failure::Failure;
use super::output;
use super::place::{Place, block_on};
use crate::backend::queue::{Aside, Depth, Listing};
use crate::config::Sources;
use crate::kit::clock::Time;
use crate::kit::suggest::did_you_mean;
use crate::serve::{Platform, World};

/// Shows the queues, and what was put aside because its consumer failed on it again and again.
#[derive(Debug, Subcommand)]
pub(super) enum Queue {
    /// Lists the queue of each consumer; may be asked while a server runs.
    List(List),
    /// Shows what was put aside for a consumer, and why; may be asked while a server runs.
    Show(Show),
    /// Gives what was put aside to its consumer again; with the queue in SQLite, its server must not be running.
    Replay(Replay),
    /// Deletes what was put aside for a consumer; with the queue in SQLite, its server must not be running.
    Purge(Purge),
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
pub(super) struct Show {
    /// The consumer; `yeyak queue list` tells them.
    consumer: String,
    /// How many messages to show at most, the oldest first.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Args, Debug)]
pub(super) struct Replay {
    /// The consumer; `yeyak queue list` tells them.
    consumer: String,
    /// One message, by the id that `yeyak queue show` tells [default: all].
    #[arg(long)]
    id: Option<String>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Args, Debug)]
pub(super) struct Purge {
    /// The consumer; `yeyak queue list` tells them.
    consumer: String,
    /// Deletes without asking.
    #[arg(long)]
    yes: bool,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

impl Queue {
    pub(super) fn run(self, sources: Sources) -> Result<(), Failure> {
        match self {
            Self::List(command) => command.run(sources),
            Self::Show(command) => command.run(sources),
            Self::Replay(command) => command.run(sources),
            Self::Purge(command) => command.run(sources),
        }
    }
}

impl List {
    fn run(self, sources: Sources) -> Result<(), Failure> {
        let Listing { queues, delayed_count } = block_on(async {
            let platform = to_look(self.place, sources).await?;
            Ok(platform.queue.list().await?)
        })?;
        if self.json {
            let queue = |depth: &Depth| json!({ "consumer": depth.consumer, "waiting": depth.waiting_count, "aside": depth.aside_count });
            let queues: Vec<_> = queues.iter().map(queue).collect();
            return output::json(&json!({ "queues": queues, "delayed": delayed_count }));
        }
        let rows = queues.iter().map(|depth| {
            let colour = if depth.aside_count == 0 { Color::Green } else { Color::Red };
            [Cell::new(&depth.consumer), Cell::new(depth.waiting_count), Cell::new(depth.aside_count).fg(colour)]
        });
        output::table(&["consumer", "waiting", "aside"], rows)?;
        match delayed_count {
            0 => Ok(()),
            count => output::say(format!("{count} that failed come again by themselves")),
        }
    }
}

impl Show {
    fn run(self, sources: Sources) -> Result<(), Failure> {
        let found = block_on(async {
            let platform = to_look(self.place, sources).await?;
            known(&platform, &self.consumer).await?;
            Ok(platform.queue.show(&self.consumer, usize::from(self.limit)).await?)
        })?;
        if self.json {
            return output::json(&found.iter().map(as_json).collect::<Vec<_>>());
        }
        if found.is_empty() {
            return output::say(format!("nothing was put aside for {}", self.consumer));
        }
        let rows = found.iter().map(|aside| {
            let since = aside.aside_time.map(shown).unwrap_or_default();
            let failures = Cell::new(aside.failure_count);
            [Cell::new(&aside.id), Cell::new(&aside.kind), failures, Cell::new(since), Cell::new(&aside.error)]
        });
        output::table(&["id", "event", "failures", "put aside", "error"], rows)
    }
}

impl Replay {
    fn run(self, sources: Sources) -> Result<(), Failure> {
        let Self { consumer, id, json, place } = self;
        let replayed = block_on(async {
            let platform = to_change(place, sources).await?;
            known(&platform, &consumer).await?;
            Ok(platform.queue.replay(&consumer, id.as_deref()).await?)
        })?;
        if let (0, Some(id)) = (replayed, &id) {
            let missing = format!("no message {id} was put aside for {consumer}");
            return Err(Failure::failed(missing).and(format!("`yeyak queue show {consumer}` tells all")));
        }
        match json {
            true => output::json(&json!({ "consumer": consumer, "replayed": replayed })),
            false => output::say(format!("{consumer} is given {replayed} again")),
        }
    }
}

impl Purge {
    fn run(self, sources: Sources) -> Result<(), Failure> {
        let Self { consumer, yes, json, place } = self;
        let purged = block_on(async {
            let platform = to_change(place, sources).await?;
            known(&platform, &consumer).await?;
            if !yes {
                agreed(&consumer)?;
            }
            Ok(platform.queue.purge(&consumer).await?)
        })?;
        match json {
            true => output::json(&json!({ "consumer": consumer, "purged": purged })),
            false => output::say(format!("{purged} that were put aside for {consumer} are deleted")),
        }
    }
}

async fn to_look(place: Place, sources: Sources) -> Result<Platform, Failure> {
    Ok(Platform::open_to_look(place.config(sources)?, World::default()).await?)
}

/// Opens for a change: RabbitMQ takes it from anyone, an embedded table from its only process.
async fn to_change(place: Place, sources: Sources) -> Result<Platform, Failure> {
    let config = place.config(sources)?;
    let alone = config.queue_url().is_none() && config.is_embedded();
    match alone {
        true => Ok(Platform::open_to_change(config, World::default()).await?),
        false => Ok(Platform::open_to_look(config, World::default()).await?),
    }
}

async fn known(platform: &Platform, consumer: &str) -> Result<(), Failure> {
    let Listing { queues, .. } = platform.queue.list().await?;
    let names: Vec<_> = queues.iter().map(|depth| depth.consumer.as_str()).collect();
    if names.contains(&consumer) {
        return Ok(());
    }
    let meant = did_you_mean(consumer, names);
    Err(Failure::usage(format!("there is no consumer `{consumer}`{meant}")).and("`yeyak queue list` tells all"))
}

fn agreed(consumer: &str) -> Result<(), Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage("there is no terminal to ask whether this is meant; use --yes"));
    }
    // Asked beside the output, which may be read by a program.
    let asked = write!(anstream::stderr(), "Delete all that was put aside for {consumer}? It can't be undone. [y/N] ");
    let mut answer = String::new();
    let answered = asked.and_then(|()| std::io::stdin().read_line(&mut answer));
    match answered {
        Ok(_) if ["y", "yes"].contains(&&*answer.trim().to_lowercase()) => Ok(()),
        _ => Err(Failure::failed("nothing was deleted")),
    }
}

fn as_json(aside: &Aside) -> serde_json::Value {
    json!({
        "id": aside.id,
        "event": aside.kind,
        "aggregate": aside.aggregate,
        "failures": aside.failure_count,
        "error": aside.error,
        "create_time": aside.create_time.map(shown),
        "aside_time": aside.aside_time.map(shown),
    })
}

fn shown(time: Time) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
