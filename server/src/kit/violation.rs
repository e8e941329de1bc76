//! Malformed requests: every violation at once, as far as an answer has room, each with the path of its field.

use std::fmt;

use crate::error::{Error, ErrorReason, Fault, listed};

/// How many violations are remembered.
const LIMIT: usize = 25;
const GIVEN: &str = "must be given";

/// Collects what is wrong with a request while it is read.
#[derive(Debug, Default)]
pub struct Violations {
    found: Vec<Violation>,
}

#[derive(Clone, Debug)]
struct Violation {
    field: String,
    description: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, description } = self;
        write!(f, "`{field}` {description}")
    }
}

impl Violations {
    /// Nothing wrong yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that a field is wrong: `must be …`.
    pub fn add(&mut self, field: impl Into<String>, description: impl Into<String>) {
        // A list of thousands may be wrong in each place; the first ones tell enough.
        if self.found.len() < LIMIT {
            self.found.push(Violation { field: field.into(), description: description.into() });
        }
    }

    /// The value of a field, or a note of what is wrong with it.
    pub fn take<T, E: std::fmt::Display>(&mut self, field: impl Into<String>, outcome: Result<T, E>) -> Option<T> {
        match outcome {
            Ok(value) => Some(value),
            Err(error) => {
                self.add(field, error.to_string());
                None
            }
        }
    }

    /// Notes a field as wrong unless the condition holds.
    pub fn require(&mut self, field: impl Into<String>, holds: bool, description: impl Into<String>) {
        if !holds {
            self.add(field, description);
        }
    }

    /// A typed id.
    pub fn id<T: std::str::FromStr<Err = super::id::NotAnId>>(
        &mut self,
        field: impl Into<String>,
        text: &str,
    ) -> Option<T> {
        if text.is_empty() {
            self.add(field, GIVEN);
            return None;
        }
        self.take(field, text.parse::<T>())
    }

    /// Trimmed text with a number of characters within limits and no control characters but line breaks.
    pub fn text(&mut self, field: impl Into<String>, text: &str, least: usize, most: usize) -> Option<String> {
        let text = text.trim();
        let length = text.chars().count();
        let field = field.into();
        if length < least || length > most {
            self.add(field, format!("must have {least} to {most} characters"));
            return None;
        }
        if text.chars().any(|letter| letter.is_control() && letter != '\n') {
            self.add(field, "must have no control characters");
            return None;
        }
        Some(text.to_owned())
    }

    /// A number within limits.
    pub fn within(&mut self, field: impl Into<String>, number: i32, least: i32, most: i32) -> Option<i32> {
        let fits = (least..=most).contains(&number);
        self.require(field, fits, format!("must be {least} to {most}"));
        fits.then_some(number)
    }

    /// A required date.
    pub fn date(
        &mut self,
        field: impl Into<String>,
        date: Option<&yeyak_proto::yeyak::common::v1::Date>,
    ) -> Option<super::date::Date> {
        let Some(date) = date else {
            self.add(field, GIVEN);
            return None;
        };
        let read = super::date::from_proto(date);
        self.require(field, read.is_some(), "must be a date of the calendar");
        read
    }

    /// Everything that was read, or everything that is wrong. A value is missing only when its field was noted.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Error> {
        match value {
            Some(value) if self.found.is_empty() => Ok(value),
            _ => Err(InvalidFields { violations: self.found }.into()),
        }
    }
}

/// One or more fields of a request are malformed.
#[derive(Debug, thiserror::Error)]
#[error("{}", listed(violations, "; "))]
pub struct InvalidFields {
    violations: Vec<Violation>,
}

impl Fault for InvalidFields {
    fn reason(&self) -> ErrorReason {
        ErrorReason::InvalidFields
    }

    fn violations(&self) -> Vec<(String, String)> {
        self.violations.iter().cloned().map(|Violation { field, description }| (field, description)).collect()
    }
}
