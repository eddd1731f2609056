//! Resources on machines: packages, accounts, services and timers.

use fabrs::config::Mode;
use fabrs::{Connection, ErrorKind, Result, cmd};
use fabrs_deploy::{Provision, ResourceChanges};
use fabrs_testing::{MachineNetwork, wait_until};

use crate::fixture::{LIMIT, client, connect, spawn};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB7lS4 ann@laptop";

/// Provisions a web server, and returns the differences of all resources.
async fn provision(c: &Connection) -> Result<Vec<String>> {
    let sudoers = "shop ALL=(root) NOPASSWD: /usr/bin/systemctl reload shop\n";
    let resources: [ResourceChanges; 8] = [
        c.write("/etc/sudoers.d/shop", sudoers).mode(0o440).validate("visudo -cf %s").sudo().await?.into(),
        c.ensure_packages(["nginx-light", "curl"]).await?,
        c.ensure_group("shop").system().await?,
        c.ensure_user("shop").system().home("/srv/shop").shell("/bin/bash").groups(["www-data"]).await?,
        c.ensure_authorized_key("shop", KEY).await?,
        {
            let site = "server { listen 8080; location / { return 200 'shop'; } }\n";
            c.write("/etc/nginx/conf.d/shop.conf", site).sudo().await?.into()
        },
        c.ensure_service("nginx").reload_after(["/etc/nginx"]).await?,
        c.ensure_timer("shop-cleanup", "daily", "touch /srv/shop/100%-$USER").user("shop").await?,
    ];
    let cron = c.ensure_cron_job("shop-report", "0 3 * * *", "date +%F").user("shop").await?;
    let mut all = Vec::new();
    for changes in resources.iter().chain([&cron]) {
        all.extend(changes.differences()?);
    }
    Ok(all)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_machine_is_provisioned_and_the_second_run_changes_nothing() {
    let network = MachineNetwork::builder().machine("web1").mirror().start();
    let machine = network.machine("web1");

    let (planned, capture) = client(&network, Mode::DryRun);
    let planned = planned.connect("web1").unwrap();
    let _ = planned.ensure_packages(["nginx-light"]).await.unwrap();
    let operations: Vec<_> = capture.of_kind("planned").iter().map(|event| event["operation"].to_string()).collect();
    assert_eq!(operations, ["\"install nginx-light\""]);
    assert!(!machine.disk().join("usr/sbin/nginx").exists());

    let web1 = connect(&network, "web1");
    let first = provision(&web1).await.unwrap();
    assert!(first.contains(&"nginx-light".to_owned()), "{first:?}");

    assert_eq!(machine.run("systemctl is-enabled nginx; systemctl is-active nginx"), "enabled\nactive\n");
    assert_eq!(machine.run("curl -fsS http://127.0.0.1:8080/"), "shop");
    assert_eq!(
        machine.run("getent passwd shop | cut -d : -f 6,7; id -nG shop"),
        "/srv/shop:/bin/bash\nshop www-data\n"
    );
    assert_eq!(machine.run("cat /srv/shop/.ssh/authorized_keys"), format!("{KEY}\n"));
    assert_eq!(machine.run("stat -c '%a %U' /srv/shop/.ssh /srv/shop/.ssh/authorized_keys"), "700 shop\n600 shop\n");
    machine.run("systemctl is-active shop-cleanup.timer && systemctl start shop-cleanup.service");
    assert_eq!(machine.run("ls /srv/shop"), "100%-shop\n");
    assert_eq!(machine.run("cat /etc/cron.d/shop-report"), "0 3 * * * shop date +\\%F\n");

    let second = provision(&web1).await.unwrap();
    assert_eq!(second, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn differences_of_an_account_are_corrected() {
    let network = MachineNetwork::start(["web1"]);
    let (web1, machine) = (connect(&network, "web1"), network.machine("web1"));
    machine.run("useradd --shell /bin/sh ann && useradd bob");
    let changes = web1.ensure_user("ann").shell("/bin/bash").groups(["adm", "cdrom"]).await.unwrap();
    let expected = ["home: /home/ann is missing", "shell: /bin/sh -> /bin/bash", "group: adm", "group: cdrom"];
    assert_eq!(changes.differences().unwrap(), expected);
    assert_eq!(machine.run("stat -c '%U %a' /home/ann"), "ann 755\n");
    assert_eq!(machine.run("getent passwd ann | cut -d : -f 7; id -nG ann"), "/bin/bash\nann adm cdrom\n");

    // A line with the same key is replaced. Other keys stay.
    machine.run("mkdir -p /home/bob/.ssh && echo 'ssh-rsa AAAAother' > /home/bob/.ssh/authorized_keys && chown -R bob: /home/bob");
    web1.ensure_authorized_key("bob", KEY).await.unwrap();
    web1.ensure_authorized_key("bob", format!("restrict {KEY}")).await.unwrap();
    assert_eq!(machine.run("cat /home/bob/.ssh/authorized_keys"), format!("ssh-rsa AAAAother\nrestrict {KEY}\n"));

    let line = line!() + 1;
    let error = web1.ensure_user("carl").groups(["nonexistent"]).await.unwrap_err();
    let location = error.location().expect("the error has the line of the task");
    assert_eq!((location.file(), location.line()), (file!(), line));
    assert_eq!(error.kind(), ErrorKind::Exit);
    assert!(error.to_string().contains("web1"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_restarts_after_a_change_even_if_the_last_run_ended_before_the_restart() {
    let network = MachineNetwork::start(["web1"]);
    let (web1, machine) = (connect(&network, "web1"), network.machine("web1"));
    let pid = || machine.run("systemctl show --property=MainPID cron");
    let first = pid();
    // A run killed after this write leaves the service running with the old file.
    web1.write("/etc/default/cron", "EXTRA_OPTS=''\n").sudo().await.unwrap();
    let changes = web1.ensure_service("cron").restart_after(["/etc/default/cron"]).await.unwrap();
    assert_eq!(changes.differences().unwrap(), ["/etc/default/cron: changed"]);
    let second = pid();
    assert_ne!(first, second);
    let changes = web1.ensure_service("cron").restart_after(["/etc/default/cron"]).await.unwrap();
    assert!(!changes.any().unwrap());
    assert_eq!(second, pid());

    web1.ensure_service("cron").stopped().await.unwrap();
    assert_eq!(machine.run("systemctl is-enabled cron || systemctl is-active cron || :"), "disabled\ninactive\n");
    assert!(!web1.ensure_service("cron").stopped().await.unwrap().any().unwrap());

    let error = web1.ensure_service("nonexistent").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exit);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_a_release_is_enabled_and_a_failed_start_shows_its_journal() {
    let network = MachineNetwork::start(["web1"]);
    let (client, capture) = client(&network, Mode::Run);
    let (web1, machine) = (client.connect("web1").unwrap(), network.machine("web1"));
    let start = |program: &str| {
        let unit = format!("[Service]\nType=notify\nExecStart={program}\n[Install]\nWantedBy=multi-user.target\n");
        web1.write("/etc/systemd/system/shop.service", unit).sudo()
    };
    start("/srv/shop/current/start").await.unwrap();
    let changes = web1.ensure_service("shop").enabled().await.unwrap();
    assert_eq!(changes.differences().unwrap(), ["enablement: disabled -> enabled"]);
    assert_eq!(machine.run("systemctl is-enabled shop; systemctl is-active shop || :"), "enabled\ninactive\n");
    assert!(!web1.ensure_service("shop").enabled().await.unwrap().any().unwrap());
    let messages = capture.of_kind("message");
    let texts: Vec<_> = messages.iter().filter_map(|message| message["text"].as_str()).collect();
    assert_eq!(texts, ["change shop.service (enablement: disabled -> enabled)", "shop.service: unchanged"]);

    start("/bin/sh -c 'echo no database; exit 1'").await.unwrap();
    let error = web1.ensure_service("shop").await.unwrap_err();
    let stderr = error.output().unwrap().stderr().unwrap();
    assert!(stderr.contains("no database"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_with_a_new_command_runs_the_new_command() {
    let network = MachineNetwork::start(["web1"]);
    let (web1, machine) = (connect(&network, "web1"), network.machine("web1"));
    for name in ["old", "new"] {
        web1.ensure_timer("report", "daily", cmd!("touch /srv/{name}")).await.unwrap();
    }
    machine.run("systemctl start report.service");
    assert_eq!(machine.run("ls /srv"), "new\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_virtual_package_is_an_error() {
    let network = MachineNetwork::builder().machine("web1").mirror().start();
    let error = connect(&network, "web1").ensure_packages(["awk"]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exit);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_installation_is_completed_by_the_next_run() {
    let network = MachineNetwork::builder().machine("web1").mirror().start();
    let (web1, machine) = (connect(&network, "web1"), network.machine("web1"));
    // dpkg ends between the unpacking and the configuration of a package.
    machine.run("apt-get -qq update && cd /tmp && apt-get -qq download mawk && dpkg --unpack mawk_*.deb");
    machine.run("dpkg --audit | grep -q mawk");
    web1.ensure_packages(["rename"]).await.unwrap();
    assert_eq!(machine.run("dpkg --audit"), "");
    assert!(!web1.ensure_packages(["rename"]).await.unwrap().any().unwrap());
}

/// Pauses the installation at a call of a program, cuts the power there, and installs again.
async fn cut_power_during_installation(program: &str, argument: &str) -> Result<()> {
    let network = MachineNetwork::builder().machine("web1").mirror().start();
    let machine = network.machine("web1");
    let wrapper = format!(
        "#!/bin/sh\ncase \" $* \" in *' {argument} '*nginx*)\n    {{ /usr/bin/{program} \"$@\" | head -c 10000; }} 2> /dev/null\n    \
         touch /srv/paused\n    exec sleep 3600 ;;\nesac\nexec /usr/bin/{program} \"$@\"\n"
    );
    // apt-get searches /usr/sbin first.
    let path = format!("/usr/sbin/{program}");
    machine.run(cmd!("printf %s {wrapper} > {path} && chmod 0755 {path}").as_str());
    let web1 = connect(&network, "web1");
    let installing = spawn(web1.ensure_packages(["nginx-light"]));
    wait_until("the installation is paused", LIMIT, || machine.disk().join("srv/paused").exists());
    machine.power_cut();
    machine.power_on();
    machine.wait_until_up();
    assert!(installing.await.is_ok_and(|installed| installed.is_err()));
    machine.run(cmd!("rm {path}").as_str());
    assert_ne!(machine.run("dpkg --audit"), "");

    let web1 = connect(&network, "web1");
    web1.ensure_packages(["nginx-light"]).await?;
    assert_eq!(machine.run("dpkg --audit; systemctl is-active nginx"), "active\n");
    assert!(!web1.ensure_packages(["nginx-light"]).await?.any()?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_during_the_unpacking_of_a_package_is_repaired() -> Result<()> {
    cut_power_during_installation("dpkg-deb", "--fsys-tarfile").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_during_the_configuration_of_a_package_is_repaired() -> Result<()> {
    cut_power_during_installation("deb-systemd-helper", "unmask").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_configuration_file_keeps_the_old_file() {
    let network = MachineNetwork::start(["web1"]);
    let (web1, machine) = (connect(&network, "web1"), network.machine("web1"));
    let before = machine.run("cat /etc/ssh/sshd_config");
    let edit = web1.ensure_line("/etc/ssh/sshd_config", "Port none").validate("/usr/sbin/sshd -t -f %s").sudo();
    let error = edit.await.unwrap_err();
    assert!(error.to_string().contains("sshd_config"), "{error}");
    assert_eq!(machine.run("cat /etc/ssh/sshd_config"), before);
}
