//! A put through a gateway needs little more memory than a direct put, even if the gateway is slow.

use std::time::Duration;

use fabrs_testing::Sshd;
use fabrs_testing::faults::Proxy;

use crate::case::{Case, Measurement};

/// The hosts behind the gateway.
const HOSTS: [&str; 4] = ["host1", "host2", "host3", "host4"];
/// The size of the file, in bytes. The size exceeds the windows of all channels of a transfer.
const SIZE: usize = 24 << 20;
/// The maximum growth of the peak for each host, in bytes beyond the peak of a direct put.
const LIMIT: u64 = 6 << 20;
/// The delay of the network to and from the gateway. The delay keeps the tunnel of each host full.
const DELAY: Duration = Duration::from_millis(150);

pub(crate) fn check() -> Result<(), String> {
    let server = Sshd::builder().aliases(HOSTS).start();
    let gateway = Sshd::builder().authorize(server.identity_key()).start();
    let proxy = Proxy::to(gateway.addr()).delay_both(DELAY);
    let harness = std::fs::read_to_string(server.ssh_config()).expect("the harness wrote the config");
    let config = format!(
        "Host jump\n    HostName 127.0.0.1\n    Port {}\n    HostKeyAlias [127.0.0.1]:{}\n    UserKnownHostsFile {}\n\
         Host host*\n    ProxyJump jump\n{harness}",
        proxy.port(),
        gateway.port(),
        gateway.known_hosts().display(),
    );
    let through = server.dir().join("ssh_config_through");
    std::fs::write(&through, config).expect("the directory is ours");
    let source = server.dir().join("source");
    let content: Vec<u8> = (1..=u8::MAX).cycle().take(SIZE).collect();
    std::fs::write(&source, content).expect("the directory is ours");
    let put = |ssh_config, name| Case {
        hosts: HOSTS.join(","),
        ssh_config,
        operation: "put".to_owned(),
        source: source.display().to_string(),
        // A host may find the file of another host at the target: the content is the same.
        target: server.scratch().join(name).display().to_string(),
    };
    let Measurement { growth: direct, errors } = put(server.ssh_config(), "direct").measure();
    let Measurement { growth: tunnelled, errors: others } = put(through, "through").measure();
    if !errors.is_empty() || !others.is_empty() {
        return Err(format!("{errors}{others}"));
    }
    let hosts = HOSTS.len() as u64;
    if tunnelled > direct + hosts * LIMIT {
        return Err(format!("direct: {} MiB, through a gateway: {} MiB", direct >> 20, tunnelled >> 20));
    }
    Ok(())
}
