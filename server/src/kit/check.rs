//! What a domain finds when it compares its tables with its promises.

/// Something that is not as it must be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// The promise, in words.
    pub invariant: &'static str,
    /// What it is about, such as `booking_…`.
    pub subject: String,
    /// What was found.
    pub found: String,
}

impl Violation {
    /// The subject breaks the promise.
    pub fn new(invariant: &'static str, subject: impl ToString, found: impl Into<String>) -> Self {
        Self { invariant, subject: subject.to_string(), found: found.into() }
    }
}
