//! Which hosts a task runs on: those that were typed, else the task's own, else the environment's.

use crate::error::{Error, ErrorKind, Result};
use crate::host::{Host, HostError};

use super::environment::{Environment, each_once};
use super::file::Config;
use super::near::listed;
use super::selection::Selection;
use super::settings::Settings;
use super::vars::Vars;

/// The hosts a run can choose from: those that were typed, and the environment.
///
/// Typed hosts beat a task's own, and a task's own beat the environment's. A role is looked at only when a task needs
/// it, so that typed hosts work without it.
#[derive(Debug, Clone, Default)]
pub struct Inventory {
    typed: Option<Vec<Host>>,
    excluded: Vec<Host>,
    environment: Option<Environment>,
    known: Vec<String>,
    vars: Vars,
    user: Option<String>,
    port: Option<u16>,
}

impl Inventory {
    /// Makes the inventory of a run within an environment, or within none.
    ///
    /// # Errors
    ///
    /// As [`Config::environment`].
    pub fn new(config: &Config, environment: Option<&str>) -> Result<Self> {
        let environment = environment.map(|name| config.environment(name).cloned()).transpose()?;
        let known = config.environments().iter().map(|environment| environment.name().to_owned()).collect();
        Ok(Self { environment, known, vars: config.vars().clone(), ..Self::default() })
    }

    /// Adds the hosts that were typed, as [`typed_hosts`](super::typed_hosts) returns them.
    pub fn with_hosts(mut self, typed: Option<Vec<Host>>) -> Self {
        self.typed = typed;
        self
    }

    /// Leaves hosts out of whatever is selected, as [`excluded_hosts`](super::excluded_hosts) returns them.
    ///
    /// One without user and port stands for all of its name.
    pub fn without_hosts(mut self, excluded: Vec<Host>) -> Self {
        self.excluded = excluded;
        self
    }

    /// Takes over the user and port that were given as arguments, for [`addressed`](Self::addressed). A client does so
    /// with its own settings.
    pub fn with_settings(mut self, settings: &Settings) -> Self {
        self.user.clone_from(&settings.user.argument);
        self.port = settings.port.argument;
        self
    }

    /// Returns the host with the user and the port that were given as arguments, where it names none itself.
    ///
    /// This is the one place where arguments meet a host, so that `web1` and `root@web1` are one host under `-u root`.
    /// What `fabrs.toml` says stays out of it: `ssh_config`, which is asked later, is stronger.
    pub fn addressed(&self, host: Host) -> Host {
        host.or_user(self.user.as_deref()).or_port(self.port)
    }

    /// Returns the user's own values for a host: its own over the environment's over those of the file's top; without a
    /// host, those that hold for all.
    pub fn vars_for(&self, host: Option<&Host>) -> Vars {
        match (&self.environment, host) {
            (Some(environment), Some(host)) => environment.vars_for(host),
            (Some(environment), None) => environment.vars().clone(),
            (None, _) => self.vars.clone(),
        }
    }

    /// Returns the virtualenv on a host, where `fabrs.toml` names one: an absolute path, or one that begins with `~/`.
    pub fn virtualenv_for(&self, host: &Host) -> Option<&str> {
        self.environment.as_ref()?.virtualenv_for(host)
    }

    /// Returns the environment of the run.
    pub fn environment(&self) -> Option<&Environment> {
        self.environment.as_ref()
    }

    /// Returns the hosts that were typed; `None` where `-H` was not given.
    pub fn typed(&self) -> Option<&[Host]> {
        self.typed.as_deref()
    }

    /// Returns the hosts of a selection, in order, each once; none for [`Selection::Local`], which has none of its own.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Usage`] if the role is not one of the environment, or a host of the task's is none.
    /// - [`ErrorKind::NoHost`] if there is no host, or none is left of them.
    pub fn hosts_for(&self, selection: Selection<'_>) -> Result<Vec<Host>> {
        let mut hosts = self.selected(selection)?;
        let selected = hosts.len();
        hosts.retain(|host| !self.excluded.iter().any(|excluded| excluded.covers(host)));
        match (selected, hosts.is_empty()) {
            (1.., true) => Err(Error::new(ErrorKind::NoHost, "`-x` leaves no host of those that were selected")
                .hint("name fewer hosts with `-x`, or others with `-H HOST`")),
            _ => Ok(hosts),
        }
    }

    /// Returns the excluded hosts that none of the selections has, so that leaving them out did nothing.
    ///
    /// # Errors
    ///
    /// As [`hosts_for`](Self::hosts_for), but an empty rest is none.
    pub fn unknown_exclusions<'s>(&self, selections: impl IntoIterator<Item = Selection<'s>>) -> Result<Vec<&Host>> {
        let selected = selections.into_iter().map(|selection| self.selected(selection));
        let selected =
            if self.excluded.is_empty() { Vec::new() } else { selected.collect::<Result<Vec<_>>>()?.concat() };
        Ok(self.excluded.iter().filter(|excluded| !selected.iter().any(|host| excluded.covers(host))).collect())
    }

    /// Returns the hosts of a selection before any is left out.
    fn selected(&self, selection: Selection<'_>) -> Result<Vec<Host>> {
        let found = match (&self.typed, selection) {
            (_, Selection::Local) => return Ok(Vec::new()),
            (Some(typed), _) => typed.clone(),
            (None, Selection::Inherit) => self.environment.as_ref().map(Environment::all_hosts).unwrap_or_default(),
            (None, Selection::Hosts(hosts)) => read(hosts)?,
            (None, Selection::Role(role)) => self.role(role)?.to_vec(),
            (None, Selection::HostsAndRole(hosts, role)) => [read(hosts)?, self.role(role)?.to_vec()].concat(),
        };
        if found.is_empty() {
            return Err(self.no_host(selection));
        }
        Ok(each_once(found.into_iter().map(|host| self.addressed(host))))
    }

    /// Checks the roles of all tasks of a run at once.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] naming every role that is missing; never where hosts were typed.
    pub fn check_roles(&self, roles: &[&str]) -> Result<()> {
        match (&self.typed, &self.environment, roles) {
            (Some(_), ..) | (.., []) => Ok(()),
            (None, Some(environment), _) => environment.check_roles(roles),
            (None, None, _) => Err(self.no_environment(roles)),
        }
    }

    fn role(&self, role: &str) -> Result<&[Host]> {
        match &self.environment {
            Some(environment) => environment.role(role),
            None => Err(self.no_environment(&[role])),
        }
    }

    fn no_environment(&self, roles: &[&str]) -> Error {
        let word = if roles.len() == 1 { "role" } else { "roles" };
        let doing = format!("{word} {} without an environment", listed(roles.iter().copied()));
        Error::new(ErrorKind::Usage, doing).hint(self.ways_to_name_hosts())
    }

    fn no_host(&self, selection: Selection<'_>) -> Error {
        let of = self.environment.as_ref().map(|environment| format!("environment `{}`", environment.name()));
        let (doing, hint) = match (&self.typed, selection, of) {
            (Some(_), ..) => {
                ("`-H` names no host".to_owned(), "write `-H HOST`, or `-H @FILE` with one host a line".to_owned())
            }
            (None, Selection::Role(role) | Selection::HostsAndRole(_, role), Some(of)) => (
                format!("role `{role}` of {of} has no host"),
                format!("add one to `roles.{role}`, or name one with `-H HOST`"),
            ),
            (None, Selection::Hosts(_), _) => {
                ("the task's own list of hosts is empty".to_owned(), "name one with `-H HOST`".to_owned())
            }
            (None, _, Some(of)) => {
                (format!("{of} has no host"), "add one to its `hosts`, or name one with `-H HOST`".to_owned())
            }
            (None, _, None) => ("there is no host to run on".to_owned(), self.ways_to_name_hosts()),
        };
        Error::new(ErrorKind::NoHost, doing).hint(hint)
    }

    fn ways_to_name_hosts(&self) -> String {
        if self.known.is_empty() {
            return "name one with `-H HOST`".to_owned();
        }
        let environments = listed(self.known.iter().map(String::as_str));
        format!("name one with `-H HOST`, or an environment before the task: {environments}")
    }
}

fn read(hosts: &[&str]) -> Result<Vec<Host>> {
    let none = |cause: HostError| Error::new(ErrorKind::Usage, "a host that the task names is none").caused_by(cause);
    let hosts = hosts.iter().map(|host| Host::range(host).map_err(none));
    Ok(hosts.collect::<Result<Vec<_>>>()?.concat())
}

#[cfg(test)]
mod tests {
    use super::super::{Choice, excluded_hosts, typed_hosts};
    use super::*;

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
        Inventory::new(&config, environment).unwrap().with_hosts(typed_hosts(typed).unwrap())
    }

    #[track_caller]
    fn case(typed: &[&str], environment: Option<&str>, selection: Selection<'_>, expected: &[&str]) {
        let hosts = inventory(typed, environment).hosts_for(selection).unwrap();
        assert_eq!(hosts.iter().map(ToString::to_string).collect::<Vec<_>>(), expected, "{selection:?}");
    }

    #[test]
    fn typed_hosts_beat_the_tasks_and_the_tasks_beat_the_environments() {
        for selection in
            [Selection::Inherit, Selection::Hosts(&["t"]), Selection::Role("web"), Selection::Role("unknown")]
        {
            case(&["x,y", "x"], Some("live"), selection, &["x", "y"]);
            case(&["x"], None, selection, &["x"]);
        }
        case(&[], Some("live"), Selection::Hosts(&["t"]), &["t"]);
        case(&[], Some("live"), Selection::Role("web"), &["b", "w1"]);
        case(&[], Some("live"), Selection::Inherit, &["a", "b", "w1"]);
    }

    #[test]
    fn a_task_that_names_nothing_runs_on_all_roles_each_host_once() {
        case(&[], Some("roles_only"), Selection::Inherit, &["w1", "w2", "db1"]);
    }

    #[test]
    fn hosts_and_a_role_of_a_task_are_trimmed_in_order_and_each_once() {
        case(&[], Some("live"), Selection::HostsAndRole(&[" a ", "b "], "web"), &["a", "b", "w1"]);
        case(&[], None, Selection::Hosts(&["a", "a ", "@local"]), &["a", "@local"]);
    }

    #[test]
    fn user_and_port_that_were_typed_go_to_hosts_that_name_none_and_those_of_the_file_do_not() {
        let config = Config::parse(FILE, "fabrs.toml".as_ref()).unwrap();
        let environment = config.environment("live").unwrap();
        let typed = typed_hosts(&["a,ann@a:22,@local,root@a:2200"]).unwrap();
        let hosts = |settings: &Settings| {
            let inventory = Inventory::new(&config, Some("live")).unwrap().with_hosts(typed.clone());
            let hosts = inventory.with_settings(settings).hosts_for(Selection::Inherit).unwrap();
            hosts.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let given = Settings {
            user: Choice::argument("root".to_owned()),
            port: Choice::argument(2200),
            ..Settings::default().or_environment(environment)
        };
        assert_eq!(hosts(&given), ["root@a:2200", "ann@a:22", "@local"]);
        let from_file = Settings::default().or_environment(environment);
        assert_eq!(hosts(&from_file), ["a", "ann@a:22", "@local", "root@a:2200"]);
    }

    #[test]
    fn ranges_of_a_task_are_written_out() {
        case(&[], None, Selection::Hosts(&["t[1-2]", "t2"]), &["t1", "t2"]);
    }

    fn excluding(typed: &[&str], excluded: &[&str]) -> Inventory {
        inventory(typed, Some("live")).without_hosts(excluded_hosts(excluded).unwrap())
    }

    #[test]
    fn excluded_hosts_are_left_out_whatever_was_selected() {
        let left = |typed: &[&str], excluded: &[&str], selection| {
            let hosts = excluding(typed, excluded).hosts_for(selection).unwrap();
            hosts.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(left(&[], &["a,w1"], Selection::Inherit), ["b"]);
        assert_eq!(left(&[], &["b"], Selection::Role("web")), ["w1"]);
        assert_eq!(left(&[], &["t[1-2]"], Selection::Hosts(&["t[1-3]"])), ["t3"]);
        assert_eq!(left(&["x@h1:22,h2,x@h2,y@h2"], &["h1,x@h2"], Selection::Inherit), ["h2", "y@h2"]);
        assert!(left(&["h1"], &["h1"], Selection::Local).is_empty(), "it has no host to leave out");
    }

    #[test]
    fn an_empty_rest_is_an_empty_selection_and_an_unknown_exclusion_is_told() {
        let all = excluding(&[], &["a,b,w[1-2]"]);
        let error = all.hosts_for(Selection::Inherit).unwrap_err();
        assert_eq!(error.exit_code().code(), 3);
        assert_eq!(
            error.block().to_string(),
            "error: `-x` leaves no host of those that were selected\n\
             hint: name fewer hosts with `-x`, or others with `-H HOST`"
        );
        let names = |selections: &[Selection<'static>]| {
            let unknown = all.unknown_exclusions(selections.iter().copied()).unwrap();
            unknown.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(names(&[Selection::Inherit]), ["w2"]);
        assert_eq!(names(&[Selection::Role("web"), Selection::Hosts(&["w2"])]), ["a"]);
        assert_eq!(names(&[Selection::Local]), ["a", "b", "w1", "w2"]);
    }

    #[test]
    fn vars_and_virtualenv_are_those_of_the_host_the_environment_or_the_file() {
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
    fn an_empty_selection_has_its_own_exit_code_and_says_how_to_fill_it() {
        refused(
            &[],
            None,
            Selection::Inherit,
            3,
            "error: there is no host to run on\n\
             hint: name one with `-H HOST`, or an environment before the task: `live`, `roles_only`, `bare`",
        );
        refused(
            &[],
            Some("bare"),
            Selection::Inherit,
            3,
            "error: environment `bare` has no host\nhint: add one to its `hosts`, or name one with `-H HOST`",
        );
        refused(
            &[],
            Some("live"),
            Selection::Role("none"),
            3,
            "error: role `none` of environment `live` has no host\n\
             hint: add one to `roles.none`, or name one with `-H HOST`",
        );
        refused(
            &[],
            Some("live"),
            Selection::Hosts(&[]),
            3,
            "error: the task's own list of hosts is empty\nhint: name one with `-H HOST`",
        );
        let without = Inventory::default().hosts_for(Selection::Inherit).unwrap_err();
        let block = "error: there is no host to run on\nhint: name one with `-H HOST`";
        assert_eq!(without.block().to_string(), block);
    }

    #[test]
    fn an_empty_list_that_was_typed_does_not_fall_back_to_the_environment() {
        let block = "error: `-H` names no host\nhint: write `-H HOST`, or `-H @FILE` with one host a line";
        refused(&[""], Some("live"), Selection::Inherit, 3, block);
    }

    #[test]
    fn a_role_that_is_unknown_or_has_no_environment_is_a_mistake_in_what_was_typed() {
        let near = "error: environment `live` has no role `wbe`\nhint: did you mean `web`?";
        refused(&[], Some("live"), Selection::Role("wbe"), 2, near);
        let none = "error: role `web` without an environment\n\
                    hint: name one with `-H HOST`, or an environment before the task: `live`, `roles_only`, `bare`";
        refused(&[], None, Selection::Role("web"), 2, none);
        let host = "error: a host that the task names is none\n  caused by: `a b` is not a host's name";
        refused(&[], None, Selection::Hosts(&["a b"]), 2, host);
    }

    #[test]
    fn the_roles_of_all_tasks_are_checked_at_once_unless_hosts_were_typed() {
        let check = |typed: &[&str], environment, roles: &[&str]| {
            inventory(typed, environment).check_roles(roles).map_err(|error| error.to_string())
        };
        let missing = "environment `live` has no roles `x`, `y`".to_owned();
        assert_eq!(check(&[], Some("live"), &["x", "web", "y"]), Err(missing));
        assert_eq!(check(&[], None, &["x", "y"]), Err("roles `x`, `y` without an environment".to_owned()));
        assert_eq!(check(&["h"], Some("live"), &["x", "y"]), Ok(()));
        assert_eq!(check(&[], None, &[]), Ok(()));
    }

    #[test]
    fn an_unknown_environment_is_refused_when_the_inventory_is_made() {
        let config = Config::parse(FILE, "fabrs.toml".as_ref()).unwrap();
        let error = Inventory::new(&config, Some("lvie")).unwrap_err();
        assert_eq!(error.block().to_string(), "error: there is no environment `lvie`\nhint: did you mean `live`?");
    }
}
