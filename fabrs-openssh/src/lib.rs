//! Parsers for `OpenSSH` client files: `ssh_config`, `known_hosts` and key revocation lists.
//!
//! Programs with their own SSH implementation use this crate to behave like `ssh`:
//!
//! - [`config`] resolves the address, user, keys and other settings of a host name.
//! - [`known_hosts`] compares the key of a server with the recorded keys.
//! - [`revoked`] reads the revocation lists of `RevokedHostKeys`.
//! - [`certificate`] checks the content of host certificates.
//!
//! The crate only opens files. It uses no network, starts no processes and reads no environment
//! variables. The caller passes the home directory, the user name and the environment in
//! [`config::Query`], so tests can reproduce every result.
//!
//! ```
//! use fabrs_openssh::config::{Query, SshConfig};
//!
//! let config = SshConfig::parse("Host web*\n  User deploy\n  Port 2222\n", "config")?;
//! let web1 = config.resolve(&Query::new("web1", "alice", "/home/alice"))?;
//! assert_eq!(web1.user.as_deref(), Some("deploy"));
//! assert_eq!(web1.port, Some(2222));
//! # Ok::<(), fabrs_openssh::Error>(())
//! ```

pub mod certificate;
pub mod config;
pub mod known_hosts;
pub mod revoked;

mod error;
mod host_key;
mod location;
mod pattern;

pub use error::Error;
pub use location::{Location, Warning};
