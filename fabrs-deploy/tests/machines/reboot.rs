//! Reboots.

use fabrs::ErrorKind;
use fabrs::prelude::secs;
use fabrs_deploy::Provision;
use fabrs_testing::MachineNetwork;

use crate::fixture::connect;

#[tokio::test(flavor = "multi_thread")]
async fn a_reboot_returns_after_the_new_boot_accepts_a_command() {
    let network = MachineNetwork::start(["web1"]);
    let (web1, before) = (connect(&network, "web1"), network.machine("web1").boot_id());
    web1.reboot().await.unwrap();
    let after = web1.probe("cat /proc/sys/kernel/random/boot_id").line().await.unwrap();
    assert_ne!(after, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_stays_off_is_an_error_after_the_limit() {
    let network = MachineNetwork::start(["web1"]);
    let web1 = connect(&network, "web1");
    // The machine powers off instead of rebooting.
    network.machine("web1").run("ln -sf /lib/systemd/system/poweroff.target /etc/systemd/system/reboot.target");
    network.machine("web1").run("systemctl daemon-reload");
    let error = web1.reboot().timeout(secs(5)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
}
