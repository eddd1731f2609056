//! The client of the current run: the run of the calling task, else the default run of the process.

use super::handle::Client;
use crate::connection::task_state;
use crate::state::{install_process_run, process_run};

impl Client {
    /// Makes this client the default of the process, until the client is dropped.
    ///
    /// [`Connection::to`](crate::Connection::to) and [`Group::to`](crate::Group::to) then use this
    /// client everywhere in the process, also in threads and spawned tasks. A client built later
    /// joins the run of this client, and shares the dry run. `fab` has a single run and calls this
    /// method. A program with several runs must not call this method.
    pub fn install_global(&self) {
        install_process_run(self.state());
    }

    /// Returns the client of the current run, if the caller is inside a task or the process has a
    /// default run.
    pub(crate) fn current_run() -> Option<Self> {
        task_state().or_else(process_run).map(Self::from_state)
    }
}
