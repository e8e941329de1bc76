//! What the database alone can do: the statements of whole bookings, as PostgreSQL logged them, run again with nothing around
//! them.
//!
//! Bookings are made one after another while every statement is logged with its parameters; then a copy of the database from
//! before gets the same statements from as many connections as there were clients, each taking the next booking's.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use sea_orm::sqlx::{self, Connection, PgConnection};
use yeyak_services::Postgres;

use crate::{Done, Failure};

/// The pool whose statements count: background work has another name.
const POOL: &str = "yeyak calls";
const MARK: &str = "bench mark";

/// One statement: which prepared one, with its parameters as SQL writes them.
struct Step {
    prepared: usize,
    parameters: String,
}

/// The statements of some bookings.
pub(crate) struct Recording {
    texts: Vec<String>,
    bookings: Vec<Vec<Step>>,
}

/// Has PostgreSQL log every statement, or no longer.
pub(crate) fn log_statements(postgres: &Postgres, on: bool) {
    let prefix = "ALTER SYSTEM SET log_line_prefix = '%a|'";
    let all = format!("ALTER SYSTEM SET log_statement = '{}'", if on { "all" } else { "none" });
    for statement in [prefix, &all, "SELECT pg_reload_conf()"] {
        postgres.run_sql("postgres", statement);
    }
}

/// Marks the log where the next booking begins.
pub(crate) async fn mark(url: &str, number: usize) -> Done {
    let mut connection = PgConnection::connect(&format!("{url}?application_name={}", MARK.replace(' ', "%20"))).await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("SELECT 'booking {number}'"))).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

impl Recording {
    /// Reads the log of a PostgreSQL.
    pub(crate) fn read(log: &str) -> Self {
        let mut recording = Self { texts: Vec::new(), bookings: Vec::new() };
        let mut known = HashMap::new();
        let mut pending: Option<String> = None;
        for entry in entries(log) {
            if entry.starts_with(MARK) && entry.contains("SELECT 'booking ") {
                recording.bookings.push(Vec::new());
            }
            let Some(said) = entry.strip_prefix(POOL).and_then(|rest| rest.strip_prefix('|')) else { continue };
            if let Some(parameters) = said.trim_start().strip_prefix("DETAIL:  parameters: ") {
                recording.add(&mut known, pending.take(), parameters);
                continue;
            }
            recording.add(&mut known, pending.take(), "");
            pending = statement(said.trim_start());
        }
        recording.add(&mut known, pending, "");
        recording
    }

    fn add(&mut self, known: &mut HashMap<String, usize>, text: Option<String>, parameters: &str) {
        let (Some(text), Some(booking)) = (text, self.bookings.last_mut()) else { return };
        let next = known.len();
        let prepared = *known.entry(text.clone()).or_insert(next);
        if prepared == next {
            self.texts.push(text);
        }
        booking.push(Step { prepared, parameters: values(parameters) });
    }

    /// How many statements a booking has, on average.
    pub(crate) fn statements(&self) -> f64 {
        let all: usize = self.bookings.iter().map(Vec::len).sum();
        all as f64 / self.bookings.len().max(1) as f64
    }

    /// Runs everything on so many connections; how many bookings a second that was.
    pub(crate) async fn replay(self, url: &str, connections: usize) -> Result<f64, Failure> {
        let (recording, next) = (Arc::new(self), Arc::new(AtomicUsize::new(0)));
        let mut ready = Vec::new();
        for _ in 0..connections {
            let mut connection = PgConnection::connect(url).await?;
            for (number, text) in recording.texts.iter().enumerate().filter(|(_, text)| !is_control(text)) {
                let prepare = format!("PREPARE s{number} AS {text}");
                sqlx::raw_sql(sqlx::AssertSqlSafe(prepare)).execute(&mut connection).await?;
            }
            ready.push(connection);
        }
        let began = Instant::now();
        let tasks: Vec<_> = ready
            .into_iter()
            .map(|mut connection| {
                let (recording, next) = (recording.clone(), next.clone());
                tokio::spawn(async move {
                    while let Some(booking) = recording.bookings.get(next.fetch_add(1, Ordering::Relaxed)) {
                        for step in booking {
                            let text = &recording.texts[step.prepared];
                            let run = match is_control(text) {
                                true => text.clone(),
                                false if step.parameters.is_empty() => format!("EXECUTE s{}", step.prepared),
                                false => format!("EXECUTE s{}({})", step.prepared, step.parameters),
                            };
                            sqlx::raw_sql(sqlx::AssertSqlSafe(run)).execute(&mut connection).await?;
                        }
                    }
                    Ok::<_, sqlx::Error>(())
                })
            })
            .collect();
        for task in tasks {
            task.await??;
        }
        Ok(recording.bookings.len() as f64 / began.elapsed().as_secs_f64())
    }
}

/// Whether a statement is one that can't be prepared: of a transaction, or NOTIFY.
fn is_control(text: &str) -> bool {
    !["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"].iter().any(|word| text.starts_with(word))
}

/// The entries of a log: a line, with the lines that go on from it.
fn entries(log: &str) -> Vec<String> {
    let mut entries: Vec<String> = Vec::new();
    for line in log.lines() {
        match (line.strip_prefix('\t'), entries.last_mut()) {
            (Some(more), Some(last)) => {
                last.push('\n');
                last.push_str(more);
            }
            _ => entries.push(line.to_owned()),
        }
    }
    entries
}

/// The text of a statement that was run.
fn statement(said: &str) -> Option<String> {
    let said = said.strip_prefix("LOG:  ")?;
    if let Some(text) = said.strip_prefix("statement: ") {
        return Some(text.to_owned());
    }
    let (_, text) = said.strip_prefix("execute ")?.split_once(": ")?;
    Some(text.to_owned())
}

/// `$1 = 'a', $2 = NULL` as the arguments of EXECUTE. A value may hold anything, its quotes doubled.
fn values(parameters: &str) -> String {
    let mut values = Vec::new();
    let mut rest = parameters;
    while let Some((_, after)) = rest.split_once(" = ") {
        let end = match after.starts_with('\'') {
            false => after.find(',').unwrap_or(after.len()),
            true => {
                let mut at = 1;
                loop {
                    let Some(quote) = after[at..].find('\'') else { break after.len() };
                    at += quote + 1;
                    if !after[at..].starts_with('\'') {
                        break at;
                    }
                    at += 1;
                }
            }
        };
        values.push(&after[..end]);
        rest = &after[end..];
    }
    values.join(", ")
}
