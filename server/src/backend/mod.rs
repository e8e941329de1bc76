//! What the domains stand on besides the database: ports, each with an implementation that needs nothing installed.

pub mod provider;
