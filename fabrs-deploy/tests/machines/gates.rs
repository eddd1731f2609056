//! Gates on a machine with journald, munin-node and Graphite.

use fabrs::config::Mode;
use fabrs::prelude::*;
use fabrs_deploy::{CommandGate, Gate, Git, JsonQuery, LogErrors, MuninValue, Site};
use fabrs_testing::{GitServer, Machine, MachineNetwork, wait_until};

use crate::fixture::{LIMIT, client};

/// A machine with a monitoring system, and a repository for the site.
struct Monitored {
    network: MachineNetwork,
    tree: tempfile::TempDir,
}

impl Monitored {
    fn start() -> Self {
        Self::with_packages("munin", ["munin-node", "git"])
    }

    fn with_packages<'a>(layer: &str, packages: impl IntoIterator<Item = &'a str>) -> Self {
        let machine = Machine::builder("web1").packages(layer, packages);
        let monitored = Self {
            network: MachineNetwork::builder().machine(machine).start(),
            tree: tempfile::tempdir().expect("a writable directory"),
        };
        let machine = monitored.network.machine("web1");
        machine.run("install -d -o deploy /srv/shop && usermod --append --groups systemd-journal deploy");
        GitServer::git(monitored.tree.path(), &["init", "--quiet"]);
        monitored
    }

    /// Deploys a new commit with a gate, and returns the error of the deploy. The restart writes
    /// this line to the journal of `shop`.
    async fn deploy(&self, line: &str, gate: impl Gate) -> Option<String> {
        GitServer::git(self.tree.path(), &["commit", "--quiet", "--allow-empty", "--message", "Change the shop"]);
        let (client, _) = client(&self.network, Mode::Run);
        let source = Git::from_local(self.tree.path().display().to_string()).branch("main").without_deployed_tags();
        let unit = cmd!("systemd-run --quiet --wait --collect --description shop --unit shop -- sh -c {line}");
        let site = Site::new("/srv/shop").source(source).restart(move |_| sudo(unit.clone())).gate(gate);
        let deployed = site.deploy(Group::of(&client, ["web1"]).expect("a host")).await;
        client.close().await;
        deployed.err().map(|error| error.into_error().block().to_string())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_in_the_journal_since_the_switch_fail_the_gate() {
    let web1 = Monitored::start();
    let by_priority = "echo '<3>payment failed' >&2";
    for (line, expected) in [
        ("echo started", None),
        ("echo 'ERROR in the shop'", Some("1 error line since the switch, at most 0 allowed")),
        ("echo started again", None),
        (by_priority, Some("1 error line since the switch")),
    ] {
        let error = web1.deploy(line, LogErrors::journal("shop")).await;
        match expected {
            None => assert_eq!(error, None, "{line}"),
            Some(text) => assert!(error.as_ref().is_some_and(|block| block.contains(text)), "{line}: {error:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_without_permission_refuses_the_deploy_and_sudo_reads_it() {
    let web1 = Monitored::start();
    web1.network.machine("web1").run("gpasswd --delete deploy systemd-journal");
    let error = web1.deploy("echo started", LogErrors::journal("shop")).await.expect("no permission");
    assert!(
        error.contains("could not read the journal of `shop`") && error.contains("group `systemd-journal`"),
        "{error}"
    );
    let log = fabrs_deploy::ServiceLog::journal("shop").sudo();
    assert_eq!(web1.deploy("echo started", LogErrors::of(log)).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_munin_value_is_compared_with_its_limits() {
    let web1 = Monitored::start();
    let load = || MuninValue::fetch("load", "load");
    assert_eq!(web1.deploy("echo one", load().at_most(1e6)).await, None);
    let error = web1.deploy("echo two", load().at_least(1e6)).await.expect("a low load");
    assert!(error.contains("munin value load.load") && error.contains("is below the limit 1000000"), "{error}");
    let unreachable = load().node("127.0.0.1", 4).at_most(1e6);
    let error = web1.deploy("echo three", unreachable).await.expect("no node");
    assert!(error.contains("gate inconclusive") && error.contains("could not connect to munin-node"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_of_the_users_own_command_reads_the_service() {
    let web1 = Monitored::start();
    let gate = |state: &'static str| {
        CommandGate::new("munin-node", move |_| probe(cmd!("test \"$(systemctl is-active munin-node)\" = {state}")))
    };
    assert_eq!(web1.deploy("echo one", gate("active")).await, None);
    assert!(web1.deploy("echo two", gate("failed")).await.is_some());
}

/// The packages of Graphite: the storage of values, and the web application with its server.
const GRAPHITE: [&str; 5] = ["graphite-carbon", "graphite-web", "gunicorn", "git", "curl"];

/// Creates the database of Graphite, and starts its web application.
const START_GRAPHITE: &str = "printf \"SECRET_KEY='graphite'\\nTIME_ZONE='UTC'\\n\" >> /etc/graphite/local_settings.py && \
    su -s /bin/sh _graphite -c 'graphite-manage migrate --run-syncdb -v0' && \
    systemd-run --quiet --unit graphite-web --uid=_graphite --setenv GRAPHITE_SETTINGS_MODULE=local_settings \
    gunicorn --workers 1 --bind 0.0.0.0:8088 --pythonpath /etc/graphite graphite.wsgi";

#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_graphite_is_compared_with_its_limit() {
    let web1 = Monitored::with_packages("graphite", GRAPHITE);
    let machine = web1.network.machine("web1");
    machine.run(START_GRAPHITE);
    let values = |metric: &str| format!("http://{}/render?format=json&from=-1h&target={metric}", machine.forward(8088));
    let errors = |metric: &str| JsonQuery::get(values(metric), "$[*].datapoints[*][0]").maximum().at_most(10.0);
    for (metric, value) in [("shop.low", 3), ("shop.high", 40)] {
        let send = cmd!("printf '%s %s %s\\n' {metric} {value} \"$(date +%s)\" > /dev/tcp/127.0.0.1/2003");
        let send = send.as_str();
        machine.run(cmd!("bash -c {send}").as_str());
        let url = format!("http://127.0.0.1:8088/render?format=json&from=-1h&target={metric}");
        let read = cmd!("curl -fsS {url} || :");
        wait_until("Graphite has the value", LIMIT, || machine.run(read.as_str()).contains(&format!("[{value}.0, ")));
    }
    assert_eq!(web1.deploy("echo one", errors("shop.low")).await, None);
    let error = web1.deploy("echo two", errors("shop.high")).await.expect("a high value");
    assert!(error.contains("gate failed: value at ") && error.contains("40 is above the limit 10"), "{error}");
    let error = web1.deploy("echo three", errors("shop.unknown")).await.expect("no value");
    assert!(error.contains("gate inconclusive"), "{error}");
}
