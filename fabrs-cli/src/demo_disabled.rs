//! Replacement of the `demo` module in builds without the `demo` feature: `-H @demo` is an error.

use std::process::ExitCode;
use std::sync::Arc;

use fabrs_core::config::Settings;
use fabrs_core::event::Sink;
use fabrs_core::{ClientBuilder, Error, ErrorKind, Host, Result};

/// Does nothing: this build has no helper processes.
pub(crate) fn helper_main() -> Option<ExitCode> {
    None
}

/// Returns an error for `@demo`, and `None` for every other name.
pub(crate) fn hosts_of(name: &str) -> Option<Result<Vec<Host>>> {
    let is_demo = name.split(':').next() == Some("demo");
    let error = || Error::new(ErrorKind::Usage, "this tool was built without the `demo` feature");
    is_demo.then(|| Err(error().hint("use `@./demo` for a host file of this name, or `@local` for this machine")))
}

/// The demo hosts requested on the command line. Each request is an error in this build.
#[derive(Debug, Default)]
pub(crate) struct RequestedHosts {}

impl RequestedHosts {
    /// Returns an error for `@demo`, and `None` for every other name.
    #[expect(clippy::unused_self, reason = "same signature as in the `demo` feature")]
    pub(crate) fn hosts(&self, name: &str) -> Option<Result<Vec<Host>>> {
        hosts_of(name)
    }

    /// Returns an empty list.
    #[expect(clippy::unused_self, reason = "same signature as in the `demo` feature")]
    pub(crate) fn names(&self) -> Vec<String> {
        Vec::new()
    }

    /// Returns `None`: this build can't start demo hosts.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "same signature as in the `demo` feature")]
    pub(crate) fn start(self, _: &Settings) -> Result<Option<DemoHosts>> {
        Ok(None)
    }
}

/// Running demo hosts. This build can't create a value of this type.
#[derive(Debug)]
pub(crate) enum DemoHosts {}

impl DemoHosts {
    pub(crate) fn dial_through(&self, _: ClientBuilder, _: &Settings, _: &Arc<dyn Sink>) -> ClientBuilder {
        match *self {}
    }
}
