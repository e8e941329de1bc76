//! Ports: what differs between the embedded default and production, each with one behaviour.

/// Runs the stories of a port on one implementation of it.
#[cfg(test)]
macro_rules! port_suite {
    (needs Redis: $make:expr => $($story:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            #[ignore = "needs Redis: .ci/run"]
            async fn $story() {
                suite::$story($make).await;
            }
        )*
    };
    ($make:expr => $($story:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $story() {
                suite::$story($make).await;
            }
        )*
    };
}

mod breaker;
pub mod bus;
pub mod cache;
pub mod gate;
pub mod lease;
pub mod line;
pub mod provider;
pub mod queue;
pub mod rate;
pub mod redis;
