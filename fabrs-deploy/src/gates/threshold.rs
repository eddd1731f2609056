//! The limits of a measured value.

use fabrs::{Error, ErrorKind};

use crate::gates::gate::Measurement;

/// The lowest and the highest good value.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Threshold {
    pub(super) at_least: Option<f64>,
    pub(super) at_most: Option<f64>,
}

impl Threshold {
    /// Checks that there is a limit, and that all limits are numbers.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] with the name of the gate.
    pub(super) fn check(self, gate: &str) -> Result<(), Error> {
        let mut limits = self.at_least.into_iter().chain(self.at_most).peekable();
        if limits.peek().is_none() {
            let error = Error::new(ErrorKind::Usage, format!("the gate `{gate}` has no limit"));
            return Err(error.hint("add `.at_most(..)` or `.at_least(..)`"));
        }
        if limits.any(f64::is_nan) {
            return Err(Error::new(ErrorKind::Usage, format!("a limit of the gate `{gate}` is not a number")));
        }
        Ok(())
    }

    /// Compares a value with the limits.
    pub(super) fn judge(self, value: f64) -> Measurement {
        if let Some(limit) = self.at_most.filter(|limit| value > *limit) {
            return Measurement::bad(format!("{value} is above the limit {limit}"));
        }
        if let Some(limit) = self.at_least.filter(|limit| value < *limit) {
            return Measurement::bad(format!("{value} is below the limit {limit}"));
        }
        if value.is_nan() { Measurement::inconclusive("not a number") } else { Measurement::good(value.to_string()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gates::gate::Verdict;

    #[test]
    fn a_gate_without_a_limit_is_a_usage_error() {
        let with = |at_most| Threshold { at_least: None, at_most }.check("load");
        assert_eq!(with(None).unwrap_err().message(), "the gate `load` has no limit");
        assert_eq!(with(Some(f64::NAN)).unwrap_err().kind(), ErrorKind::Usage);
        with(Some(4.0)).unwrap();
    }

    #[test]
    fn a_value_outside_the_limits_is_bad() {
        let limits = Threshold { at_least: Some(0.5), at_most: Some(4.0) };
        assert_eq!(limits.judge(4.0).verdict, Verdict::Good);
        assert_eq!(limits.judge(4.5).text, "4.5 is above the limit 4");
        assert_eq!(limits.judge(0.25).text, "0.25 is below the limit 0.5");
        assert_eq!(limits.judge(f64::NAN).verdict, Verdict::Inconclusive);
    }
}
