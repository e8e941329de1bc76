//! `yeyak demo`: a catalogue to look at.

use clap::Args;

use super::failure::Failure;
use super::output;
use super::place::{Place, block_on};
use crate::config::Sources;
use crate::demo::{self, DemoSize, Loaded, SELLER};
use crate::serve::{Platform, World};

/// Loads a demonstration catalogue, the same for the same seed; its server must not be running.
///
/// Properties all over Korea with a year of nights, which one seller owns. Loading again loads what is missing.
#[derive(Args, Debug)]
pub(super) struct Demo {
    /// How many properties.
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u16).range(1..=1000))]
    properties: u16,
    /// How many nights from today on.
    #[arg(long, value_name = "D", default_value_t = 365, value_parser = clap::value_parser!(u16).range(1..=730))]
    days: u16,
    /// What the catalogue comes from.
    #[arg(long, value_name = "S", default_value_t = DemoSize::default().seed)]
    seed: u64,
    #[command(flatten)]
    place: Place,
}

impl Demo {
    pub(super) fn run(self, sources: Sources) -> Result<(), Failure> {
        // Nobody calls while it loads: any port will do.
        let config = self.place.config(sources.with("http", "127.0.0.1:0"))?;
        let size = DemoSize { properties: usize::from(self.properties), days: self.days, seed: self.seed };
        block_on(async {
            let platform = Platform::open_to_change(config, World::default()).await?;
            load(&platform, size).await
        })
    }
}

/// Loads what is missing of the catalogue, with a bar while it does, and tells what came of it.
pub(super) async fn load(platform: &Platform, size: DemoSize) -> Result<(), Failure> {
    let bar = output::bar(size.properties).with_message("properties");
    let loaded = demo::load(platform, size, |more| bar.inc(u64::try_from(more).unwrap_or(0))).await;
    bar.finish_and_clear();
    tell(&loaded?)
}

fn tell(loaded: &Loaded) -> Result<(), Failure> {
    let Loaded { added, known, room_types, password } = loaded;
    match (added, known) {
        (0, known) => output::say(format!("the demo is there: {known} properties of {SELLER}"))?,
        (added, 0) => output::say(format!("loaded {added} properties with {room_types} room types"))?,
        (added, known) => output::say(format!("loaded {added} properties beside the {known} that were there"))?,
    }
    if let Some(password) = password {
        output::say(format!("they belong to {SELLER}, who logs in with {password} (shown this once)"))?;
    }
    Ok(())
}
