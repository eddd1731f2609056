//! Runs a script together with the dialogue with it.

use std::pin::pin;
use std::time::Duration;

use super::dialog_error::DialogError;
use super::script_run::Script;
use crate::connection::Command;
use crate::error::{CauseText, Result};
use crate::files::backend_error::BackendError;

/// The time that a script has to clean up after a failed talk. Honest scripts remove their temporary files then.
const CLEANUP: Duration = Duration::from_secs(5);

impl Script<'_> {
    /// Runs a script and the talk with it.
    ///
    /// After a failed talk, the input of the script has ended, and the script has [`CLEANUP`] to exit. Then it is
    /// stopped, since a hostile host would stall the run.
    pub(super) async fn run_with<T>(
        &self,
        command: Command,
        talk: impl Future<Output = Result<T, DialogError>>,
    ) -> Result<T, BackendError> {
        let (mut run, mut talk) = (pin!(self.run(command)), pin!(talk));
        let told = tokio::select! {
            output = &mut run => return self.ended(output, talk.await),
            told = &mut talk => told,
        };
        if matches!(told, Ok(_) | Err(DialogError::Over)) {
            return self.ended(run.await, told);
        }
        match tokio::time::timeout(CLEANUP, run).await {
            Ok(output) => self.ended(output, told),
            Err(_) => self.ended(Ok(()), told),
        }
    }

    /// Says what came of both.
    fn ended<O, T>(&self, output: Result<O, BackendError>, told: Result<T, DialogError>) -> Result<T, BackendError> {
        match (output, told) {
            (Err(BackendError::NoShell(error)), _) => Err(BackendError::NoShell(error)),
            // That the host found it too short says less than why.
            (_, Err(DialogError::Failed(error))) => Err(self.context.error(error).into()),
            (_, Err(DialogError::InTheWay(why))) => {
                Err(self.context.could_not(self.operation).caused_by(CauseText(why)).into())
            }
            (_, Err(DialogError::Excess(excess))) => Err(excess.explain(self.context.could_not(self.operation)).into()),
            (Err(undone), _) => Err(undone),
            (Ok(_), Err(DialogError::Over)) => Err(self.context.could_not(self.operation).into()),
            (Ok(_), Ok(told)) => Ok(told),
        }
    }
}
