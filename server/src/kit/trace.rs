//! The trace that a task works for, so that what it leaves behind can name it.

tokio::task_local! {
    static CURRENT: String;
}

/// Runs a future as part of a trace, given by its id of 32 hexadecimal digits.
pub async fn scope<F: Future>(trace: String, future: F) -> F::Output {
    CURRENT.scope(trace, future).await
}

/// The id of the trace that this task works for; empty for none.
pub fn current() -> String {
    CURRENT.try_with(Clone::clone).unwrap_or_default()
}
