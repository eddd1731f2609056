//! Connections to machines.

use std::sync::Arc;

use fabrs::config::{Mode, PromptPolicy, Settings, SshConfigSource};
use fabrs::event::{CaptureSink, Sink};
use fabrs::{Client, Connection};
use fabrs_testing::MachineNetwork;

/// Returns a client for the machines, with a capture of its events.
pub(crate) fn client(network: &MachineNetwork, mode: Mode) -> (Client, Arc<CaptureSink>) {
    let capture = Arc::new(CaptureSink::default());
    let ssh_config = SshConfigSource::File(network.ssh_config());
    let settings = Settings::default().ssh_config(ssh_config).prompts(PromptPolicy::Refuse).mode(mode);
    (Client::builder().settings(settings).sink(Arc::clone(&capture) as Arc<dyn Sink>).build(), capture)
}

/// Returns a connection to a machine.
pub(crate) fn connect(network: &MachineNetwork, name: &str) -> Connection {
    client(network, Mode::Run).0.connect(name).expect("the name is a host")
}
