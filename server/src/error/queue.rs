//! What an error of RabbitMQ means.

use super::{Error, Unavailable};

impl From<lapin::Error> for Error {
    #[track_caller]
    fn from(error: lapin::Error) -> Self {
        // A soft error is the broker's answer to what was asked, such as that there is no such queue; behind all others
        // the connection is gone.
        if error.is_amqp_soft_error() {
            return Self::internal(error);
        }
        tracing::debug!(error = %error, "RabbitMQ can't be reached: {error}");
        Unavailable { what: "RabbitMQ" }.into()
    }
}
