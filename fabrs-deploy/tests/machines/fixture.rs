//! Connections to machines.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use fabrs::config::{Mode, PromptPolicy, Settings, SshConfigSource};
use fabrs::event::{CaptureSink, Sink};
use fabrs::{Client, Connection};
use fabrs_testing::MachineNetwork;
use tokio::task::JoinHandle;

/// The time limit of a wait, long enough for a boot on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_mins(3);

/// A silent host is lost after five seconds instead of one minute.
const SHORT_LIMITS: &str = "Host *\n    ServerAliveInterval 1\n    ServerAliveCountMax 5\n    ConnectTimeout ";

/// The time limit of a connect in seconds.
const CONNECT_LIMIT: u32 = 30;

/// Returns a client for the machines, with a capture of its events.
pub(crate) fn client(network: &MachineNetwork, mode: Mode) -> (Client, Arc<CaptureSink>) {
    client_with_limit(network, mode, CONNECT_LIMIT)
}

/// Returns a client with a time limit of a connect in seconds. A run with a lost balancer connects
/// to it several times.
pub(crate) fn client_with_limit(network: &MachineNetwork, mode: Mode, limit: u32) -> (Client, Arc<CaptureSink>) {
    let config = network.dir().join("ssh_config_short_limits");
    let machines = fs::read_to_string(network.ssh_config()).expect("the network wrote the file");
    fs::write(&config, format!("{SHORT_LIMITS}{limit}\n{machines}")).expect("a writable directory");
    let capture = Arc::new(CaptureSink::default());
    let ssh_config = SshConfigSource::File(config);
    let settings = Settings::default().ssh_config(ssh_config).prompts(PromptPolicy::Refuse).mode(mode);
    (Client::builder().settings(settings).sink(Arc::clone(&capture) as Arc<dyn Sink>).build(), capture)
}

/// Returns a connection to a machine.
pub(crate) fn connect(network: &MachineNetwork, name: &str) -> Connection {
    client(network, Mode::Run).0.connect(name).expect("the name is a host")
}

/// Starts a request, for an action before its end.
#[expect(clippy::disallowed_methods, reason = "each test awaits the task")]
pub(crate) fn spawn<F>(request: F) -> JoinHandle<F::Output>
where
    F: IntoFuture<IntoFuture: Send + 'static, Output: Send + 'static>,
{
    tokio::spawn(request.into_future())
}
