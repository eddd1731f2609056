//! `OpenSSH` client files, read as `ssh` reads them: `ssh_config`, `known_hosts` and key revocation lists.
//!
//! Programs that speak SSH themselves ask this crate what `ssh` would do with a name: which address, user and keys
//! ([`config`]), and whether the key that a server shows is the one on record ([`known_hosts`]). It opens files and
//! nothing else: no network, no processes, no environment. The home directory, the user's name and the environment
//! come in with the [`config::Query`], so that every answer can be had again in a test. [`revoked`] reads the
//! revocation lists of `RevokedHostKeys`.
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
