//! `yeyak demo`: a catalogue to look at, and wallets.

use clap::{Args, Subcommand};

use super::failure::Failure;
use super::output;
use super::place::{Place, block_on};
use crate::config::Sources;
use crate::demo::{self, DemoSize, Loaded, SELLER};
use crate::point::demo::Size;
use crate::serve::{Platform, World};

/// Loads a demonstration catalogue, the same for the same seed; its server must not be running.
///
/// Properties all over Korea with a year of nights, which one seller owns. Loading again loads what is missing.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Demo {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    catalogue: Catalogue,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Loads wallets of points whose members earned, spent and let expire, the same for the same seed and day.
    ///
    /// To see how the daily run and balances do with many of them: `yeyak job run points-daily`. Loading again loads what is missing.
    Points(Wallets),
}

#[derive(Args, Debug)]
struct Catalogue {
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

#[derive(Args, Debug)]
struct Wallets {
    /// How many wallets.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    wallets: u64,
    /// About how many movements of them all; six a wallet without it.
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    movements: Option<u64>,
    /// What the wallets come from.
    #[arg(long, value_name = "S", default_value_t = DemoSize::default().seed)]
    seed: u64,
    #[command(flatten)]
    place: Place,
}

impl Demo {
    pub(super) fn run(self, sources: Sources) -> Result<(), Failure> {
        match self.what {
            Some(What::Points(wallets)) => wallets.run(sources),
            None => self.catalogue.run(sources),
        }
    }
}

impl Wallets {
    fn run(self, sources: Sources) -> Result<(), Failure> {
        // Nobody calls while it loads: any port will do.
        let config = self.place.config(sources.with("http", "127.0.0.1:0"))?;
        let Self { wallets, movements, seed, .. } = self;
        let size = Size { wallets, movements: movements.unwrap_or(wallets * 6), seed };
        let bar = output::bar(usize::try_from(wallets).unwrap_or(usize::MAX)).with_message("wallets");
        let loaded = block_on(async {
            let platform = Platform::open_to_change(config, World::default()).await?;
            Ok::<_, Failure>(platform.points.load_demo(size, |more| bar.inc(more)).await?)
        });
        bar.finish_and_clear();
        let loaded = loaded?;
        output::say(match (loaded.wallets, loaded.known) {
            (0, known) => format!("the wallets are there: {known}"),
            (new, 0) => format!("loaded {new} wallets with {} movements", loaded.movements),
            (new, known) => format!("loaded {new} wallets beside the {known} that were there"),
        })
    }
}

impl Catalogue {
    fn run(self, sources: Sources) -> Result<(), Failure> {
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
