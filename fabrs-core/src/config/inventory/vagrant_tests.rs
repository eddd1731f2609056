//! Tests of Vagrant machines in an inventory, and of the built-in environment `vagrant`.

use std::sync::Arc;

use crate::config::environment::Environment;
use crate::config::fabrs_toml::Config;
use crate::config::host_arguments::parse_host_args;
use crate::config::inventory::inventory::Inventory;
use crate::config::selection::Selection;
use crate::config::vagrant::vagrant::Vagrant;
use crate::error::Result;
use crate::host::Host;

fn texts(hosts: Result<Vec<Host>>) -> Vec<String> {
    hosts.unwrap().iter().map(ToString::to_string).collect()
}

/// Returns an inventory with machines from a script, and the number of runs of this script.
fn of_vagrant(folder: &std::path::Path, keys: &str, script: &str) -> (Inventory, impl Fn() -> usize) {
    let config = Config::parse(&format!("[env.v]\nvagrant = true\n{keys}"), "fabrs.toml".as_ref()).unwrap();
    let runs = folder.join("runs");
    let vagrant = Vagrant::script(folder, &format!("echo x >> '{}'\n{script}", runs.display()));
    let mut inventory = Inventory::new(&config, Some("v")).unwrap();
    inventory.vagrant = Some(Arc::new(vagrant));
    let count = move || std::fs::read_to_string(&runs).unwrap_or_default().lines().count();
    (inventory, count)
}

#[tokio::test]
async fn vagrant_runs_once_and_only_if_needed() {
    let folder = tempfile::tempdir().unwrap();
    let keys = "hosts = ['a']\nroles.w = ['web']\nroles.x = ['web', 'b']";
    let (inventory, runs) = of_vagrant(folder.path(), keys, "echo 'Host web'; echo 'Host db'");
    inventory.prepare([Selection::Local]).await.unwrap();
    inventory.check_roles(&["w"]).unwrap();
    assert_eq!(texts(inventory.hosts_for(Selection::Role("w"))), ["web"]);
    let here = inventory.clone().with_hosts(parse_host_args(&["@local"]).unwrap());
    here.prepare([Selection::Inherit]).await.unwrap();
    assert_eq!(runs(), 0);

    inventory.prepare([Selection::Local, Selection::Role("w")]).await.unwrap();
    assert_eq!(runs(), 1);
    assert_eq!(texts(inventory.hosts_for(Selection::Inherit)), ["a", "web", "db", "b"]);
    assert!(inventory.machines_with(&"root@web:22".parse().unwrap()).unwrap().is_some());
    assert!(inventory.machines_with(&"a".parse().unwrap()).unwrap().is_none());
    assert_eq!(runs(), 1);
}

#[tokio::test]
async fn vagrant_runs_on_demand_and_errors_are_not_cached() {
    let folder = tempfile::tempdir().unwrap();
    let up = folder.path().join("up");
    let script =
        format!("[ -e '{}' ] || {{ echo is not yet ready for SSH >&2; exit 1; }}; echo Host web", up.display());
    let (inventory, runs) = of_vagrant(folder.path(), "", &script);
    let error = inventory.hosts_for(Selection::Inherit).unwrap_err();
    assert_eq!(error.exit_code().code(), 4, "{error}");
    std::fs::write(up, "").unwrap();
    assert_eq!(texts(inventory.hosts_for(Selection::Inherit)), ["web"]);
    assert_eq!(texts(inventory.hosts_for(Selection::Inherit)), ["web"]);
    assert_eq!(runs(), 2);
}

#[tokio::test]
async fn settings_of_an_unknown_machine_are_reported_with_their_line() {
    let folder = tempfile::tempdir().unwrap();
    let keys = "host.web.port = 22\nhost.wbe.port = 22";
    let (inventory, _) = of_vagrant(folder.path(), keys, "echo 'Host web'");
    let error = inventory.prepare([Selection::Inherit]).await.unwrap_err();
    assert_eq!(
        error.block().to_string(),
        "error: fabrs.toml:4: `wbe` is not a host of `[env.v]`\n\
         hint: add the host to `hosts` or to a role of the environment"
    );
}

#[tokio::test]
async fn machines_of_the_built_in_environment_are_in_every_role() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("Vagrantfile"), "").unwrap();
    let config = Config::parse("[vars]\napp = 'shop'", "fabrs.toml".as_ref()).unwrap();
    let config = config.with_vagrant_environment(folder.path());
    let script = format!("echo x >> '{}'; echo Host web; echo Host db", folder.path().join("runs").display());
    let mut inventory = Inventory::new(&config, Some(Environment::VAGRANT_NAME)).unwrap();
    inventory.vagrant = Some(Arc::new(Vagrant::script(folder.path(), &script)));
    inventory.check_roles(&["web", "any"]).unwrap();
    assert!(!folder.path().join("runs").exists(), "a check of the roles needs no machine");
    for selection in [Selection::Inherit, Selection::Role("web"), Selection::Role("any")] {
        assert_eq!(texts(inventory.hosts_for(selection)), ["web", "db"]);
    }
    let is_in_any = |host: &str| inventory.is_in_role(&host.parse().unwrap(), "any").unwrap();
    assert_eq!(["db", "root@web:22", "other"].map(is_in_any), [true, true, false]);
    assert_eq!(inventory.vars_for(None).text("app"), Some("shop"));
    let narrowed = inventory.with_hosts(parse_host_args(&["db,other"]).unwrap());
    assert_eq!(texts(narrowed.narrowed_hosts(Selection::Role("any"))), ["db"]);
}

#[test]
fn only_a_folder_with_a_vagrantfile_has_the_built_in_environment() {
    let folder = tempfile::tempdir().unwrap();
    let names = |text: &str| {
        let config = Config::parse(text, "fabrs.toml".as_ref()).unwrap().with_vagrant_environment(folder.path());
        config.environments().iter().map(|environment| environment.name().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("[env.live]"), ["live"]);
    std::fs::create_dir(folder.path().join("Vagrantfile")).unwrap();
    assert_eq!(names("[env.live]"), ["live"], "a directory is not a Vagrantfile");
    std::fs::write(folder.path().join("vagrantfile"), "").unwrap();
    assert_eq!(names("[env.live]"), ["live", "vagrant"]);
    let own = Config::parse("[env.vagrant]\nhosts = ['a']", "fabrs.toml".as_ref()).unwrap();
    assert_eq!(own.clone().with_vagrant_environment(folder.path()), own);
}

#[test]
fn vagrant_does_not_run_without_permission() {
    let config = Config::parse("[env.v]\nvagrant = true", "fabrs.toml".as_ref()).unwrap();
    let error = Inventory::new(&config, Some("v")).unwrap().hosts_for(Selection::Inherit).unwrap_err();
    assert_eq!(
        error.block().to_string(),
        "error: running Vagrant is not allowed for the hosts of `v`\nhint: call `Inventory::with_vagrant` to allow it"
    );
}
