//! Calls: so many at once, or so many a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::Failure;

/// So many calls.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) count: usize,
    pub(crate) in_flight: usize,
}

/// What they came to.
pub(crate) struct Run {
    pub(crate) per_second: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) done: usize,
    pub(crate) errors: usize,
}

impl Run {
    fn of(outcomes: Vec<Option<Duration>>, taken: Duration) -> Self {
        let all = outcomes.len();
        let mut times: Vec<_> = outcomes.into_iter().flatten().collect();
        times.sort_unstable();
        let at = |share: f64| {
            let index = (times.len() as f64 * share) as usize;
            times.get(index.min(times.len().saturating_sub(1))).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
        };
        let done = times.len();
        let per_second = done as f64 / taken.as_secs_f64();
        Self { per_second, p50: at(0.5), p99: at(0.99), done, errors: all - done }
    }
}

/// How long a call took since a moment; none when it failed. The first failures are told.
async fn timed(since: Instant, call: impl Future<Output = Result<(), Failure>>) -> Option<Duration> {
    static TOLD: AtomicUsize = AtomicUsize::new(0);
    match call.await {
        Ok(()) => Some(since.elapsed()),
        Err(error) => {
            if TOLD.fetch_add(1, Ordering::Relaxed) < 5 {
                eprintln!("{error}");
            }
            None
        }
    }
}

impl Load {
    /// As many calls in flight as there may be, until all are answered.
    pub(crate) async fn closed<F, Fut>(self, call: F) -> Run
    where
        F: Fn(usize) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Result<(), Failure>> + Send,
    {
        let next = Arc::new(AtomicUsize::new(0));
        let began = Instant::now();
        let tasks: Vec<_> = (0..self.in_flight)
            .map(|_| {
                let (next, call) = (next.clone(), call.clone());
                tokio::spawn(async move {
                    let mut outcomes = Vec::new();
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= self.count {
                            return outcomes;
                        }
                        outcomes.push(timed(Instant::now(), call(number)).await);
                    }
                })
            })
            .collect();
        let mut outcomes = Vec::with_capacity(self.count);
        for task in tasks {
            outcomes.extend(task.await.expect("a caller does not panic"));
        }
        Run::of(outcomes, began.elapsed())
    }

    /// So many calls a second, whether those before are answered or not; each is timed from the moment at which it was due.
    pub(crate) async fn open<F, Fut>(self, per_second: f64, call: F) -> Run
    where
        F: Fn(usize) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let began = Instant::now();
        let mut tasks = Vec::with_capacity(self.count);
        let mut ticks = tokio::time::interval(Duration::from_millis(1));
        while tasks.len() < self.count {
            ticks.tick().await;
            let due = ((began.elapsed().as_secs_f64() * per_second) as usize).min(self.count);
            for number in tasks.len()..due {
                let moment = began + Duration::from_secs_f64(number as f64 / per_second);
                tasks.push(tokio::spawn(timed(moment, call(number))));
            }
        }
        let mut outcomes = Vec::with_capacity(self.count);
        for task in tasks {
            outcomes.push(task.await.expect("a caller does not panic"));
        }
        Run::of(outcomes, began.elapsed())
    }
}
