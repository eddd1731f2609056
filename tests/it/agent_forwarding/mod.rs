//! Agent forwarding: commands of a host use the keys of the local agent.

mod access;
mod refusals;

use fabrs::config::Settings;
use fabrs::{Client, ClientBuilder};
use fabrs_testing::{Key, KeyType, SshAgent, Sshd, SshdBuilder};

use crate::support::{settings, ssh_config};

/// A command that lists the fingerprints of the keys in the agent. Fails without an agent.
const LIST: &str = "ssh-add -l";

/// A server, and a local agent with one key. The server does not accept the key.
struct Fixture {
    sshd: Sshd,
    agent: SshAgent,
    key: Key,
}

impl Fixture {
    fn start() -> Self {
        Self::with(Sshd::builder())
    }

    fn with(builder: SshdBuilder) -> Self {
        Self::of(builder.start())
    }

    fn of(sshd: Sshd) -> Self {
        let key = Key::generate(sshd.dir().join("held"), KeyType::Ed25519, "");
        let agent = SshAgent::holding(&[&key], sshd.dir());
        Self { sshd, agent, key }
    }

    /// Returns settings with the agent. The lines in `first` precede the lines of the ssh config.
    fn settings(&self, first: &str) -> Settings {
        settings(&ssh_config(&self.sshd, &format!("{first}\n{}", self.agent.line())))
    }

    fn client(&self, first: &str) -> ClientBuilder {
        Client::builder().settings(self.settings(first))
    }
}
