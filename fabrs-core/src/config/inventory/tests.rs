//! Tests of the selection of hosts and of its errors.

use crate::config::fabrs_toml::Config;
use crate::config::host_arguments::{parse_excluded_hosts, parse_host_args};
use crate::config::inventory::inventory::Inventory;
use crate::config::layered::Layered;
use crate::config::selection::Selection;
use crate::config::settings::Settings;
use crate::error::ErrorKind;
use crate::host::Host;

const FILE: &str = "
    [env.live]
    hosts = ['a', ' b ']
    roles.web = ['b', 'w1']
    roles.none = []
    user = 'deploy'
    port = 2222
    [env.roles_only]
    roles.web = ['w1', 'w2']
    roles.db = ['db1', 'w1']
    [env.bare]
";

fn inventory(typed: &[&str], environment: Option<&str>) -> Inventory {
    let config = Config::parse(FILE, "fabrs.toml".as_ref()).unwrap();
    Inventory::new(&config, environment).unwrap().with_hosts(parse_host_args(typed).unwrap())
}

#[track_caller]
fn case(typed: &[&str], environment: Option<&str>, selection: Selection<'_>, expected: &[&str]) {
    let hosts = inventory(typed, environment).hosts_for(selection).unwrap();
    assert_eq!(hosts.iter().map(ToString::to_string).collect::<Vec<_>>(), expected, "{selection:?}");
}

#[test]
fn explicit_hosts_precede_task_hosts_and_task_hosts_precede_environment_hosts() {
    for selection in [Selection::Inherit, Selection::Hosts(&["t"]), Selection::Role("web"), Selection::Role("unknown")]
    {
        case(&["x,y", "x"], Some("live"), selection, &["x", "y"]);
        case(&["x"], None, selection, &["x"]);
    }
    case(&[], Some("live"), Selection::Hosts(&["t"]), &["t"]);
    case(&[], Some("live"), Selection::Role("web"), &["b", "w1"]);
    case(&[], Some("live"), Selection::Inherit, &["a", "b", "w1"]);
}

#[test]
fn a_task_without_a_selection_runs_on_all_hosts_once() {
    case(&[], Some("roles_only"), Selection::Inherit, &["w1", "w2", "db1"]);
}

#[test]
fn hosts_and_role_of_a_task_keep_their_order_without_duplicates() {
    case(&[], Some("live"), Selection::HostsAndRole(&[" a ", "b "], "web"), &["a", "b", "w1"]);
    case(&[], None, Selection::Hosts(&["a", "a ", "@local"]), &["a", "@local"]);
}

#[test]
fn user_and_port_of_arguments_apply_to_hosts_without_their_own() {
    let config = Config::parse(FILE, "fabrs.toml".as_ref()).unwrap();
    let environment = config.environment("live").unwrap();
    let typed = parse_host_args(&["a,ann@a:22,@local,root@a:2200"]).unwrap();
    let hosts = |settings: &Settings| {
        let inventory = Inventory::new(&config, Some("live")).unwrap().with_hosts(typed.clone());
        let hosts = inventory.with_settings(settings).hosts_for(Selection::Inherit).unwrap();
        hosts.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let given = Settings {
        user: Layered::argument("root".to_owned()),
        port: Layered::argument(2200),
        ..Settings::default().or_environment(environment)
    };
    assert_eq!(hosts(&given), ["root@a:2200", "ann@a:22", "@local"]);
    let from_file = Settings::default().or_environment(environment);
    assert_eq!(hosts(&from_file), ["a", "ann@a:22", "@local", "root@a:2200"]);
}

#[test]
fn ranges_of_a_task_expand() {
    case(&[], None, Selection::Hosts(&["t[1-2]", "t2"]), &["t1", "t2"]);
}

/// Returns the hosts of a selection inside a task, or the error and its exit code.
fn within(inventory: &Inventory, selection: Selection<'_>) -> Result<Vec<String>, (u8, String)> {
    let hosts = inventory.narrowed_hosts(selection);
    hosts
        .map(|hosts| hosts.iter().map(ToString::to_string).collect())
        .map_err(|error| (error.exit_code().code(), error.to_string()))
}

#[test]
fn explicit_hosts_narrow_a_selection_inside_a_task() {
    let (web, listed, both) =
        (Selection::Role("web"), Selection::Hosts(&["t[1-2]", "root@t3"]), Selection::HostsAndRole(&["t1"], "web"));
    for (typed, environment, selection, expected) in [
        (&[][..], Some("live"), web, &["b", "w1"][..]),
        (&["w1"], Some("live"), web, &["w1"]),
        (&["w1,b"], Some("live"), web, &["b", "w1"]),
        (&["w1,x"], Some("live"), web, &["w1"]),
        (&["t2,t3,w1"], Some("live"), listed, &["t2", "root@t3"]),
        (&["w1,t1"], Some("live"), both, &["t1", "w1"]),
        (&["x"], Some("live"), Selection::Inherit, &["x"]),
        (&["x"], Some("live"), Selection::Local, &[]),
        // Without an environment no role has hosts of its own.
        (&["x,y"], None, web, &["x", "y"]),
        (&["x"], None, listed, &["x"]),
        // User and port may come from either side.
        (&["deploy@w1:22,ann@w1"], Some("live"), web, &["deploy@w1:22", "ann@w1"]),
        (&["t3:22"], Some("live"), listed, &["root@t3:22"]),
    ] {
        let hosts = within(&inventory(typed, environment), selection);
        assert_eq!(hosts, Ok(expected.iter().map(ToString::to_string).collect()), "{typed:?} {selection:?}");
    }
}

#[test]
fn an_empty_narrowed_selection_is_an_error_with_both_lists() {
    let role = "no host of `-H` (x, y) is in role `web` of environment `live` (b, w1)";
    let listed = "no host of `-H` (deploy@t1) is in the host list of the task (root@t1)";
    let long =
        "no host of `-H` (h1, h2, h3, h4, h5, h6, h7, h8, and 92 more) is in role `web` of environment `live` (b, w1)";
    let unknown = "environment `live` has no role `wbe`";
    for (typed, selection, code, text) in [
        ("x,y", Selection::Role("web"), 3, role),
        ("deploy@t1", Selection::Hosts(&["root@t1"]), 3, listed),
        ("h[1-100]", Selection::Role("web"), 3, long),
        ("x", Selection::Role("none"), 3, "role `none` of environment `live` has no host"),
        ("x", Selection::Role("wbe"), 2, unknown),
        ("w1,b", Selection::Role("web"), 3, "`-x` excludes all selected hosts"),
    ] {
        let inventory = excluding(&[typed], &["b,w1"]);
        assert_eq!(within(&inventory, selection), Err((code, text.to_owned())), "{typed} {selection:?}");
    }
    let error = inventory(&["x"], Some("live")).narrowed_hosts(Selection::Role("web")).unwrap_err();
    assert!(error.block().to_string().ends_with("\nhint: add one of its hosts to `-H`"), "{}", error.block());
}

#[test]
fn hosts_in_every_role_are_in_narrowed_roles() {
    for (typed, selection, expected) in [
        ("demo1,demo2", Selection::Role("web"), &["demo1", "demo2"][..]),
        ("demo1,demo2", Selection::Role("unknown"), &["demo1", "demo2"]),
        ("demo1,w1,db1", Selection::Role("web"), &["w1", "demo1"]),
        ("db1,demo1", Selection::Hosts(&["t"]), &["demo1"]),
    ] {
        let inventory = inventory(&[typed], Some("live")).in_every_role(vec!["demo1".to_owned(), "demo2".to_owned()]);
        let hosts = within(&inventory, selection);
        assert_eq!(hosts, Ok(expected.iter().map(ToString::to_string).collect()), "{typed} {selection:?}");
    }
}

#[test]
fn a_called_task_may_run_on_hosts_of_its_selection() {
    let listed = Selection::Hosts(&["root@t1", "t2"]);
    for (typed, host, selection, expected) in [
        (&[][..], "b", Selection::Role("web"), true),
        (&[], "a", Selection::Role("web"), false),
        (&[], "root@t1", listed, true),
        (&[], "t1", listed, false),
        (&["t1"], "t1", listed, true),
        (&["ann@t2"], "ann@t2", listed, true),
        (&["ann@t1"], "ann@t1", listed, false),
        (&["x"], "x", Selection::Role("web"), false),
        (&["x"], "x", Selection::Role("none"), false),
    ] {
        let may_run_on = inventory(typed, Some("live")).may_run_on(&host.parse().unwrap(), selection);
        assert_eq!(may_run_on.unwrap(), expected, "{typed:?} {host} {selection:?}");
    }
    let unknown = inventory(&[], Some("live")).may_run_on(&"b".parse().unwrap(), Selection::Role("wbe"));
    assert_eq!(unknown.unwrap_err().kind(), ErrorKind::Usage);
}

#[test]
fn hosts_named_in_code_are_qualified_and_deduplicated() {
    let settings = Settings { user: Layered::argument("root".to_owned()), ..Settings::default() };
    let inventory = excluding(&["x"], &["root@t2"]).with_settings(&settings);
    let hosts = ["t1", "t2", "ann@t2", "t1", "root@t1"].map(|host| host.parse().unwrap());
    let resolved = inventory.resolve_hosts(hosts).unwrap();
    assert_eq!(resolved.iter().map(ToString::to_string).collect::<Vec<_>>(), ["root@t1", "ann@t2"]);
}

fn excluding(typed: &[&str], excluded: &[&str]) -> Inventory {
    inventory(typed, Some("live")).with_excluded(parse_excluded_hosts(excluded, &|_| None).unwrap())
}

#[test]
fn excluded_hosts_are_removed_from_every_selection() {
    let left = |typed: &[&str], excluded: &[&str], selection| {
        let hosts = excluding(typed, excluded).hosts_for(selection).unwrap();
        hosts.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(left(&[], &["a,w1"], Selection::Inherit), ["b"]);
    assert_eq!(left(&[], &["b"], Selection::Role("web")), ["w1"]);
    assert_eq!(left(&[], &["t[1-2]"], Selection::Hosts(&["t[1-3]"])), ["t3"]);
    assert_eq!(left(&["x@h1:22,h2,x@h2,y@h2"], &["h1,x@h2"], Selection::Inherit), ["h2", "y@h2"]);
    assert!(left(&["h1"], &["h1"], Selection::Local).is_empty(), "a local task has no host to exclude");
}

#[test]
fn excluding_all_hosts_is_an_error_and_unused_exclusions_are_reported() {
    let all = excluding(&[], &["a,b,w[1-2]"]);
    let error = all.hosts_for(Selection::Inherit).unwrap_err();
    assert_eq!(error.exit_code().code(), 3);
    assert_eq!(
        error.block().to_string(),
        "error: `-x` excludes all selected hosts\n\
         hint: exclude fewer hosts with `-x`, or select others with `-H HOST`"
    );
    let names = |selections: &[Selection<'static>]| {
        let unknown = all.unused_exclusions(selections.iter().copied()).unwrap();
        unknown.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(names(&[Selection::Inherit]), ["w2"]);
    assert_eq!(names(&[Selection::Role("web"), Selection::Hosts(&["w2"])]), ["a"]);
    assert_eq!(names(&[Selection::Local]), ["a", "b", "w1", "w2"]);
}

#[test]
fn vars_and_virtualenv_come_from_host_environment_or_file() {
    let text = "
        vars = { app = 'shop', who = 'file' }
        [env.live]
        hosts = ['a', 'b']
        virtualenv = '/srv/env'
        vars.who = 'live'
        [env.live.host.a]
        virtualenv = '~/env'
        vars.who = 'a'
    ";
    let config = Config::parse(text, "fabrs.toml".as_ref()).unwrap();
    let live = Inventory::new(&config, Some("live")).unwrap();
    let host = |name: &str| name.parse::<Host>().unwrap();
    let who = |inventory: &Inventory, host: Option<&Host>| {
        let vars = inventory.vars_for(host);
        assert_eq!(vars.text("app"), Some("shop"));
        vars.text("who").unwrap().to_owned()
    };
    assert_eq!(who(&live, Some(&host("root@a:22"))), "a");
    assert_eq!(who(&live, Some(&host("b"))), "live");
    assert_eq!(who(&live, Some(&host("typed"))), "live");
    assert_eq!(who(&live, None), "live");
    let none = Inventory::new(&config, None).unwrap();
    assert_eq!(who(&none, Some(&host("a"))), "file");
    assert_eq!(live.virtualenv_for(&host("a")), Some("~/env"));
    assert_eq!(live.virtualenv_for(&host("typed")), Some("/srv/env"));
    assert_eq!(none.virtualenv_for(&host("a")), None);
}

#[track_caller]
fn refused(typed: &[&str], environment: Option<&str>, selection: Selection<'_>, code: u8, block: &str) {
    let error = inventory(typed, environment).hosts_for(selection).unwrap_err();
    assert_eq!(error.exit_code().code(), code);
    assert_eq!(error.block().to_string(), block);
}

#[test]
fn an_empty_selection_has_an_exit_code_and_a_hint() {
    refused(
        &[],
        None,
        Selection::Inherit,
        3,
        "error: no host is selected\n\
         hint: select hosts with `-H HOST`, or write an environment before the task: `live`, `roles_only`, `bare`",
    );
    refused(
        &[],
        Some("bare"),
        Selection::Inherit,
        3,
        "error: environment `bare` has no host\nhint: add one to its `hosts`, or select hosts with `-H HOST`",
    );
    refused(
        &[],
        Some("live"),
        Selection::Role("none"),
        3,
        "error: role `none` of environment `live` has no host\n\
         hint: add one to `roles.none`, or select hosts with `-H HOST`",
    );
    refused(
        &[],
        Some("live"),
        Selection::Hosts(&[]),
        3,
        "error: the host list of the task is empty\nhint: select hosts with `-H HOST`",
    );
    let without = Inventory::default().hosts_for(Selection::Inherit).unwrap_err();
    let block = "error: no host is selected\nhint: select hosts with `-H HOST`";
    assert_eq!(without.block().to_string(), block);
}

#[test]
fn an_empty_explicit_list_does_not_fall_back_to_the_environment() {
    let block = "error: `-H` contains no host\nhint: write `-H HOST`, or `-H @FILE` with one host per line";
    refused(&[""], Some("live"), Selection::Inherit, 3, block);
}

#[test]
fn an_unknown_role_or_missing_environment_is_a_usage_error() {
    let near = "error: environment `live` has no role `wbe`\nhint: did you mean `web`?";
    refused(&[], Some("live"), Selection::Role("wbe"), 2, near);
    let none = "error: role `web` needs an environment\n\
                hint: select hosts with `-H HOST`, or write an environment before the task: `live`, `roles_only`, `bare`";
    refused(&[], None, Selection::Role("web"), 2, none);
    let host = "error: invalid host in `#[task(hosts = ..)]`\n  caused by: `a b` is not a valid host name";
    refused(&[], None, Selection::Hosts(&["a b"]), 2, host);
}

#[test]
fn all_roles_are_checked_together_without_explicit_hosts() {
    let check = |typed: &[&str], environment, roles: &[&str]| {
        inventory(typed, environment).check_roles(roles).map_err(|error| error.to_string())
    };
    let missing = "environment `live` has no roles `x`, `y`".to_owned();
    assert_eq!(check(&[], Some("live"), &["x", "web", "y"]), Err(missing));
    assert_eq!(check(&[], None, &["x", "y"]), Err("roles `x`, `y` need an environment".to_owned()));
    assert_eq!(check(&["h"], Some("live"), &["x", "y"]), Ok(()));
    assert_eq!(check(&[], None, &[]), Ok(()));
}

#[test]
fn an_unknown_environment_is_an_error_of_the_inventory() {
    let config = Config::parse(FILE, "fabrs.toml".as_ref()).unwrap();
    let error = Inventory::new(&config, Some("lvie")).unwrap_err();
    assert_eq!(error.block().to_string(), "error: unknown environment `lvie`\nhint: did you mean `live`?");
}

#[test]
fn a_role_contains_its_declared_hosts_in_any_selection() {
    const TWO_BOXES: &str = "
        [env.live]
        roles.web = ['box', 'deploy@w1']
        roles.worker = ['box:2222', 'jobs@w1']
    ";
    let config = Config::parse(TWO_BOXES, "fabrs.toml".as_ref()).unwrap();
    let inventory = |environment| Inventory::new(&config, environment).unwrap();
    let has = |host: &str, role| {
        let selected = inventory(Some("live")).with_hosts(parse_host_args(&["elsewhere"]).unwrap());
        selected.is_in_role(&host.parse().unwrap(), role).unwrap()
    };
    for (host, web, worker) in [
        ("box", true, false),
        ("box:2222", false, true),
        ("deploy@w1", true, false),
        ("jobs@w1", false, true),
        // `w1` without a user matches both entries.
        ("w1", true, true),
        ("elsewhere", false, false),
    ] {
        assert_eq!((has(host, "web"), has(host, "worker")), (web, worker), "{host}");
    }
    for (environment, role) in [(Some("live"), "wroker"), (None, "web")] {
        let error = inventory(environment).is_in_role(&"box".parse().unwrap(), role).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{role}");
    }
}
