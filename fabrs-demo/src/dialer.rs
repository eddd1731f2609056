//! Dialer for demo hosts. Passes all other hosts to another dialer.

use std::fmt;
use std::sync::Arc;

use fabrs_core::Host;
use fabrs_core::Result;
use fabrs_core::config::{Layered, ProcessEnv, Settings, SshConfigSource};
use fabrs_core::event::Sink;
use fabrs_core::ssh::{SshDialer, SshSettings};
use fabrs_core::transport::{Dialer, EffectMode, NoPrompter, Transport};
use futures::future::{BoxFuture, FutureExt};

use crate::demo::Demo;

/// Opens transports to demo hosts with the `ssh_config` of the demo. Passes all other hosts to
/// another [`Dialer`].
///
/// The run's settings for user, port, gateway and keys do not apply to demo hosts.
pub struct DemoDialer {
    inner: Arc<dyn Dialer>,
    ssh: SshDialer,
    demo: Arc<Demo>,
}

impl DemoDialer {
    /// Wraps `inner`, the [`Dialer`] for all other hosts.
    pub fn new(inner: Arc<dyn Dialer>, demo: Arc<Demo>, settings: &Settings, sink: Arc<dyn Sink>) -> Self {
        let settings = settings
            .clone()
            .user(Layered::default())
            .port(Layered::default())
            .gateway(Layered::default())
            .forward_agent(Layered::default())
            .identities(Vec::new())
            .ssh_config(SshConfigSource::File(demo.ssh_config()));
        let ssh = SshSettings::new(&settings, ProcessEnv::from_env(), Arc::new(NoPrompter), sink);
        Self { inner, ssh: SshDialer::new(ssh), demo }
    }
}

impl Dialer for DemoDialer {
    fn dial(&self, host: &Host) -> Result<Arc<dyn Transport>> {
        if self.demo.contains(host) { self.ssh.dial(&without_port(host)) } else { self.inner.dial(host) }
    }

    fn begin_effect(&self, name: &str) -> Result<EffectMode> {
        self.inner.begin_effect(name)
    }

    fn route(&self, host: &Host) -> Result<String> {
        if self.demo.contains(host) { Ok(format!("demo {host}")) } else { self.inner.route(host) }
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.inner.close().boxed()
    }
}

/// Returns `host` without a port, because the `ssh_config` of the demo sets the port.
fn without_port(host: &Host) -> Host {
    let plain = host.name().parse::<Host>();
    plain.map_or_else(|_| host.clone(), |plain| plain.or_user(host.user()))
}

impl fmt::Debug for DemoDialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DemoDialer").field("demo", &self.demo).finish_non_exhaustive()
    }
}
