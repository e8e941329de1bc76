//! The client of [Yeyak](https://github.com/yeyak/yeyak), the gRPC-first booking platform.
//!
//! ```no_run
//! use yeyak::Client;
//! use yeyak::proto::stay::v1::SearchStaysRequest;
//!
//! # async fn example() -> Result<(), yeyak::Error> {
//! let client = Client::connect("http://127.0.0.1:7070").await?;
//! client.log_in("mina@example.kr", "correct horse battery").await?;
//! let found = client.stay_search().search_stays(SearchStaysRequest { text: "바다".into(), ..Default::default() }).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Every RPC has a wrapper, named as in the proto files. A wrapper sets the deadline, attaches the token, gives each logical call
//! one `request_id` and one trace ([`Client::in_trace`] names the caller's own) and keeps both over its retries, and returns a
//! typed [`Error`].
#![warn(missing_docs)]

mod call;
mod client;
mod error;
mod options;
mod page;
mod retry;
mod seen;
mod session;
mod trace;
mod transport;
mod watch;

pub use client::Client;
pub use error::{Error, Violation};
pub use options::Options;
pub use page::pages;
pub use transport::Embedded;
pub use yeyak_proto::yeyak::common::v1::ErrorReason;

/// The messages of every service, by package.
pub mod proto {
    pub use yeyak_proto::yeyak::*;
    #[doc(no_inline)]
    pub use yeyak_proto::{FILE_DESCRIPTOR_SET, METHODS, Method};
}
