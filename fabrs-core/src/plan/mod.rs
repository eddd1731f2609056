//! [`Plan`]: the calls of a run and their hosts. A plan is a value without I/O.

use crate::client::Client;
use crate::config::Selection;
use crate::error::Result;
use crate::group::Strategy;
use crate::host::Host;
use crate::task::Call;

/// The work of a run: calls in order, with the hosts of each call.
#[derive(Debug, Clone)]
pub struct Plan {
    stages: Vec<Stage>,
}

/// A call of a plan, with the hosts and the strategy.
#[derive(Debug, Clone)]
pub struct Stage {
    /// The task and the arguments.
    pub call: Call,
    /// The hosts.
    pub hosts: StageHosts,
    /// The number of hosts at a time, and the reaction to failures.
    pub strategy: Strategy,
}

/// The hosts of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StageHosts {
    /// No host: a `local` task runs once, on this machine.
    Local,
    /// These hosts, in this order.
    Remote(Vec<Host>),
}

/// A call on a single host.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// The task and the arguments.
    pub call: &'a Call,
    /// The host. `None` for a `local` task.
    pub host: Option<&'a Host>,
}

impl Plan {
    /// Plans calls with the hosts and settings of `client`. All hosts and roles are checked here,
    /// before the run.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) if a role or host is unknown,
    /// [`ErrorKind::NoHost`](crate::ErrorKind::NoHost) if a task has no host.
    pub fn new(calls: Vec<Call>, client: &Client) -> Result<Self> {
        let roles: Vec<&str> = calls.iter().filter_map(|call| call.task().selection.role()).collect();
        client.inventory().check_roles(&roles)?;
        let stages = calls.into_iter().map(|call| Stage::new(call, client)).collect::<Result<_>>()?;
        Ok(Self { stages })
    }

    /// Returns the calls in order.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// Returns every call on every host, in order.
    pub fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        self.stages.iter().flat_map(|stage| {
            let hosts: Vec<Option<&Host>> = match &stage.hosts {
                StageHosts::Local => vec![None],
                StageHosts::Remote(hosts) => hosts.iter().map(Some).collect(),
            };
            hosts.into_iter().map(|host| Step { call: &stage.call, host })
        })
    }
}

impl Stage {
    fn new(call: Call, client: &Client) -> Result<Self> {
        let hosts = match call.task().selection {
            Selection::Local => StageHosts::Local,
            selection => StageHosts::Remote(client.inventory().hosts_for(selection)?),
        };
        let count = match &hosts {
            StageHosts::Local => 0,
            StageHosts::Remote(hosts) => hosts.len(),
        };
        let strategy = call.task().strategy(client.settings(), count);
        Ok(Self { call, hosts, strategy })
    }
}
