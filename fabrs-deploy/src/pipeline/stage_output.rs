//! [`StageOutput`]: the result of the work of a stage, with a check for failures in its value.

use fabrs::{Error, ErrorKind, Host, Outcome, Outcomes, Output};
use sealed::Checked;

/// The value of successful work: the output of
/// [`PipelineStage::run`](crate::PipelineStage::run).
///
/// A value can hold a failure: the [`Output`] of a command with `.warn()`, or the [`Outcomes`] of a
/// group. Such work has failed. The trait is sealed, and implemented for `()`, [`Output`],
/// [`Outcomes`], `String`, [`Host`], and for a `Vec`, an `Option` or a pair of these types. Other
/// work ends with `Ok(())`.
pub trait StageOutput: Checked {}

impl<T: Checked> StageOutput for T {}

pub(super) mod sealed {
    use fabrs::Error;

    /// A value with a check for failures.
    #[diagnostic::on_unimplemented(
        message = "the work of a stage cannot return `{Self}`",
        label = "a failure in this value would be recorded as passed",
        note = "end the work with `Ok(())`, after `?` for each failure"
    )]
    pub trait Checked {
        /// Returns the failure in the value. A planned command of a dry run is no failure.
        ///
        /// # Errors
        ///
        /// The error of the failed command, or of the first failed host.
        fn check(&self) -> Result<(), Error>;
    }
}

impl Checked for () {
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl Checked for String {
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl Checked for Host {
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl Checked for Output {
    fn check(&self) -> Result<(), Error> {
        if !self.was_run() {
            return Ok(());
        }
        let status = self.status()?;
        if status.success() {
            return Ok(());
        }
        let text = format!("`{}` failed with {status}", self.command());
        Err(Error::new(ErrorKind::Task, text).on(self.host()).hint("remove `.warn()`, or check the output in the work"))
    }
}

impl<T: Checked> Checked for Outcomes<T> {
    fn check(&self) -> Result<(), Error> {
        for (host, outcome) in self {
            match outcome {
                Outcome::Ok(value) => value.check()?,
                Outcome::Incomplete(_) => {}
                // A skipped host is not tested.
                failed => {
                    let kind = failed.error().map_or(ErrorKind::Cancelled, Error::kind);
                    let cause = failed.error().map_or("not started", Error::message);
                    let error = Error::new(kind, format!("the work failed: {cause}")).on(host);
                    return Err(error.hint("add `.all_ok()?` to the group"));
                }
            }
        }
        Ok(())
    }
}

impl<T: Checked> Checked for Vec<T> {
    fn check(&self) -> Result<(), Error> {
        self.iter().try_for_each(Checked::check)
    }
}

impl<T: Checked> Checked for Option<T> {
    fn check(&self) -> Result<(), Error> {
        self.iter().try_for_each(Checked::check)
    }
}

impl<A: Checked, B: Checked> Checked for (A, B) {
    fn check(&self) -> Result<(), Error> {
        self.0.check()?;
        self.1.check()
    }
}
