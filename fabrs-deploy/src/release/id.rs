//! The name of a release: when it was begun, in 14 digits.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use fabrs::shell::{ShellLineError, ShellValue};
use fabrs::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

/// How many digits a name has.
const ID_DIGITS: usize = 14;

/// The name of a release, the same on all hosts: when it was begun (UTC), as Capistrano writes it, `20261103140211`.
///
/// Names are ordered as the releases were begun, whatever the clocks of the hosts say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReleaseId(String);

impl ReleaseId {
    /// Makes a name that is later than all others, also where the clock of this machine is behind.
    pub(crate) fn after<'a>(others: impl IntoIterator<Item = &'a Self>) -> Self {
        let now = Self::at(SystemTime::now());
        match others.into_iter().max() {
            Some(latest) if *latest >= now => latest.next(),
            _ => now,
        }
    }

    fn at(time: SystemTime) -> Self {
        let time = humantime::format_rfc3339_seconds(time).to_string();
        Self(time.chars().filter(char::is_ascii_digit).collect())
    }

    /// Returns the name that follows: not always a time that there is, but one of as many digits.
    fn next(&self) -> Self {
        let number: u64 = self.0.parse().unwrap_or_default();
        Self(format!("{:0ID_DIGITS$}", number + 1))
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of what is live where there are no releases.
impl Default for ReleaseId {
    fn default() -> Self {
        Self("0".repeat(ID_DIGITS))
    }
}

impl FromStr for ReleaseId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.len() == ID_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Self(text.to_owned()));
        }
        let error = Error::new(ErrorKind::Usage, format!("`{text}` is no name of a release"));
        Err(error.hint("it is 14 digits, as `20261103140211`"))
    }
}

impl TryFrom<String> for ReleaseId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<ReleaseId> for String {
    fn from(id: ReleaseId) -> Self {
        id.0
    }
}

impl ShellValue for ReleaseId {
    fn shell_text(&self) -> Result<Cow<'_, str>, ShellLineError> {
        Ok(Cow::Borrowed(&self.0))
    }
}

impl fmt::Display for ReleaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_name_is_the_time_in_utc() {
        let time = UNIX_EPOCH + Duration::from_secs(1_793_714_531);
        assert_eq!(ReleaseId::at(time).as_str(), "20261103140211");
    }

    #[test]
    fn a_new_name_is_later_than_all_there_are_whatever_the_clock_says() {
        let ahead: ReleaseId = "29991231235959".parse().unwrap();
        let behind: ReleaseId = "20010101000000".parse().unwrap();
        assert_eq!(ReleaseId::after([&behind, &ahead]).as_str(), "29991231235960");
        assert!(ReleaseId::after([&behind]) > behind);
        assert_eq!(ReleaseId::after([]).as_str().len(), 14);
    }

    #[test]
    fn only_14_digits_are_a_name() {
        for text in [
            "",
            "2026110314021",
            "202611031402111",
            "20261103-40211",
            "../../../../etc",
            "２０２６１１０３１４０２１１",
        ] {
            assert!(text.parse::<ReleaseId>().is_err(), "{text}");
        }
        let read: Result<ReleaseId, _> = serde_json::from_str("\"current\"");
        assert!(read.is_err());
    }
}
