//! Runs a script and the dialogue with the script concurrently.

use std::pin::pin;
use std::time::Duration;

use super::dialog_error::DialogError;
use super::script_run::ScriptRun;
use crate::connection::Command;
use crate::error::{CauseText, Result};
use crate::transfer::backend_error::BackendError;

/// The time limit for a script to exit after a failed dialogue. An intact script removes the
/// temporary files in this time.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(5);

impl ScriptRun<'_> {
    /// Runs a script and the dialogue with the script.
    ///
    /// A failed dialogue closes the stdin of the script. The script then has [`CLEANUP_TIMEOUT`] to
    /// exit, and is stopped after this time, since a hostile host could stall the run.
    pub(crate) async fn run_with<T>(
        &self,
        command: Command,
        dialog: impl Future<Output = Result<T, DialogError>>,
    ) -> Result<T, BackendError> {
        let (mut run, mut dialog) = (pin!(self.run(command)), pin!(dialog));
        let result = tokio::select! {
            output = &mut run => return self.combine(output, dialog.await),
            result = &mut dialog => result,
        };
        if matches!(result, Ok(_) | Err(DialogError::ScriptEnded)) {
            return self.combine(run.await, result);
        }
        match tokio::time::timeout(CLEANUP_TIMEOUT, run).await {
            Ok(output) => self.combine(output, result),
            Err(_) => self.combine(Ok(()), result),
        }
    }

    /// Combines the result of the command with the result of the dialogue.
    fn combine<O, T>(
        &self,
        output: Result<O, BackendError>,
        result: Result<T, DialogError>,
    ) -> Result<T, BackendError> {
        match (output, result) {
            (Err(BackendError::NoShell(error)), _) => Err(BackendError::NoShell(error)),
            // The local error contains the cause. The script only reports an incomplete file.
            (_, Err(DialogError::Failed(error))) => Err(self.context.error(error).into()),
            (_, Err(DialogError::Obstacle(why))) => {
                Err(self.context.could_not(self.operation).caused_by(CauseText(why)).into())
            }
            (_, Err(DialogError::Excess(excess))) => Err(excess.explain(self.context.could_not(self.operation)).into()),
            (Err(failure), _) => Err(failure),
            (Ok(_), Err(DialogError::ScriptEnded)) => Err(self.context.could_not(self.operation).into()),
            (Ok(_), Ok(result)) => Ok(result),
        }
    }
}
