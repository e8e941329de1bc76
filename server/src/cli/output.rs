//! What commands print: tables for people, JSON for machines, nothing that a closed pipe could break.

use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::time::Duration;

use comfy_table::{Cell, Color, ColumnConstraint, ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::failure::Failure;

/// Terminals below this are not adapted to.
const NARROW: u16 = 40;

/// Prints a line, or several; colours reach a terminal alone.
pub(super) fn say(text: impl Display) -> Result<(), Failure> {
    match writeln!(anstream::stdout(), "{text}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure::unread()),
        outcome => outcome.map_err(|error| Failure::failed(format!("the output can't be written: {error}"))),
    }
}

/// Tells people something beside the output.
pub(super) fn note(text: impl Display) {
    // Whoever closed stderr does not want to know.
    _ = writeln!(anstream::stderr(), "{text}");
}

/// Prints a value as indented JSON.
pub(super) fn json(value: &impl Serialize) -> Result<(), Failure> {
    say(serde_json::to_string_pretty(value).map_err(Failure::failed)?)
}

/// Prints one of several values as JSON, each on a line of its own.
pub(super) fn json_line(value: &impl Serialize) -> Result<(), Failure> {
    say(serde_json::to_string(value).map_err(Failure::failed)?)
}

/// Prints a table without lines, so that it can be searched and cut.
pub(super) fn table<R>(head: &[&str], rows: impl IntoIterator<Item = R>) -> Result<(), Failure>
where
    R: IntoIterator<Item = Cell>,
{
    let mut table = Table::new();
    // A terminal that does not know its width says 0; a table can't be made to fit that.
    let arrangement = match table.width() {
        Some(..NARROW) => ContentArrangement::Disabled,
        _ => ContentArrangement::Dynamic,
    };
    table
        .load_preset(presets::NOTHING)
        .set_content_arrangement(arrangement)
        .set_header(head.iter().map(|name| Cell::new(name.to_uppercase()).fg(Color::DarkGrey)));
    for row in rows {
        table.add_row(row);
    }
    table.column_iter_mut().for_each(|column| {
        column.set_padding((0, 2));
    });
    // Names are for copying, so they are never broken.
    if let Some(names) = table.column_mut(0) {
        names.set_constraint(ColumnConstraint::ContentWidth);
    }
    say(table.trim_fmt())
}

/// Shows on a terminal that something goes on, until it is dropped.
pub(super) fn spinner(doing: impl Into<String>) -> ProgressBar {
    let spinner = ProgressBar::new_spinner().with_message(doing.into());
    spinner.enable_steady_tick(Duration::from_millis(120));
    spinner
}

/// Shows on a terminal how far something has come.
pub(super) fn bar(steps: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}").expect("the template is a constant");
    ProgressBar::new(u64::try_from(steps).unwrap_or(u64::MAX)).with_style(style)
}
