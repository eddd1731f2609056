//! What a demo host and the program that started it say to each other, a line of JSON each.

use std::io::{self, BufRead, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The longest line, in bytes.
const MAX_LINE_LEN: u64 = 1 << 16;

/// What a host is to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct HostSettings {
    /// Its name.
    pub(crate) name: String,
    /// The account that one logs in as.
    pub(crate) account: String,
    /// The only key that is let in, in the form of `authorized_keys`.
    pub(crate) client_key: String,
    /// Which users it has.
    pub(crate) users: UserMapping,
}

/// Which users a host has: what the machine lets be mapped into its namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum UserMapping {
    /// All of a usual system's, none of whom is anybody outside.
    Range,
    /// Root alone, who is the user that started it outside.
    RootOnly,
}

/// What a host tells while it starts.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum StartupMessage {
    /// It has namespaces, and waits for its users to be mapped and for its [`HostSettings`].
    NamespacesReady,
    /// It listens.
    Listening {
        /// On which port of loopback.
        port: u16,
        /// Its host key, in the form of `known_hosts`.
        host_key: String,
    },
    /// It can't start.
    Failed {
        /// What could not be done: "could not …".
        step: String,
        /// What the system said.
        reason: String,
    },
}

/// Writes one line.
pub(crate) fn send(mut writer: impl Write, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    writer.write_all(&line)?;
    writer.flush()
}

/// Reads one line.
pub(crate) fn receive<T: DeserializeOwned>(reader: &mut impl BufRead) -> io::Result<T> {
    let mut line = String::new();
    // No line of ours is longer; a program that is none of ours does not fill the memory.
    if reader.take(MAX_LINE_LEN).read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_str(&line)?)
}
