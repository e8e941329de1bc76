//! Which connections a task uses: those of calls, or those of background work.

tokio::task_local! {
    static JOB: ();
}

/// Runs background work on connections of its own, so that a heavy job never takes those that calls wait for.
pub async fn as_job<T>(work: impl Future<Output = T>) -> T {
    JOB.scope((), work).await
}

pub(super) fn is_job() -> bool {
    JOB.try_with(|()| ()).is_ok()
}
