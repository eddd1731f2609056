//! What came of a script and of the talk with it.

use std::pin::pin;
use std::time::Duration;

use super::limits::Excess;
use super::{Script, Undone};
use crate::connection::Command;
use crate::error::{CauseText, Error, Result};

/// The time that a script has to clean up after a failed talk. Honest scripts remove their temporary files then.
const CLEANUP: Duration = Duration::from_secs(5);

/// The script has ended, or says what it was not asked: its own end tells why.
#[derive(Debug)]
pub(super) struct Over;

/// Why a talk has not come to its end.
#[derive(Debug)]
pub(super) enum Broken {
    /// The script has ended, and tells why.
    Over,
    /// Something on the host stands in the way, and nothing is done.
    InTheWay(String),
    /// The host sent more than a limit.
    Excess(Excess),
    /// It failed on this side.
    Failed(Error),
}

impl From<Over> for Broken {
    fn from(Over: Over) -> Self {
        Self::Over
    }
}

impl From<Excess> for Broken {
    fn from(excess: Excess) -> Self {
        Self::Excess(excess)
    }
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Script<'_> {
    /// Runs a script and the talk with it.
    ///
    /// After a failed talk, the input of the script has ended, and the script has [`CLEANUP`] to exit. Then it is
    /// stopped, since a hostile host would stall the run.
    pub(super) async fn run_with<T>(
        &self,
        command: Command,
        talk: impl Future<Output = Result<T, Broken>>,
    ) -> Result<T, Undone> {
        let (mut run, mut talk) = (pin!(self.run(command)), pin!(talk));
        let told = tokio::select! {
            output = &mut run => return self.ended(output, talk.await),
            told = &mut talk => told,
        };
        if matches!(told, Ok(_) | Err(Broken::Over)) {
            return self.ended(run.await, told);
        }
        match tokio::time::timeout(CLEANUP, run).await {
            Ok(output) => self.ended(output, told),
            Err(_) => self.ended(Ok(()), told),
        }
    }

    /// Says what came of both.
    fn ended<O, T>(&self, output: Result<O, Undone>, told: Result<T, Broken>) -> Result<T, Undone> {
        match (output, told) {
            (Err(Undone::NoShell(error)), _) => Err(Undone::NoShell(error)),
            // That the host found it too short says less than why.
            (_, Err(Broken::Failed(error))) => Err(self.place.error(error).into()),
            (_, Err(Broken::InTheWay(why))) => Err(self.place.could_not(self.what).caused_by(CauseText(why)).into()),
            (_, Err(Broken::Excess(excess))) => Err(excess.explain(self.place.could_not(self.what)).into()),
            (Err(undone), _) => Err(undone),
            (Ok(_), Err(Broken::Over)) => Err(self.place.could_not(self.what).into()),
            (Ok(_), Ok(told)) => Ok(told),
        }
    }
}
