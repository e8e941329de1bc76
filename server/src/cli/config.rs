//! `yeyak config`.

use clap::Args;
use comfy_table::{Cell, Color};
use serde_json::{Value, json};

use super::failure::Failure;
use super::output;
use super::place::Place;
use crate::config::{OptionLine, Sources};

/// Shows every option, its value and where it comes from; secrets are hidden.
#[derive(Args, Debug)]
pub(super) struct Config {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

impl Config {
    pub(super) fn run(self, sources: Sources) -> Result<(), Failure> {
        let sources = self.place.overrule(sources);
        let lines = sources.lines()?;
        if self.json {
            output::json(&lines.iter().map(as_json).collect::<Vec<_>>())?;
        } else {
            output::table(&["option", "value", "from"], lines.iter().map(as_row))?;
        }
        // Shown all the same, since this is where one looks for what is wrong.
        sources.config().map(drop).map_err(Failure::failed)
    }
}

fn as_json(line: &OptionLine) -> Value {
    let value = serde_json::from_str(&line.value).unwrap_or_else(|_| json!(line.value));
    json!({ "option": line.name, "value": value, "from": line.source })
}

fn as_row(line: &OptionLine) -> [Cell; 3] {
    let value = Cell::new(&line.value);
    let value = if line.source == "default" { value } else { value.fg(Color::Green) };
    [Cell::new(&line.name), value, Cell::new(&line.source)]
}
