//! What is not as it must be.

/// Something that breaks a promise of the platform.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// The promise, in words.
    pub invariant: &'static str,
    /// What it is about.
    pub subject: String,
    /// What was found.
    pub found: String,
}
