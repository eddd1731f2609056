//! [`Hide`]: the streams of a command to hide.

use std::str::FromStr;

use crate::event::Stream;

/// The streams of a command to hide. Hidden output is still captured.
///
/// ```
/// use fabrs_core::{Hide, event::Stream};
///
/// assert!(!Hide::Stdout.shows(Stream::Stdout));
/// assert!(Hide::Stdout.shows(Stream::Stderr));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Hide {
    /// Both streams are shown.
    #[default]
    Nothing,
    /// Stdout is hidden.
    Stdout,
    /// Stderr is hidden.
    Stderr,
    /// Both streams and the command line are hidden.
    Both,
}

impl Hide {
    /// Returns `true` if a stream is shown.
    pub fn shows(self, stream: Stream) -> bool {
        match self {
            Self::Nothing => true,
            Self::Stdout => stream == Stream::Stderr,
            Self::Stderr => stream == Stream::Stdout,
            Self::Both => false,
        }
    }
}

/// The error of an invalid stream name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a stream to hide: use `out`, `stdout`, `err`, `stderr` or `both`")]
pub struct HideError(String);

impl FromStr for Hide {
    type Err = HideError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "out" | "stdout" => Ok(Self::Stdout),
            "err" | "stderr" => Ok(Self::Stderr),
            "both" => Ok(Self::Both),
            _ => Err(HideError(word.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_stream_error_lists_the_valid_names() {
        assert_eq!("out".parse(), Ok(Hide::Stdout));
        let text = "nope".parse::<Hide>().unwrap_err().to_string();
        assert_eq!(text, "`nope` is not a stream to hide: use `out`, `stdout`, `err`, `stderr` or `both`");
    }
}
