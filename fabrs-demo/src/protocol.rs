//! Messages between the program and a starting host: one line of JSON each.

use std::io::{self, BufRead, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The maximum length of a line, in bytes.
const MAX_LINE_LEN: u64 = 1 << 16;

/// The settings of a host.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct HostSettings {
    /// The host name.
    pub(crate) name: String,
    /// The login account.
    pub(crate) account: String,
    /// The only accepted client key, in the format of `authorized_keys`.
    pub(crate) client_key: String,
    /// The users of the host.
    pub(crate) users: UserMapping,
}

/// The users of a host, limited by the user IDs available on the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum UserMapping {
    /// All users of a typical system. Their IDs are unused on the machine, if possible.
    AllUsers,
    /// Root only, mapped to the user who started the demo.
    RootOnly,
}

/// A message of a host during its start.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum StartupMessage {
    /// The namespaces exist. The host waits for the user mapping and its [`HostSettings`].
    NamespacesReady,
    /// The SSH server listens.
    Listening {
        /// The port on loopback.
        port: u16,
        /// The host key, in the format of `known_hosts`.
        host_key: String,
    },
    /// The start failed.
    Failed {
        /// The failed step, to complete "could not …".
        step: String,
        /// The error text of the system.
        reason: String,
    },
}

/// Writes a message.
pub(crate) fn send(mut writer: impl Write, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    writer.write_all(&line)?;
    writer.flush()
}

/// Reads a message.
pub(crate) fn receive<T: DeserializeOwned>(reader: &mut impl BufRead) -> io::Result<T> {
    let mut line = String::new();
    // All messages are shorter. The limit bounds the memory if another program writes to the pipe.
    if reader.take(MAX_LINE_LEN).read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_str(&line)?)
}
