//! Database servers on loopback.

mod maria_db;
mod postgres;
mod server;

pub use server::DatabaseServer;
