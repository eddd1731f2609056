//! [`BatchSize`]: a number of hosts, or a percentage of the hosts of a group.

use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;

use crate::error::{Error, ErrorKind};

/// A number of hosts, or a percentage of the hosts of a group: the size of a batch, or the maximum
/// number of hosts at a time.
///
/// A percentage is rounded down, as in Ansible, with a minimum of 1 host: `25%` of 10 hosts are 2
/// hosts, and `25%` of 3 hosts are 1 host.
///
/// ```
/// # use fabrs_core::group::BatchSize;
/// let quarter: BatchSize = "25%".parse()?;
/// assert_eq!(quarter.hosts_of(10).get(), 2);
/// assert_eq!(quarter.hosts_of(3).get(), 1);
/// assert_eq!(quarter.to_string(), "25%");
/// assert_eq!("4".parse::<BatchSize>()?.hosts_of(10).get(), 4);
/// # Ok::<(), fabrs_core::group::BatchSizeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BatchSize(HostQuantity);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum HostQuantity {
    Hosts(NonZeroUsize),
    /// From 1 to 100.
    Percent(u8),
}

impl BatchSize {
    /// All hosts of the group, `100%`.
    pub const ALL: Self = Self(HostQuantity::Percent(100));

    /// Returns a fixed number of hosts, or `None` for 0.
    ///
    /// ```
    /// # use fabrs_core::group::BatchSize;
    /// assert_eq!(BatchSize::hosts(2), "2".parse().ok());
    /// assert_eq!(BatchSize::hosts(0), None);
    /// ```
    pub const fn hosts(hosts: usize) -> Option<Self> {
        match NonZeroUsize::new(hosts) {
            Some(hosts) => Some(Self(HostQuantity::Hosts(hosts))),
            None => None,
        }
    }

    /// Returns a percentage of the hosts, or `None` for a number outside of 1 to 100.
    ///
    /// ```
    /// # use fabrs_core::group::BatchSize;
    /// assert_eq!(BatchSize::percent(25), "25%".parse().ok());
    /// assert_eq!((BatchSize::percent(0), BatchSize::percent(101)), (None, None));
    /// ```
    pub const fn percent(percent: u8) -> Option<Self> {
        match percent {
            1..=100 => Some(Self(HostQuantity::Percent(percent))),
            _ => None,
        }
    }

    /// Returns the number of hosts for a group of `total` hosts. A fixed number may be larger than
    /// `total`.
    ///
    /// ```
    /// # use fabrs_core::group::BatchSize;
    /// assert_eq!(BatchSize::ALL.hosts_of(7).get(), 7);
    /// ```
    pub fn hosts_of(self, total: usize) -> NonZeroUsize {
        match self.0 {
            HostQuantity::Hosts(hosts) => hosts,
            HostQuantity::Percent(percent) => {
                // Divided first: `total * percent` may overflow.
                let percent = usize::from(percent);
                let hosts = total / 100 * percent + total % 100 * percent / 100;
                NonZeroUsize::new(hosts).unwrap_or(NonZeroUsize::MIN)
            }
        }
    }
}

impl fmt::Display for BatchSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            HostQuantity::Hosts(hosts) => write!(f, "{hosts}"),
            HostQuantity::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl fmt::Debug for BatchSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for BatchSize {
    type Err = BatchSizeError;

    /// Parses a number (`4`) or a percentage (`25%`). White space around the text is ignored.
    fn from_str(text: &str) -> Result<Self, BatchSizeError> {
        let trimmed = text.trim();
        let digits = trimmed.strip_suffix('%').unwrap_or(trimmed);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BatchSizeError::Syntax(text.to_owned()));
        }
        if digits.bytes().all(|byte| byte == b'0') {
            return Err(BatchSizeError::Zero(trimmed.to_owned()));
        }
        if trimmed.len() == digits.len() {
            // A number above `usize::MAX` selects all hosts, like every number above their total.
            return digits.parse().unwrap_or(usize::MAX).into_batch_size();
        }
        digits.parse().ok().and_then(Self::percent).ok_or_else(|| BatchSizeError::TooLarge(trimmed.to_owned()))
    }
}

/// The reason why a value is neither a number nor a percentage of hosts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchSizeError {
    /// The text is neither a number nor a percentage.
    #[error("`{0}` is neither a number of hosts (`2`) nor a percentage (`25%`)")]
    Syntax(String),
    /// The number or the percentage is 0.
    #[error("`{0}` selects no host: the minimum is `1` or `1%`")]
    Zero(String),
    /// The percentage is above 100%.
    #[error("`{0}` is more than all hosts: the maximum is `100%`")]
    TooLarge(String),
    /// A list of batch sizes is empty.
    #[error("the list of batch sizes is empty: add at least one size, for example `100%`")]
    Empty,
}

impl BatchSizeError {
    /// Returns an error of kind [`ErrorKind::Usage`] for people, with this error as its cause.
    ///
    /// ```
    /// # use fabrs_core::{ErrorKind, group::BatchSize};
    /// let error = "0%".parse::<BatchSize>().expect_err("no host").into_usage_error();
    /// assert_eq!(error.kind(), ErrorKind::Usage);
    /// ```
    pub fn into_usage_error(self) -> Error {
        // A `From` impl would make `?` on an `Error` ambiguous for type inference.
        Error::new(ErrorKind::Usage, "invalid number of hosts").caused_by(self)
    }
}

/// A type convertible into a [`BatchSize`]: a number (`4`), a text (`"4"`, `"25%"`), or a
/// [`BatchSize`].
pub trait IntoBatchSize {
    /// Parses or returns the batch size.
    ///
    /// # Errors
    ///
    /// [`BatchSizeError`] for 0, for a percentage above 100%, and for other text.
    fn into_batch_size(self) -> Result<BatchSize, BatchSizeError>;
}

impl IntoBatchSize for BatchSize {
    fn into_batch_size(self) -> Result<BatchSize, BatchSizeError> {
        Ok(self)
    }
}

impl IntoBatchSize for usize {
    fn into_batch_size(self) -> Result<BatchSize, BatchSizeError> {
        BatchSize::hosts(self).ok_or_else(|| BatchSizeError::Zero(self.to_string()))
    }
}

impl IntoBatchSize for NonZeroUsize {
    fn into_batch_size(self) -> Result<BatchSize, BatchSizeError> {
        Ok(BatchSize(HostQuantity::Hosts(self)))
    }
}

impl IntoBatchSize for &str {
    fn into_batch_size(self) -> Result<BatchSize, BatchSizeError> {
        self.parse()
    }
}

impl IntoBatchSize for String {
    fn into_batch_size(self) -> Result<BatchSize, BatchSizeError> {
        self.parse()
    }
}

impl IntoBatchSize for &String {
    fn into_batch_size(self) -> Result<BatchSize, BatchSizeError> {
        self.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_rounded_down_with_a_minimum_of_one_host() {
        let hosts = |percent, total| BatchSize::percent(percent).unwrap().hosts_of(total).get();
        for (percent, total, expected) in [
            (25, 8, 2),
            (25, 11, 2),
            (25, 3, 1),
            (1, 99, 1),
            (1, 200, 2),
            (99, 100, 99),
            (50, 1, 1),
            (100, 7, 7),
            (100, 0, 1),
            (33, 1000, 330),
        ] {
            assert_eq!(hosts(percent, total), expected, "{percent}% of {total}");
        }
        assert_eq!(hosts(100, usize::MAX), usize::MAX);
        for percent in 1..=100_u8 {
            for total in 0..=1000 {
                let expected = (total * usize::from(percent) / 100).max(1);
                assert_eq!(hosts(percent, total), expected, "{percent}% of {total}");
            }
        }
    }

    #[test]
    fn numbers_and_percentages_are_parsed_and_shown() {
        for (text, shown) in [("1", "1"), (" 20 ", "20"), ("007", "7"), ("1%", "1%"), (" 100%", "100%"), ("05%", "5%")]
        {
            assert_eq!(text.parse::<BatchSize>().unwrap().to_string(), shown, "{text:?}");
        }
    }

    #[test]
    fn a_number_above_the_maximum_selects_all_hosts() {
        let size: BatchSize = "99999999999999999999999".parse().unwrap();
        assert_eq!(size.hosts_of(3).get(), usize::MAX);
    }

    #[test]
    fn invalid_texts_have_an_error_with_the_valid_form() {
        let message = |text: &str| text.parse::<BatchSize>().unwrap_err().to_string();
        let neither = "is neither a number of hosts (`2`) nor a percentage (`25%`)";
        for text in ["", "%", "x", "x%", "-1", "+1", "2.5%", "25 %", "25%%", "%25", "1e3"] {
            assert_eq!(message(text), format!("`{text}` {neither}"));
        }
        for text in ["0", "00", "0%", "000%"] {
            assert_eq!(message(text), format!("`{text}` selects no host: the minimum is `1` or `1%`"));
        }
        for text in ["101%", "256%", "1000000%"] {
            assert_eq!(message(text), format!("`{text}` is more than all hosts: the maximum is `100%`"));
        }
        assert_eq!(0.into_batch_size().unwrap_err(), BatchSizeError::Zero("0".to_owned()));
    }
}
