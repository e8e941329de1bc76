//! The server of Yeyak: every domain of a booking platform behind one gRPC port.

pub mod error;
pub mod kit;
pub mod layer;
pub mod serve {
    //! What the process serves beside its domains.

    pub mod health;
}
