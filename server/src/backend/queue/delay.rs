//! How long a message whose consumer failed waits before it comes again.

use std::time::Duration;

/// The delays, one behind the other; the last one is for all that follow.
#[derive(Clone, Debug)]
pub struct Delays(Vec<Duration>);

impl Delays {
    /// From the first, doubling up to the longest.
    pub fn new(first: Duration, longest: Duration) -> Self {
        let doubled = std::iter::successors(Some(first), |delay| Some(*delay * 2));
        let mut steps: Vec<_> = doubled.take_while(|delay| *delay < longest).collect();
        steps.push(longest);
        Self(steps)
    }

    /// The delay behind so many failures.
    pub fn after(&self, failures: i64) -> Duration {
        let step = usize::try_from(failures - 1).unwrap_or(0);
        self.0.get(step).or(self.0.last()).copied().unwrap_or_default()
    }

    /// Each delay that there is.
    pub(super) fn steps(&self) -> &[Duration] {
        &self.0
    }
}

/// 1 s, doubling to 10 minutes.
impl Default for Delays {
    fn default() -> Self {
        Self::new(Duration::from_secs(1), Duration::from_secs(600))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest() {
        let delays = Delays::default();
        let seconds = [1, 2, 3, 9, 10, 11, 12, 1000].map(|failures| delays.after(failures).as_secs());
        assert_eq!(seconds, [1, 2, 4, 256, 512, 600, 600, 600]);
        assert_eq!(delays.steps().len(), 11);
    }
}
