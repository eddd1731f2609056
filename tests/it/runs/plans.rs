//! Plans: the tasks and their hosts as a value, checked before any command runs.

use fabrs::config::{Config, Inventory, Order, Settings, parse_host_args};
use fabrs::prelude::*;
use fabrs::transport::Fake;
use fabrs::{ErrorKind, Plan, StageHosts};

use super::{first, second, three_calls};
use crate::support::{expect_error, fake_client};

const FILE: &str = "[env.live]\nhosts = ['app1']\nroles.web = ['web2', 'web1']\nroles.none = []\n";

#[task(role = "web", rolling = 1)]
fn on_web() {}

#[task(role = "web", rolling = "50%")]
fn on_half_of_web() {}

#[task(role = "wbe")]
fn on_an_unknown_role() {}

#[task(role = "bd")]
fn on_another_unknown_role() {}

#[task(role = "none")]
fn on_a_role_without_hosts() {}

#[task(hosts("db1", " db2 ", "db1"))]
fn on_its_own_hosts() {}

#[task(hosts(" web2 ", "db1 "), role = "web")]
fn on_its_own_hosts_and_a_role() {}

#[task(local)]
fn here() {}

fn client(fake: &Fake, hosts: Option<&str>, settings: Settings) -> Result<Client> {
    let config = Config::parse(FILE, "fabrs.toml".as_ref())?;
    let typed = hosts.map(|hosts| parse_host_args(&[hosts])).transpose()?.flatten();
    let inventory = Inventory::new(&config, Some("live"))?.with_hosts(typed);
    Ok(Client::builder().dial(fake.clone()).inventory(inventory).settings(settings).build())
}

fn steps(plan: &Plan) -> Vec<String> {
    let host = |host: Option<&Host>| host.map_or_else(|| "here".to_owned(), ToString::to_string);
    plan.steps().map(|step| format!("{} {}", step.call.task().name, host(step.host))).collect()
}

#[test]
fn a_plan_lists_every_task_and_host_in_order_without_a_connection() -> Result {
    let fake = Fake::new();
    let calls = || vec![first::call(), on_web::call(), on_its_own_hosts::call(), here::call()];
    let plan = Plan::new(calls(), &client(&fake, None, Settings::default())?)?;
    let expected = [
        "first app1",
        "first web2",
        "first web1",
        "on_web web2",
        "on_web web1",
        "on_its_own_hosts db1",
        "on_its_own_hosts db2",
        "here here",
    ];
    assert_eq!(steps(&plan), expected);
    assert_eq!(plan.stages()[3].hosts, StageHosts::Local);
    assert_eq!(steps(&plan.clone()), expected, "the clone is equal");

    let typed = Plan::new(calls(), &client(&fake, Some("x,y,x"), Settings::default())?)?;
    let expected = ["first x", "first y", "on_web x", "on_web y", "on_its_own_hosts x", "on_its_own_hosts y"];
    assert_eq!(steps(&typed)[..6], expected, "typed hosts override all others");
    assert_eq!(steps(&typed)[6], "here here");
    assert!(fake.commands().is_empty());
    Ok(())
}

#[test]
fn hosts_and_role_of_a_task_are_combined_without_duplicates() -> Result {
    let plan = |hosts| -> Result<Plan> {
        let client = client(&Fake::new(), hosts, Settings::default())?;
        Ok(Plan::new(vec![on_its_own_hosts_and_a_role::call()], &client)?)
    };
    let name = "on_its_own_hosts_and_a_role";
    assert_eq!(steps(&plan(None)?), ["web2", "db1", "web1"].map(|host| format!("{name} {host}")));
    assert_eq!(steps(&plan(Some("x"))?), [format!("{name} x")], "typed hosts override both");
    Ok(())
}

#[test]
fn unknown_roles_of_all_tasks_are_one_error() -> Result {
    let calls = || vec![first::call(), on_an_unknown_role::call(), on_another_unknown_role::call()];
    let fake = Fake::new();
    let error = expect_error(Plan::new(calls(), &client(&fake, None, Settings::default())?), ErrorKind::Usage);
    assert_eq!(error.to_string(), "environment `live` has no roles `wbe`, `bd`");
    assert_eq!(Plan::new(calls(), &client(&fake, Some("x"), Settings::default())?)?.steps().count(), 3);
    Ok(())
}

#[test]
fn a_task_without_a_host_has_its_own_exit_code() -> Result {
    let error = expect_error(Plan::new(three_calls().into(), &Client::builder().build()), ErrorKind::NoHost);
    assert_eq!(error.exit_code().code(), 3);
    let calls = vec![first::call(), on_a_role_without_hosts::call()];
    expect_error(Plan::new(calls, &client(&Fake::new(), None, Settings::default())?), ErrorKind::NoHost);
    assert_eq!(Plan::new(vec![here::call()], &Client::builder().build())?.steps().count(), 1);
    Ok(())
}

#[test]
fn the_smallest_concurrency_limit_applies() -> Result {
    let limits = |settings: Settings| {
        let plan = Plan::new(vec![first::call(), on_web::call()], &client(&Fake::new(), None, settings)?)?;
        Ok::<_, TaskError>(plan.stages().iter().map(|stage| stage.strategy.limit.get()).collect::<Vec<_>>())
    };
    let two = Some(2.try_into()?);
    assert_eq!(limits(Settings::default())?, [64, 1]);
    assert_eq!(limits(Settings::default().limit(two))?, [2, 1]);
    assert_eq!(limits(Settings::default().order(Order::Serial).limit(two))?, [1, 1]);
    Ok(())
}

#[test]
fn a_percentage_refers_to_the_hosts_of_the_task() -> Result {
    let limit = |hosts: Option<&str>, settings: Settings| {
        let plan = Plan::new(vec![on_half_of_web::call()], &client(&Fake::new(), hosts, settings)?)?;
        Ok::<_, TaskError>(plan.stages().iter().map(|stage| stage.strategy.limit.get()).collect::<Vec<_>>())
    };
    assert_eq!(limit(None, Settings::default())?, [1], "the role has 2 hosts");
    assert_eq!(limit(Some("a[1-7]"), Settings::default())?, [3], "7 hosts are selected");
    assert_eq!(limit(Some("a"), Settings::default())?, [1], "a single host is selected");
    assert_eq!(limit(Some("a[1-200]"), Settings::default())?, [100], "the default limit does not apply");
    assert_eq!(limit(Some("a[1-7]"), Settings::default().limit(Some(2.try_into()?)))?, [2], "`-P 2`");
    Ok(())
}

#[test]
fn a_plan_may_contain_a_task_twice() -> Result {
    let plan = Plan::new(vec![first::call(), second::call(), first::call()], &fake_client(&Fake::new(), "a").build())?;
    assert_eq!(steps(&plan), ["first a", "second a", "first a"]);
    Ok(())
}
