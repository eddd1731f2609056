//! Demo hosts (`-H @demo`): contained hosts, created for the run and removed afterwards.

use std::cell::RefCell;
use std::process::ExitCode;
use std::sync::Arc;

use fabrs_core::config::Settings;
use fabrs_core::event::Sink;
use fabrs_core::{ClientBuilder, Host, Result};
use fabrs_demo::{Demo, DemoDialer};

/// Runs this process as a helper of a demo host, if the parent process started it for this
/// purpose. Returns `None` in a normal start of the program.
pub(crate) fn helper_main() -> Option<ExitCode> {
    fabrs_demo::run_helper()
}

/// Returns the hosts for `@NAME`, or `None` if `NAME` is not the name of a demo.
pub(crate) fn hosts_of(name: &str) -> Option<Result<Vec<Host>>> {
    fabrs_demo::parse_hosts(name)
}

/// The demo hosts requested on the command line.
#[derive(Debug, Default)]
pub(crate) struct RequestedHosts {
    names: RefCell<Vec<String>>,
}

impl RequestedHosts {
    /// Returns the hosts for `@NAME` and adds them to this set. Returns `None` if `NAME` is not
    /// the name of a demo.
    pub(crate) fn hosts(&self, name: &str) -> Option<Result<Vec<Host>>> {
        let hosts = fabrs_demo::parse_hosts(name)?;
        let mut names = self.names.borrow_mut();
        for host in hosts.iter().flatten().map(Host::name) {
            if !names.iter().any(|known| known == host) {
                names.push(host.to_owned());
            }
        }
        Some(hosts)
    }

    /// Returns the names of all hosts requested so far.
    pub(crate) fn names(&self) -> Vec<String> {
        self.names.borrow().clone()
    }

    /// Starts the requested hosts. Returns `None` if there are none.
    ///
    /// # Errors
    ///
    /// [`Usage`](fabrs_core::ErrorKind::Usage) if this machine does not allow namespaces, needed to
    /// contain a demo host.
    pub(crate) fn start(self, settings: &Settings) -> Result<Option<DemoHosts>> {
        let names = self.names.into_inner();
        if names.is_empty() {
            return Ok(None);
        }
        // As on any host, `-u` selects the login user.
        let demo = Demo::builder(names).account(settings.user.argument.as_deref()).start()?;
        Ok(Some(DemoHosts { demo: Arc::new(demo) }))
    }
}

/// Running demo hosts. Dropping this value stops them.
#[derive(Debug)]
pub(crate) struct DemoHosts {
    demo: Arc<Demo>,
}

impl DemoHosts {
    /// Makes a client connect to these hosts with their own keys and ports. Connections to other
    /// hosts are unchanged.
    pub(crate) fn dial_through(
        &self,
        client: ClientBuilder,
        settings: &Settings,
        sink: &Arc<dyn Sink>,
    ) -> ClientBuilder {
        let (demo, settings, sink) = (Arc::clone(&self.demo), settings.clone(), Arc::clone(sink));
        client.wrap_dial(move |inner| Arc::new(DemoDialer::new(inner, demo, &settings, sink)))
    }
}
