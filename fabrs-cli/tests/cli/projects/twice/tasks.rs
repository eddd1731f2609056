//! Two tasks with the same name, in two modules.

mod web {
    use fabrs::prelude::*;

    /// Reloads the web server.
    #[task(local)]
    pub(crate) fn reload() {}
}

mod queue {
    use fabrs::prelude::*;

    /// Reloads the queue.
    #[task(local)]
    pub(crate) fn reload() {}
}
