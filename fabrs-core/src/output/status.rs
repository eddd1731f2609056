//! [`ExitStatus`] and [`Signal`]: the end of a command.

use std::fmt;

use serde::Serialize;

/// The end of a command: an exit status or a signal.
///
/// If the end of a command is unknown, there is no `ExitStatus` but an error of the kind
/// [`Channel`](crate::ErrorKind::Channel), [`Timeout`](crate::ErrorKind::Timeout) or
/// [`Cancelled`](crate::ErrorKind::Cancelled). The command may have run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitStatus {
    /// The command returned this status. 127 and 255 have no special meaning.
    Code(u32),
    /// A signal ended the command.
    Signal(Signal),
}

impl ExitStatus {
    /// Returns whether the status is 0.
    pub fn success(&self) -> bool {
        matches!(self, Self::Code(0))
    }

    /// Returns the status in the form of a shell: the code, or 128 plus the number of the signal.
    pub fn shell_code(&self) -> u32 {
        match self {
            Self::Code(code) => *code,
            Self::Signal(signal) => 128 + u32::from(signal.number().unwrap_or(0)),
        }
    }
}

impl From<std::process::ExitStatus> for ExitStatus {
    /// Converts the status of a local process.
    fn from(status: std::process::ExitStatus) -> Self {
        use std::os::unix::process::ExitStatusExt;

        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code.unsigned_abs()),
            (None, signal) => Self::Signal(Signal::from_number(signal.unwrap_or_default())),
        }
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// A signal, by its name in RFC 4254 §6.10, without `SIG`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Signal(String);

/// The signals of RFC 4254 with their numbers on Linux.
const NUMBERS: [(&str, u8); 12] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("ABRT", 6),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
];

impl Signal {
    /// Makes a signal from its name, with or without `SIG`.
    pub fn new(name: &str) -> Self {
        Self(name.strip_prefix("SIG").unwrap_or(name).to_owned())
    }

    /// Returns the signal with this number, as reported by `wait(2)`.
    pub fn from_number(number: i32) -> Self {
        let known = NUMBERS.iter().find(|(_, n)| i32::from(*n) == number);
        known.map_or_else(|| Self(number.to_string()), |(name, _)| Self::new(name))
    }

    /// Returns the name without `SIG`, such as `TERM`.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Returns whether the name is a safe argument for the `kill` of a shell.
    pub(crate) fn is_plain(&self) -> bool {
        !self.0.is_empty() && self.0.bytes().all(|byte| byte.is_ascii_alphanumeric())
    }

    /// Returns the number of the signal, if RFC 4254 lists the signal or its name is a number.
    pub fn number(&self) -> Option<u8> {
        let known = NUMBERS.iter().find(|(name, _)| *name == self.0);
        known.map(|(_, number)| *number).or_else(|| self.0.parse().ok())
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
