//! The gate for error lines in a log.

use std::sync::Arc;

use fabrs::{Error, TaskError};

use crate::gates::gate::{Gate, GateFuture, Measurement, measure_each};
use crate::gates::watched_host::WatchedHost;
use crate::service_log::{ErrorLines, ServiceLog};

/// The default pattern of an error line.
const PATTERN: &str = "ERROR|CRITICAL|FATAL|Traceback|panicked at";

/// A gate that counts the error lines of a log since the switch, on each host.
///
/// Without a limit, a single error fails the gate. A line of a journal is an error if its priority
/// is `err` or higher, or if the line matches the pattern. A line of a file must match the pattern.
///
/// ```
/// use fabrs::prelude::*;
/// use fabrs_deploy::{Canary, LogErrors, Site};
///
/// let errors = LogErrors::journal("shop").at_most_ratio(1.5);
/// let site = Site::new("/srv/shop").strategy(Canary::hosts(1).watch(mins(5)).gate(errors));
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
#[must_use = "a gate does nothing until a site or a canary has it"]
pub struct LogErrors {
    log: ServiceLog,
    pattern: String,
    at_most: Option<u64>,
    at_most_ratio: Option<f64>,
}

impl LogErrors {
    /// Counts the errors of any log.
    ///
    /// ```
    /// # use fabrs_deploy::{Gate, LogErrors, ServiceLog};
    /// let errors = LogErrors::of(ServiceLog::journal("shop").sudo());
    /// assert_eq!(errors.name(), "errors in the journal of `shop`");
    /// ```
    pub fn of(log: ServiceLog) -> Self {
        Self { log, pattern: PATTERN.to_owned(), at_most: None, at_most_ratio: None }
    }

    /// Counts the errors in the journal of a systemd unit. As [`ServiceLog::journal`].
    ///
    /// ```
    /// # use fabrs_deploy::{Gate, LogErrors};
    /// assert_eq!(LogErrors::journal("shop").name(), "errors in the journal of `shop`");
    /// ```
    pub fn journal(unit: impl Into<String>) -> Self {
        Self::of(ServiceLog::journal(unit))
    }

    /// Counts the errors in a file. As [`ServiceLog::file`]. A missing file is no error before the
    /// switch, since the service may create it. A file still missing afterwards is inconclusive.
    ///
    /// ```
    /// # use fabrs_deploy::{Gate, LogErrors};
    /// assert_eq!(LogErrors::file("/var/log/shop.log").name(), "errors in the file `/var/log/shop.log`");
    /// ```
    pub fn file(path: impl Into<String>) -> Self {
        Self::of(ServiceLog::file(path))
    }

    /// Sets the pattern of an error line: an extended regular expression of `grep`. Defaults to
    /// `ERROR|CRITICAL|FATAL|Traceback|panicked at`.
    ///
    /// At each reload, gunicorn 23 logs `[ERROR] Worker (pid:1) was sent SIGTERM!`. Set a pattern
    /// without this line, such as `ERROR:|Traceback`.
    ///
    /// ```
    /// # use fabrs_deploy::LogErrors;
    /// let errors = LogErrors::file("/var/log/nginx/access.log").pattern("\" 50[0-9] ");
    /// assert!(format!("{errors:?}").contains("50[0-9]"));
    /// ```
    pub fn pattern(mut self, pattern: impl Into<String>) -> Self {
        self.pattern = pattern.into();
        self
    }

    /// Sets the maximum number of error lines since the switch.
    ///
    /// ```
    /// # use fabrs_deploy::LogErrors;
    /// let errors = LogErrors::journal("shop").at_most(3);
    /// assert!(format!("{errors:?}").contains("at_most: Some(3)"));
    /// ```
    pub fn at_most(mut self, lines: u64) -> Self {
        self.at_most = Some(lines);
        self
    }

    /// Sets the maximum ratio of error lines since the switch to error lines in a span of the same
    /// length before the switch. If the span before has no error, its count is 1.
    ///
    /// For a file, the span before begins at the start of the build, and its number of errors is
    /// scaled to the time since the switch.
    ///
    /// ```
    /// # use fabrs_deploy::LogErrors;
    /// let errors = LogErrors::journal("shop").at_most_ratio(1.5);
    /// assert!(format!("{errors:?}").contains("1.5"));
    /// ```
    pub fn at_most_ratio(mut self, ratio: f64) -> Self {
        self.at_most_ratio = Some(ratio);
        self
    }

    async fn measure_host(self, host: WatchedHost) -> Result<Measurement, TaskError> {
        let Some(span) = host.span(&self.log) else {
            return Ok(Measurement::inconclusive(format!(
                "the position of the {} before the switch was not recorded",
                self.log
            )));
        };
        let (connection, root) = (host.app().host(), host.app().root());
        let errors = self.log.error_lines(connection, root, [&span.start, &span.switch], &self.pattern).await?;
        Ok(match errors {
            Ok(errors) => self.judge(errors),
            Err(reason) => Measurement::inconclusive(reason),
        })
    }

    /// Compares the number of errors with the limits.
    fn judge(&self, errors: ErrorLines) -> Measurement {
        let ErrorLines { after, before } = errors;
        let count = match after {
            1 => "1 error line since the switch".to_owned(),
            _ => format!("{after} error lines since the switch"),
        };
        let at_most = match (self.at_most, self.at_most_ratio) {
            (None, None) => Some(0),
            (at_most, _) => at_most,
        };
        if let Some(limit) = at_most.filter(|limit| after > *limit) {
            return Measurement::bad(format!("{count}, at most {limit} allowed"));
        }
        #[expect(clippy::cast_precision_loss, reason = "a number of lines")]
        let ratio = after as f64 / before.max(1.0);
        match self.at_most_ratio {
            Some(limit) if ratio > limit => Measurement::bad(format!(
                "{count}, {before:.0} in the same time before: a ratio of {ratio:.1}, at most {limit} allowed"
            )),
            _ => Measurement::good(count),
        }
    }
}

impl Gate for LogErrors {
    fn name(&self) -> String {
        format!("errors in the {}", self.log)
    }

    fn check(&self) -> Result<(), Error> {
        self.log.check()
    }

    fn logs(&self) -> Vec<ServiceLog> {
        vec![self.log.clone()]
    }

    fn measure(&self, hosts: Arc<[WatchedHost]>) -> GateFuture {
        let gate = self.clone();
        measure_each(hosts, move |host| gate.clone().measure_host(host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gates::gate::Verdict;

    fn verdict(gate: &LogErrors, after: u64, before: f64) -> Verdict {
        gate.judge(ErrorLines { after, before }).verdict
    }

    #[test]
    fn without_a_limit_a_single_error_is_bad() {
        let gate = LogErrors::journal("shop");
        assert_eq!(verdict(&gate, 0, 9.0), Verdict::Good);
        assert_eq!(verdict(&gate, 1, 9.0), Verdict::Bad);
    }

    #[test]
    fn each_limit_alone_can_fail_the_gate() {
        let gate = LogErrors::journal("shop").at_most(10).at_most_ratio(1.5);
        assert_eq!(verdict(&gate, 6, 4.0), Verdict::Good);
        assert_eq!(verdict(&gate, 7, 4.0), Verdict::Bad);
        assert_eq!(verdict(&gate, 11, 100.0), Verdict::Bad);
    }

    #[test]
    fn a_span_without_errors_counts_as_one_error() {
        let gate = LogErrors::journal("shop").at_most_ratio(2.0);
        assert_eq!(verdict(&gate, 2, 0.0), Verdict::Good);
        let bad = gate.judge(ErrorLines { after: 3, before: 0.0 });
        assert_eq!(
            bad.text,
            "3 error lines since the switch, 0 in the same time before: a ratio of 3.0, at most 2 allowed"
        );
    }
}
