//! Tests of [`Environment`].

use crate::config::environment::Environment;
use crate::config::fabrs_toml::Config;
use crate::host::Host;

fn environment(text: &str) -> Environment {
    let config = Config::parse(&format!("[env.live]\n{text}"), "fabrs.toml".as_ref()).unwrap();
    config.environment("live").unwrap().clone()
}

fn names(hosts: &[Host]) -> Vec<String> {
    hosts.iter().map(ToString::to_string).collect()
}

#[test]
fn every_key_is_read() {
    let live = environment(
        "hosts = [' a ']\nroles.web = ['w1', 'deploy@w2:2222']\nroles.db = []\nuser = 'deploy'\nport = 0x8AE\n\
         gateway = 'me@bastion:2200'\nprotected = true\nvars.domain = 'shop.example.com'",
    );
    assert_eq!(live.name(), "live");
    assert_eq!(names(live.hosts()), ["a"]);
    assert_eq!(live.roles().collect::<Vec<_>>(), ["web", "db"]);
    assert_eq!(names(live.role("web").unwrap()), ["w1", "deploy@w2:2222"]);
    assert_eq!((live.user(), live.port(), live.is_protected()), (Some("deploy"), Some(2222), true));
    assert_eq!(live.gateway().unwrap().to_string(), "me@bastion:2200");
    assert_eq!(live.vars().text("domain"), Some("shop.example.com"));
}

#[test]
fn all_hosts_keep_the_order_without_duplicates() {
    let live = environment("hosts = [' a ', 'b ']\nroles.z = ['b', 'c']\nroles.r = ['d', ' c', 'd']");
    assert_eq!(names(&live.all_hosts()), ["a", "b", "c", "d"]);
}

#[test]
fn host_settings_override_environment_settings() {
    let live = environment(
        "hosts = ['w1', 'ann@w2:22', 'w3', 'w4']\nuser = 'deploy'\nport = 2222\ngateway = 'bastion'\n\
         virtualenv = '/srv/env'\nvars = { app = 'shop', workers = 'four' }\n\
         [env.live.host.'w[1-3]']\nuser = 'ranged'\nvirtualenv = '~/env'\nvars.workers = 'eight'\n\
         [env.live.host.w1]\nuser = 'root'\nport = 22\ngateway = 'other'\nvars = { workers = 'one', only = 1 }\n\
         [env.live.host.'ann@w2']\nport = 1\n[env.live.host.'w2:22']\nport = 2",
    );
    let of = |host: &str| {
        let host: Host = host.parse().unwrap();
        let (user, port) = (live.user_for(&host).unwrap(), live.port_for(&host).unwrap());
        let (gateway, virtualenv) = (live.gateway_for(&host).unwrap(), live.virtualenv_for(&host).unwrap());
        format!("{user} {port} {gateway} {virtualenv} {}", live.vars_for(&host).text("workers").unwrap())
    };
    assert_eq!(of("w1"), "root 22 other ~/env one");
    assert_eq!(of("ann@w2:22"), "ranged 1 bastion ~/env eight", "the first of its keys wins");
    assert_eq!(of("bob@w2:22"), "ranged 2 bastion ~/env eight");
    assert_eq!(of("w2"), "ranged 2222 bastion ~/env eight");
    assert_eq!(of("w4"), "deploy 2222 bastion /srv/env four");
    assert_eq!(live.vars_for(&"w1".parse().unwrap()).names().collect::<Vec<_>>(), ["app", "only", "workers"]);
}

#[test]
fn named_vagrant_machines_come_between_hosts_and_roles() {
    let named = environment("hosts = ['a']\nvagrant = ['web', 'db']\nroles.x = ['db', 'b']\nhost.db.port = 1");
    assert_eq!(named.vagrant().unwrap(), ["web", "db"]);
    assert_eq!(names(&named.all_hosts()), ["a", "web", "db", "b"]);
    let all = environment("vagrant = true\nhost.whatever.port = 1\nroles.web = ['web']");
    assert!(all.vagrant().unwrap().is_empty());
    assert_eq!(names(&all.all_hosts()), ["web"]);
    assert_eq!(environment("vagrant = false").vagrant(), None);
}

#[test]
fn ranges_expand_in_hosts_and_roles() {
    let live = environment("hosts = ['app[1-2]']\nroles.web = ['web1', 'd@web[2-3]:22', 'web[1,4]']");
    assert_eq!(names(live.hosts()), ["app1", "app2"]);
    assert_eq!(names(live.role("web").unwrap()), ["web1", "d@web2:22", "d@web3:22", "web4"]);
}

#[track_caller]
fn refused(text: &str, roles: &[&str], block: &str) {
    let error = environment(text).check_roles(roles).unwrap_err();
    assert_eq!(error.exit_code().code(), 2);
    assert_eq!(error.block().to_string(), block);
}

#[test]
fn an_unknown_role_has_a_suggestion_or_a_list() {
    let roles = "roles.web = []\nroles.db = []";
    refused(roles, &["wbe"], "error: environment `live` has no role `wbe`\nhint: did you mean `web`?");
    refused(roles, &["queue"], "error: environment `live` has no role `queue`\nhint: roles: `web`, `db`");
    refused(
        "",
        &["web"],
        "error: environment `live` has no role `web`\n\
         hint: add `roles.web = [\"HOST\"]` to `[env.live]` in `fabrs.toml`",
    );
}

#[test]
fn all_missing_roles_are_reported_together() {
    let block = "error: environment `live` has no roles `wbe`, `queue`\nhint: roles: `web`";
    refused("roles.web = []", &["wbe", "web", "queue"], block);
}
