//! What a demo host and the program that started it say to each other, a line of JSON each.

use std::io::{self, BufRead, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What a host is to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Setup {
    /// Its name.
    pub(crate) name: String,
    /// The account that one logs in as.
    pub(crate) account: String,
    /// The only key that is let in, in the form of `authorized_keys`.
    pub(crate) client_key: String,
    /// Which users it has.
    pub(crate) users: Users,
}

/// Which users a host has: what the machine lets be mapped into its namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Users {
    /// All of a usual system's, none of whom is anybody outside.
    Many,
    /// Root alone, who is the user that started it outside.
    RootOnly,
}

/// What a host tells while it starts.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Told {
    /// It has namespaces, and waits for its users to be mapped and for its [`Setup`].
    Apart,
    /// It listens.
    Ready {
        /// On which port of loopback.
        port: u16,
        /// Its host key, in the form of `known_hosts`.
        host_key: String,
    },
    /// It can't start.
    Failed {
        /// What could not be done: "could not …".
        what: String,
        /// What the system said.
        why: String,
    },
}

/// Writes one line.
pub(crate) fn say(mut to: impl Write, what: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    to.write_all(&line)?;
    to.flush()
}

/// Reads one line.
pub(crate) fn hear<T: DeserializeOwned>(from: &mut impl BufRead) -> io::Result<T> {
    let mut line = String::new();
    // No line of ours is longer; a program that is none of ours does not fill the memory.
    if from.take(1 << 16).read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_str(&line)?)
}
