//! The protobuf interface of Yeyak: messages, method tables, and the descriptor set that all else is derived from.
//!
//! Applications use the crate `yeyak`, which puts a client around these types.

mod generated {
    #![allow(
        clippy::all,
        clippy::pedantic,
        clippy::unwrap_used,
        missing_docs,
        unreachable_pub,
        missing_debug_implementations
    )]
    #![allow(rustdoc::all, unused_qualifications)]

    pub mod yeyak {
        pub mod admin {
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/yeyak.admin.v1.rs"));
            }
        }
        pub mod booking {
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/yeyak.booking.v1.rs"));
            }
        }
        pub mod common {
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/yeyak.common.v1.rs"));
            }
        }
        pub mod coupon {
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/yeyak.coupon.v1.rs"));
            }
        }
        pub mod ledger {
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/yeyak.ledger.v1.rs"));
            }
        }
        pub mod member {
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/yeyak.member.v1.rs"));
            }
        }
        pub mod payment {
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/yeyak.payment.v1.rs"));
            }
        }
        pub mod point {
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/yeyak.point.v1.rs"));
            }
        }
        pub mod stay {
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/yeyak.stay.v1.rs"));
            }
        }
    }

    pub mod grpc {
        pub mod health {
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/grpc.health.v1.rs"));
            }
        }
    }

    include!(concat!(env!("OUT_DIR"), "/messages.rs"));
}

use std::fmt;

pub use generated::{grpc, yeyak};
use yeyak::common::v1::Access;

/// The descriptors of every proto file with their comments, as reflection serves them.
pub static FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor_set.binpb"));

/// The domain of every `google.rpc.ErrorInfo` that Yeyak sends.
pub const ERROR_DOMAIN: &str = "yeyak.dev";

/// Response header: `true` when a request was a repetition, and the answer is the resource as it is now.
pub const REPLAYED_HEADER: &str = "yeyak-replayed";

/// Request header: the id of the member that an API key acts for; needs the scope `act_as`.
pub const ACT_AS_HEADER: &str = "yeyak-act-as";

/// What repeating a call does, from the method option `idempotency_level`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Effect {
    /// It changes nothing.
    None,
    /// It changes something, and the second time nothing more.
    Repeatable,
    /// It may be repeated under the same `request_id` only.
    Once,
    /// Each call does it again: one that was sent is not repeated.
    Each,
}

/// One RPC.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Method {
    /// `/package.Service/Method`.
    pub path: &'static str,
    /// The full name of its service.
    pub service: &'static str,
    /// Its own name.
    pub name: &'static str,
    /// What repeating it does.
    pub effect: Effect,
    /// Whether the answer is a stream.
    pub streaming: bool,
    /// Who may call it.
    pub access: &'static [Access],
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path.trim_start_matches('/'))
    }
}

include!(concat!(env!("OUT_DIR"), "/methods.rs"));
include!(concat!(env!("OUT_DIR"), "/accessors.rs"));

/// A request that changes something, and that may be repeated under one `request_id`.
pub trait Mutation: prost::Message + Clone {
    /// The id that the caller gave to this request; empty for none.
    fn request_id(&self) -> &str;

    /// What two requests under one id must have in common: everything but the id itself and secrets.
    fn fingerprint(&self) -> Vec<u8>;
}

/// A request for one page of a list.
pub trait Paged: prost::Message + Clone {
    /// How many items at most; 0 for the default.
    fn page_size(&self) -> i32;

    /// Where the page begins; empty for the first.
    fn page_token(&self) -> &str;

    /// Sets where the page begins.
    fn set_page_token(&mut self, token: String);

    /// What the pages of one list have in common: everything but the page.
    fn arguments(&self) -> Vec<u8>;
}

/// One page of a list.
pub trait Items: prost::Message + Default {
    /// What the list holds.
    type Item;

    /// The items, and the token of the next page; empty on the last.
    fn into_page(self) -> (Vec<Self::Item>, String);
}

/// Makes calls for the generated wrappers, such as [`yeyak::member::v1::AuthApi`].
#[cfg(feature = "client")]
pub trait Call: Clone + Send + Sync + 'static {
    /// What a failed call gives.
    type Error;

    /// A fresh id for one logical call, kept over its retries.
    fn request_id(&self) -> String;

    /// Calls an RPC that gives one answer.
    fn unary<Q, A>(&self, method: &'static Method, request: Q) -> impl Future<Output = Result<A, Self::Error>> + Send
    where
        Q: prost::Message + Clone + 'static,
        A: prost::Message + Default + 'static;

    /// Calls an RPC that answers with a stream.
    fn server_streaming<Q, A>(
        &self,
        method: &'static Method,
        request: Q,
    ) -> impl Future<Output = Result<tonic::Streaming<A>, Self::Error>> + Send
    where
        Q: prost::Message + Clone + 'static,
        A: prost::Message + Default + 'static;
}
