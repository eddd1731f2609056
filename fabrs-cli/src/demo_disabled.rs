//! `-H @demo` in a tool that was built without it.

use std::process::ExitCode;
use std::sync::Arc;

use fabrs_core::config::Settings;
use fabrs_core::event::Sink;
use fabrs_core::{ClientBuilder, Error, ErrorKind, Host, Result};

/// Plays no part: there are none.
pub(crate) fn helper_main() -> Option<ExitCode> {
    None
}

/// Says that `@demo` is not there; `None` where it is no name of a demo.
pub(crate) fn hosts_of(name: &str) -> Option<Result<Vec<Host>>> {
    let is_demo = name.split(':').next() == Some("demo");
    let error = || Error::new(ErrorKind::Usage, "this tool was built without `@demo`");
    is_demo.then(|| Err(error().hint("a file of that name is `@./demo`; this machine is `@local`")))
}

/// The demo hosts that were asked for: an error.
#[derive(Debug, Default)]
pub(crate) struct RequestedHosts {}

impl RequestedHosts {
    /// Says that `@demo` is not there; `None` where it is no name of a demo.
    #[expect(clippy::unused_self, reason = "it stands for what remembers them")]
    pub(crate) fn hosts(&self, name: &str) -> Option<Result<Vec<Host>>> {
        hosts_of(name)
    }

    /// Returns the names of the hosts so far: there are none.
    #[expect(clippy::unused_self, reason = "it stands for what remembers them")]
    pub(crate) fn names(&self) -> Vec<String> {
        Vec::new()
    }

    /// Starts nothing.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "it stands for what can fail")]
    pub(crate) fn start(self, _: &Settings) -> Result<Option<DemoHosts>> {
        Ok(None)
    }
}

/// Demo hosts that run: none ever do.
#[derive(Debug)]
pub(crate) enum DemoHosts {}

impl DemoHosts {
    pub(crate) fn dial_through(&self, _: ClientBuilder, _: &Settings, _: &Arc<dyn Sink>) -> ClientBuilder {
        match *self {}
    }
}
