//! Release ids: the start time of a deploy in 14 digits.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use fabrs::{Error, ErrorKind, ShellLineError, ShellValue};
use serde::{Deserialize, Serialize};

/// The number of digits of an id.
const ID_DIGITS: usize = 14;

/// The id of a release: the start time of its deploy (UTC) in 14 digits, for example
/// `20261103140211`, as in Capistrano.
///
/// A release has the same id on all hosts. Ids are ordered like the deploys, even if the clock of a
/// machine is behind: a new id is greater than all ids on the hosts.
///
/// ```
/// use fabrs_deploy::ReleaseId;
///
/// let id: ReleaseId = "20261103140211".parse().unwrap();
/// assert_eq!(id.as_str(), "20261103140211");
/// assert!("latest".parse::<ReleaseId>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReleaseId(String);

impl ReleaseId {
    /// Creates an id that is greater than all others, even if the clock of this machine is behind.
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

    /// Returns the next number, padded to 14 digits. The result may be an invalid time.
    fn next(&self) -> Self {
        let number: u64 = self.0.parse().unwrap_or_default();
        Self(format!("{:0ID_DIGITS$}", number + 1))
    }

    /// Returns the 14 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The id of the live release of a work tree: 14 zeros.
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
        let error = Error::new(ErrorKind::Usage, format!("invalid release id `{text}`"));
        Err(error.hint("use 14 digits, such as `20261103140211`"))
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
    fn an_id_is_the_time_in_utc() {
        let time = UNIX_EPOCH + Duration::from_secs(1_793_714_531);
        assert_eq!(ReleaseId::at(time).as_str(), "20261103140211");
    }

    #[test]
    fn a_new_id_is_greater_than_all_others_even_if_the_clock_is_behind() {
        let ahead: ReleaseId = "29991231235959".parse().unwrap();
        let behind: ReleaseId = "20010101000000".parse().unwrap();
        assert_eq!(ReleaseId::after([&behind, &ahead]).as_str(), "29991231235960");
        assert!(ReleaseId::after([&behind]) > behind);
        assert_eq!(ReleaseId::after([]).as_str().len(), 14);
    }

    #[test]
    fn an_id_has_exactly_14_digits() {
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
