//! Which streams of a command are not shown.

use std::str::FromStr;

use crate::event::Stream;

/// Which streams of a command are not shown while it runs; they are captured all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Hide {
    /// Nothing is hidden.
    #[default]
    Nothing,
    /// Standard output is hidden.
    Stdout,
    /// Standard error is hidden.
    Stderr,
    /// Both are hidden, and the command line with them.
    Both,
}

impl Hide {
    /// Tells whether a stream is shown.
    pub fn shows(self, stream: Stream) -> bool {
        match self {
            Self::Nothing => true,
            Self::Stdout => stream == Stream::Stderr,
            Self::Stderr => stream == Stream::Stdout,
            Self::Both => false,
        }
    }
}

/// Says that a word names no streams.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no stream to hide: say `out`, `stdout`, `err`, `stderr` or `both`")]
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
        assert_eq!(text, "`nope` names no stream to hide: say `out`, `stdout`, `err`, `stderr` or `both`");
    }
}
