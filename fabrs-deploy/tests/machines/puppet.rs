//! Puppet on machines.

use std::fs;
use std::path::Path;

use fabrs::ErrorKind;
use fabrs::config::Mode;
use fabrs_deploy::Puppet;
use fabrs_testing::{Machine, MachineNetwork};

use crate::fixture::{client, connect};

/// Writes manifests with a module and hiera data.
fn write_manifests(directory: &Path) {
    let files = [
        (
            "manifests/site.pp",
            "include motd\nfile { '/etc/shop.conf': content => lookup('workers'), mode => '0600' }\n",
        ),
        ("modules/motd/manifests/init.pp", "class motd { file { '/etc/motd': content => \"shop\\n\" } }\n"),
        ("hiera.yaml", "version: 5\nhierarchy:\n  - name: common\n    path: common.yaml\n    datadir: data\n"),
        ("data/common.yaml", "workers: 'workers = 4'\n"),
    ];
    for (path, content) in files {
        let path = directory.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests_are_applied_once_and_a_dry_run_lists_their_changes() {
    let network = MachineNetwork::builder().machine("web1").mirror().start();
    let (web1, machine) = (connect(&network, "web1"), network.machine("web1"));
    let manifests = tempfile::tempdir().unwrap();
    write_manifests(manifests.path());

    let error = Puppet::apply(manifests.path()).on(&web1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Task);
    assert!(error.to_string().contains("puppet is not installed"), "{error}");

    let puppet = || Puppet::apply(manifests.path()).install();
    // A dry run on an empty machine plans the installation.
    let (planned, _) = client(&network, Mode::DryRun);
    let changes = puppet().on(&planned.connect("web1").unwrap()).await.unwrap();
    assert_eq!(changes.differences().unwrap(), ["puppet-agent"]);

    let changes = puppet().on(&web1).await.unwrap().differences().unwrap();
    assert!(changes.contains(&"puppet-agent".to_owned()), "{changes:?}");
    assert!(changes.iter().any(|change| change.starts_with("File[/etc/motd]/content: content changed")), "{changes:?}");
    assert_eq!(machine.run("cat /etc/motd /etc/shop.conf"), "shop\nworkers = 4");
    assert_eq!(machine.run("stat -c %a /var/lib/fabrs/puppet; systemctl is-active puppet || :"), "700\ninactive\n");
    assert_eq!(puppet().on(&web1).await.unwrap().differences().unwrap(), Vec::<String>::new());

    // A dry run changes neither the managed files nor the copy of the manifests.
    fs::write(manifests.path().join("data/common.yaml"), "workers: 'workers = 8'\n").unwrap();
    let (planned, capture) = client(&network, Mode::DryRun);
    let planned = planned.connect("web1").unwrap();
    let changes = puppet().on(&planned).await.unwrap().differences().unwrap();
    assert!(changes[0].starts_with("File[/etc/shop.conf]/content: current_value"), "{changes:?}");
    assert_eq!(machine.run("cat /etc/shop.conf"), "workers = 4");
    assert_eq!(machine.run("cat /var/lib/fabrs/puppet/data/common.yaml"), "workers: 'workers = 4'\n");
    assert_eq!(machine.run("find /tmp -name 'tmp.*'"), "", "no manifest remains after a dry run");
    let messages: Vec<_> = capture.of_kind("message").iter().map(|event| event["text"].to_string()).collect();
    assert!(messages.iter().any(|text| text.contains("would change: File[/etc/shop.conf]")), "{messages:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_resource_or_an_invalid_manifest_is_an_error_with_its_reason() {
    let network =
        MachineNetwork::builder().machine(Machine::builder("web1").packages("puppet", ["puppet-agent"])).start();
    let web1 = connect(&network, "web1");
    let manifests = tempfile::tempdir().unwrap();
    let site = manifests.path().join("manifests/site.pp");
    fs::create_dir_all(site.parent().unwrap()).unwrap();

    fs::write(&site, "exec { 'migrate': command => '/bin/false' }\n").unwrap();
    let error = Puppet::apply(manifests.path()).on(&web1).await.unwrap_err();
    assert!(error.to_string().contains("Exec[migrate]/returns"), "{error}");
    assert!(error.to_string().contains("exit status 4"), "{error}");

    fs::write(&site, "file {\n").unwrap();
    let error = Puppet::apply(manifests.path()).on(&web1).await.unwrap_err();
    assert!(error.to_string().contains("Syntax error"), "{error}");
}
