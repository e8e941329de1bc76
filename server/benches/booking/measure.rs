//! So many clients at once, for so long.

use std::time::{Duration, Instant};

use crate::Done;

/// What one phase came to.
pub(crate) struct Measured {
    pub(crate) per_second: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) errors: usize,
}

/// So many clients, each with one call at a time, until the time is over.
pub(crate) async fn measure<F, Fut>(seconds: u64, clients: usize, call: F) -> Measured
where
    F: Fn(usize) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Done> + Send,
{
    let start = Instant::now();
    let end = start + Duration::from_secs(seconds);
    let tasks: Vec<_> = (0..clients)
        .map(|client| {
            let call = call.clone();
            tokio::spawn(async move {
                let (mut times, mut errors) = (Vec::new(), 0);
                while Instant::now() < end {
                    let begun = Instant::now();
                    match call(client).await {
                        Ok(()) => times.push(begun.elapsed()),
                        Err(error) => {
                            if errors == 0 {
                                eprintln!("client {client}: {error}");
                            }
                            errors += 1;
                        }
                    }
                }
                (times, errors)
            })
        })
        .collect();
    let (mut times, mut errors) = (Vec::new(), 0);
    for task in tasks {
        let (some, failed) = task.await.expect("a client does not panic");
        times.extend(some);
        errors += failed;
    }
    let taken = start.elapsed().as_secs_f64();
    times.sort_unstable();
    let at = |share: f64| {
        let index = (times.len() as f64 * share) as usize;
        times.get(index.min(times.len().saturating_sub(1))).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
    };
    Measured { per_second: times.len() as f64 / taken, p50: at(0.5), p99: at(0.99), errors }
}
