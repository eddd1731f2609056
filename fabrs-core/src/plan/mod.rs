//! What will run where: a value, made without asking anybody.

use crate::client::Client;
use crate::config::Selection;
use crate::error::Result;
use crate::group::Strategy;
use crate::host::Host;
use crate::task::Call;

/// The work of a run in its order: task after task, each on its hosts.
#[derive(Debug, Clone)]
pub struct Plan {
    stages: Vec<Stage>,
}

/// One task of a plan, with where and how it runs.
#[derive(Debug, Clone)]
pub struct Stage {
    /// The task with its arguments.
    pub call: Call,
    /// Where.
    pub hosts: Hosts,
    /// On how many at a time, and what a failure does to the rest.
    pub strategy: Strategy,
}

/// What came of a task's selection: where it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hosts {
    /// Here, with no host of its own.
    Here,
    /// On these, in this order.
    Named(Vec<Host>),
}

/// One task on one host: what a plan is made of.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// The task with its arguments.
    pub call: &'a Call,
    /// The host; none for a task that runs here.
    pub host: Option<&'a Host>,
}

impl Plan {
    /// Plans calls with a client's hosts and settings. Everything is checked before anything runs.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) where a role or host is unknown,
    /// [`ErrorKind::NoHost`](crate::ErrorKind::NoHost) where a task has no host to run on.
    pub fn new(calls: Vec<Call>, client: &Client) -> Result<Self> {
        let roles: Vec<&str> = calls.iter().filter_map(|call| call.task().selection.role()).collect();
        client.inventory().check_roles(&roles)?;
        let stages = calls.into_iter().map(|call| Stage::new(call, client)).collect::<Result<_>>()?;
        Ok(Self { stages })
    }

    /// Returns the tasks in their order.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// Returns every task on every host, in order.
    pub fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        self.stages.iter().flat_map(|stage| {
            let hosts: Vec<Option<&Host>> = match &stage.hosts {
                Hosts::Here => vec![None],
                Hosts::Named(hosts) => hosts.iter().map(Some).collect(),
            };
            hosts.into_iter().map(|host| Step { call: &stage.call, host })
        })
    }
}

impl Stage {
    fn new(call: Call, client: &Client) -> Result<Self> {
        let hosts = match call.task().selection {
            Selection::Local => Hosts::Here,
            selection => Hosts::Named(client.inventory().hosts_for(selection)?),
        };
        let strategy = call.task().strategy(client.settings());
        Ok(Self { call, hosts, strategy })
    }
}
