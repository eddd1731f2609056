//! `-H @demo`: contained hosts for this run alone.

use std::cell::RefCell;
use std::process::ExitCode;
use std::sync::Arc;

use fabrs_core::config::Settings;
use fabrs_core::event::Sink;
use fabrs_core::{ClientBuilder, Host, Result};
use fabrs_demo::{Demo, DemoDial};

/// Plays a part of a demo where this process was started for one.
pub(crate) fn helper_main() -> Option<ExitCode> {
    fabrs_demo::arrive()
}

/// Returns the hosts that `@NAME` means, where it is a name of a demo.
pub(crate) fn hosts_of(name: &str) -> Option<Result<Vec<Host>>> {
    fabrs_demo::hosts(name)
}

/// The demo hosts that were asked for.
#[derive(Debug, Default)]
pub(crate) struct RequestedHosts {
    names: RefCell<Vec<String>>,
}

impl RequestedHosts {
    /// Returns the hosts that `@NAME` means, and remembers them; `None` where it is no name of a demo.
    pub(crate) fn hosts(&self, name: &str) -> Option<Result<Vec<Host>>> {
        let hosts = fabrs_demo::hosts(name)?;
        let mut names = self.names.borrow_mut();
        for host in hosts.iter().flatten().map(Host::name) {
            if !names.iter().any(|known| known == host) {
                names.push(host.to_owned());
            }
        }
        Some(hosts)
    }

    /// Returns the names of the hosts so far.
    pub(crate) fn names(&self) -> Vec<String> {
        self.names.borrow().clone()
    }

    /// Starts them, where there are any.
    ///
    /// # Errors
    ///
    /// [`Usage`](fabrs_core::ErrorKind::Usage) where this machine does not let them be contained.
    pub(crate) fn start(self, settings: &Settings) -> Result<Option<DemoHosts>> {
        let names = self.names.into_inner();
        if names.is_empty() {
            return Ok(None);
        }
        // Who was command_line is who logs in, as on any host.
        let demo = Demo::of(names).account(settings.user.argument.as_deref()).start()?;
        Ok(Some(DemoHosts { demo: Arc::new(demo) }))
    }
}

/// Demo hosts that run; they end when this is dropped.
#[derive(Debug)]
pub(crate) struct DemoHosts {
    demo: Arc<Demo>,
}

impl DemoHosts {
    /// Has a client reach them by their own keys and ports, and all others as before.
    pub(crate) fn dial_through(
        &self,
        client: ClientBuilder,
        settings: &Settings,
        sink: &Arc<dyn Sink>,
    ) -> ClientBuilder {
        let (demo, settings, sink) = (Arc::clone(&self.demo), settings.clone(), Arc::clone(sink));
        client.dial_around(move |inner| Arc::new(DemoDial::new(inner, demo, &settings, sink)))
    }
}
