//! The two sides of a blue-green site on a host.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A side of a blue-green site: blue or green.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BlueGreenSide {
    /// The side with the first port.
    Blue,
    /// The side with the second port.
    Green,
}

impl BlueGreenSide {
    /// Both sides.
    pub(crate) const ALL: [Self; 2] = [Self::Blue, Self::Green];

    /// Returns the name: `blue`, `green`.
    ///
    /// ```
    /// assert_eq!(fabrs_deploy::BlueGreenSide::Blue.as_str(), "blue");
    /// ```
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blue => "blue",
            Self::Green => "green",
        }
    }

    /// Returns the other side.
    ///
    /// ```
    /// use fabrs_deploy::BlueGreenSide;
    ///
    /// assert_eq!(BlueGreenSide::Blue.other(), BlueGreenSide::Green);
    /// ```
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Blue => Self::Green,
            Self::Green => Self::Blue,
        }
    }

    /// Parses a name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|side| side.as_str() == name)
    }
}

impl fmt::Display for BlueGreenSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
