//! Points between the steps of an operation, at which a test makes it end as a kill would. In a release they are nothing.

use crate::error::Error;

/// The points of one installation; none is armed unless a test does it.
#[derive(Clone, Debug, Default)]
pub struct Crash {
    #[cfg(any(test, debug_assertions))]
    armed: armed::Armed,
}

impl Crash {
    /// Goes on, unless this point is armed.
    #[cfg(any(test, debug_assertions))]
    pub fn point(&self, name: &'static str) -> Result<(), Error> {
        self.armed.strike(name)
    }

    /// Goes on.
    #[cfg(not(any(test, debug_assertions)))]
    #[inline]
    pub fn point(&self, _name: &'static str) -> Result<(), Error> {
        Ok(())
    }
}

#[cfg(any(test, debug_assertions))]
pub use self::armed::How;

#[cfg(any(test, debug_assertions))]
mod armed {
    use std::collections::HashMap;
    use std::sync::{Arc, Mutex};

    use super::Crash;
    use crate::error::Error;

    /// What happens at a point.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub enum How {
        /// The operation ends there, and nothing behind the point runs.
        Error,
        /// The process ends there, as by `kill -9`.
        Abort,
    }

    #[derive(Clone, Debug, Default)]
    pub(super) struct Armed(Arc<Mutex<HashMap<&'static str, How>>>);

    impl Armed {
        /// An armed point strikes once.
        pub(super) fn strike(&self, name: &'static str) -> Result<(), Error> {
            match self.0.lock().expect("nothing panics while it looks").remove(name) {
                None => Ok(()),
                Some(How::Error) => Err(Error::internal(format!("crashed at {name}"))),
                Some(How::Abort) => std::process::abort(),
            }
        }
    }

    impl Crash {
        /// Makes the next operation that comes to this point end there.
        pub fn arm(&self, name: &'static str, how: How) {
            self.armed.0.lock().expect("nothing panics while it arms").insert(name, how);
        }

        /// Whether a point still waits to strike: a test that armed it did not come there.
        pub fn is_armed(&self, name: &str) -> bool {
            self.armed.0.lock().expect("nothing panics while it looks").contains_key(name)
        }
    }
}
