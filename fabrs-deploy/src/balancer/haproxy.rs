//! HAProxy: the states of the servers of a backend, by the runtime API.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use fabrs::{Connection, Error, ErrorKind, Hide, ShellLine, TaskError, cmd};

use crate::balancer::balancer::{Balancer, BalancerFuture, BalancerServer, ServerHealth, ServerState};
use crate::balancer::server_names::host_name;
use crate::per_host::PerHost;
use crate::scope::HostSubset;

/// Sends a line to the socket.
const SCRIPT: &str = include_str!("haproxy.sh");

/// The column of the status in the output of `show stat`.
const STATUS_COLUMN: usize = 17;

/// The flags of `srv_admin_state` for a drained server (`SRV_ADMF_DRAIN`).
const DRAIN_FLAGS: u32 = 0x08 | 0x10;

/// The flags of `srv_admin_state` for a server in maintenance (`SRV_ADMF_MAINT`).
const MAINTENANCE_FLAGS: u32 = 0x01 | 0x02 | 0x04 | 0x20;

/// A backend of HAProxy, changed by the runtime API on each host of the balancer.
///
/// Each line of the API is sent to the admin socket (`stats socket PATH level admin`). The balancer
/// hosts need `socat`, `python3` or `perl`. The configuration files stay unchanged, so a restart of
/// HAProxy enables all servers.
///
/// A server is drained until its sessions end, and is in maintenance during the restart. Clients
/// bound by a cookie are then sent to another server.
///
/// ```
/// use fabrs::prelude::*;
/// use fabrs_deploy::{HaProxy, Site};
///
/// let haproxy = HaProxy::socket("/run/haproxy/admin.sock").backend("shop").on(role("lb"));
/// let site = Site::new("/srv/shop").rolling(1).balancer(haproxy);
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
#[must_use = "a balancer does nothing until a site has it"]
pub struct HaProxy {
    socket: String,
    backend: String,
    hosts: Option<HostSubset>,
    server_name: PerHost,
    drain_limit: Duration,
    up_limit: Duration,
    access: SocketAccess,
}

/// The user of the commands for the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SocketAccess {
    Login,
    Sudo,
}

impl HaProxy {
    /// Sets the path of the admin socket. A path may start with `~/`, the home of the login.
    ///
    /// ```
    /// # use fabrs_deploy::HaProxy;
    /// let haproxy = HaProxy::socket("/run/haproxy/admin.sock");
    /// assert!(format!("{haproxy:?}").contains("/run/haproxy/admin.sock"));
    /// ```
    pub fn socket(path: impl Into<String>) -> Self {
        Self {
            socket: path.into(),
            backend: String::new(),
            hosts: None,
            server_name: host_name(),
            drain_limit: Duration::from_secs(30),
            up_limit: Duration::from_mins(1),
            access: SocketAccess::Login,
        }
    }

    /// Sets the backend of the application. A deploy without a backend is refused.
    ///
    /// ```
    /// # use fabrs_deploy::{Balancer, HaProxy};
    /// let haproxy = HaProxy::socket("/run/haproxy/admin.sock").backend("shop");
    /// assert_eq!(haproxy.name(), "HAProxy backend shop");
    /// ```
    pub fn backend(mut self, name: impl Into<String>) -> Self {
        self.backend = name.into();
        self
    }

    /// Sets the hosts of the balancer: a role, or hosts by name. `-H` and `-x` do not change these
    /// hosts. A deploy without balancer hosts is refused.
    ///
    /// ```
    /// use fabrs::role;
    /// # use fabrs_deploy::HaProxy;
    /// let haproxy = HaProxy::socket("/run/haproxy/admin.sock").backend("shop").on(role("lb"));
    /// assert!(format!("{haproxy:?}").contains("lb"));
    /// ```
    pub fn on(mut self, hosts: impl Into<HostSubset>) -> Self {
        self.hosts = Some(hosts.into());
        self
    }

    /// Computes the server name of a deployed host. Defaults to the name of the host.
    ///
    /// ```
    /// # use fabrs_deploy::HaProxy;
    /// #[derive(serde::Deserialize)]
    /// struct Vars { server: String }
    ///
    /// let haproxy = HaProxy::socket("/run/haproxy/admin.sock")
    ///     .backend("shop")
    ///     .server_name(|host| Ok(host.vars::<Vars>()?.server));
    /// assert!(format!("{haproxy:?}").contains("computed for each host"));
    /// ```
    pub fn server_name(mut self, name: impl Fn(&Connection) -> Result<String, Error> + Send + Sync + 'static) -> Self {
        self.server_name = PerHost::Computed(Arc::new(name));
        self
    }

    /// Sets the longest wait for the end of the sessions of a drained server. Defaults to 30 s. A
    /// deploy then continues with a warning.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// # use fabrs_deploy::HaProxy;
    /// let haproxy = HaProxy::socket("/run/haproxy/admin.sock").backend("shop").drain_limit(mins(2));
    /// assert!(format!("{haproxy:?}").contains("120s"));
    /// ```
    pub fn drain_limit(mut self, limit: Duration) -> Self {
        self.drain_limit = limit;
        self
    }

    /// Sets the longest wait for the health check of `HAProxy` to pass, before a server receives
    /// requests again. Defaults to 1 min. Then the deploy fails.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// # use fabrs_deploy::HaProxy;
    /// let haproxy = HaProxy::socket("/run/haproxy/admin.sock").backend("shop").up_limit(mins(3));
    /// assert!(format!("{haproxy:?}").contains("180s"));
    /// ```
    pub fn up_limit(mut self, limit: Duration) -> Self {
        self.up_limit = limit;
        self
    }

    /// Accesses the socket with sudo. Defaults to the login user.
    ///
    /// ```
    /// # use fabrs_deploy::HaProxy;
    /// let haproxy = HaProxy::socket("/run/haproxy/admin.sock").backend("shop").sudo();
    /// assert!(format!("{haproxy:?}").contains("Sudo"));
    /// ```
    pub fn sudo(mut self) -> Self {
        self.access = SocketAccess::Sudo;
        self
    }

    /// Sends a line to the socket, and returns the response.
    async fn send(&self, balancer: &Connection, line: &str, kind: LineKind) -> Result<String, TaskError> {
        let socket = &self.socket;
        let variables = cmd!("socket={socket} line={line}");
        let script = ShellLine::raw(format!("{}\n{}", variables.as_str(), SCRIPT.trim_end()));
        let command = match (self.access, kind) {
            (SocketAccess::Login, LineKind::Read) => balancer.probe(script),
            (SocketAccess::Sudo, LineKind::Read) => balancer.sudo(script).probe(),
            (SocketAccess::Login, LineKind::Change) => balancer.run(script),
            (SocketAccess::Sudo, LineKind::Change) => balancer.sudo(script),
        };
        let output = command.named(format!("HAProxy: {line}")).warn().hide(Hide::Both).capture_all().await?;
        if !output.was_run() {
            return Ok(String::new());
        }
        if !output.ok()? {
            let stderr = output.stderr()?;
            let reason = stderr.trim().lines().last().unwrap_or("no response").to_owned();
            let text = format!("could not send a command to {}: {reason}", self.name());
            let error = Error::new(ErrorKind::Task, text).on(output.host());
            return Err(error
                .hint("check the path and the permissions of the socket, and install socat, python3 or perl")
                .into());
        }
        Ok(output.stdout()?.into_owned())
    }

    fn refused(&self, balancer: &Connection, response: &str) -> TaskError {
        let error = Error::new(ErrorKind::Task, format!("{} refused a command: {response}", self.name()));
        let error = match balancer.host() {
            Some(host) => error.on(host),
            None => error,
        };
        error.hint("set `level admin` on the socket, and check the names of the backend and of the servers").into()
    }
}

/// The effect of a line of the runtime API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineKind {
    Read,
    Change,
}

impl Balancer for HaProxy {
    fn name(&self) -> String {
        format!("HAProxy backend {}", self.backend)
    }

    fn check(&self) -> Result<(), Error> {
        if is_valid_name(&self.backend) {
            return Ok(());
        }
        let error = Error::new(ErrorKind::Usage, format!("invalid HAProxy backend `{}`", self.backend));
        Err(error.hint("set the backend of the application: `.backend(\"shop\")`"))
    }

    fn hosts(&self) -> Option<HostSubset> {
        self.hosts.clone()
    }

    fn server_name(&self, host: &Connection) -> Result<String, Error> {
        let name = self.server_name.on(host)?;
        if is_valid_name(&name) {
            return Ok(name);
        }
        let error = Error::new(ErrorKind::Usage, format!("invalid HAProxy server name `{name}`"));
        Err(error.hint("compute a name of letters, digits and `._:-`: `.server_name(|host| ..)`"))
    }

    fn drain_limit(&self) -> Duration {
        self.drain_limit
    }

    fn up_limit(&self) -> Duration {
        self.up_limit
    }

    fn disabled_state(&self) -> ServerState {
        ServerState::Maintenance
    }

    fn preflight(&self, balancer: Connection) -> BalancerFuture<()> {
        let haproxy = self.clone();
        Box::pin(async move {
            let level = haproxy.send(&balancer, "show cli level", LineKind::Read).await?;
            match level.trim() {
                "admin" => haproxy.servers(balancer).await.map(drop),
                level => Err(haproxy.refused(&balancer, &format!("the level of the socket is `{level}`"))),
            }
        })
    }

    fn servers(&self, balancer: Connection) -> BalancerFuture<Vec<BalancerServer>> {
        let haproxy = self.clone();
        Box::pin(async move {
            let backend = &haproxy.backend;
            let line = format!("show servers state {backend};show stat -1 4 -1");
            let response = haproxy.send(&balancer, &line, LineKind::Read).await?;
            let servers = parse_servers(&response, backend);
            if servers.is_empty() {
                return Err(haproxy.refused(&balancer, response.trim().lines().next().unwrap_or("no servers")));
            }
            Ok(servers)
        })
    }

    fn set_states(&self, balancer: Connection, states: Vec<(String, ServerState)>) -> BalancerFuture<()> {
        let haproxy = self.clone();
        Box::pin(async move {
            let mut line = String::new();
            for (server, state) in &states {
                let state = match state {
                    ServerState::Ready => "ready",
                    ServerState::Drained => "drain",
                    ServerState::Maintenance => "maint",
                };
                let separator = if line.is_empty() { "" } else { ";" };
                // A write to a string cannot fail.
                let _ = write!(line, "{separator}set server {}/{server} state {state}", haproxy.backend);
            }
            let response = haproxy.send(&balancer, &line, LineKind::Change).await?;
            match response.lines().map(str::trim).find(|line| !line.is_empty()) {
                None => Ok(()),
                Some(refusal) => Err(haproxy.refused(&balancer, refusal)),
            }
        })
    }
}

/// Returns whether a name is valid for a backend or a server. A semicolon, a space or a slash would
/// change the commands for the socket.
fn is_valid_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "._:-".contains(c))
}

/// Parses the responses to `show servers state` and `show stat`.
fn parse_servers(response: &str, backend: &str) -> Vec<BalancerServer> {
    let mut servers: Vec<BalancerServer> = Vec::new();
    let mut sessions: HashMap<&str, u64> = HashMap::new();
    let mut changing: HashSet<&str> = HashSet::new();
    for line in response.lines() {
        let columns: Vec<&str> = line.split(',').collect();
        if let [name, server, _, _, scur, ..] = columns[..] {
            if name == backend
                && let Ok(scur) = scur.parse()
            {
                sessions.insert(server, scur);
            }
            // `UP 1/3`: the number of passed health checks that still count.
            if name == backend && columns.get(STATUS_COLUMN).is_some_and(|status| status.contains('/')) {
                changing.insert(server);
            }
            continue;
        }
        if let [_, name, _, server, _, op, admin, ..] = line.split_whitespace().collect::<Vec<_>>()[..]
            && name == backend
            && let (Ok(op), Ok(admin)) = (op.parse::<u32>(), admin.parse::<u32>())
        {
            let state = match admin {
                admin if admin & MAINTENANCE_FLAGS != 0 => ServerState::Maintenance,
                admin if admin & DRAIN_FLAGS != 0 => ServerState::Drained,
                _ => ServerState::Ready,
            };
            let health = match (state, op) {
                // A server in maintenance has no health check.
                (ServerState::Maintenance, _) => ServerHealth::Unconfirmed,
                (_, 1 | 2) => ServerHealth::Up,
                _ => ServerHealth::Down,
            };
            servers.push(BalancerServer::new(server, state).health(health));
        }
    }
    for server in &mut servers {
        server.sessions = sessions.get(server.name.as_str()).copied();
        if server.health == ServerHealth::Up && changing.contains(server.name.as_str()) {
            server.health = ServerHealth::Unconfirmed;
        }
    }
    servers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_states_and_sessions_of_a_backend_are_parsed() {
        let response = "1\n\
            # be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight\n\
            3 shop 1 web1 10.0.0.1 2 0 1 1 14 1 0 2 0\n\
            3 shop 2 web2 10.0.0.2 0 0 1 1 14 1 0 2 0\n\
            3 shop 3 web3 10.0.0.3 2 8 1 1 14 1 0 2 0\n\
            3 shop 4 web4 10.0.0.4 0 5 1 1 14 1 0 2 0\n\
            3 shop 5 web5 10.0.0.5 2 0 1 1 14 1 0 2 0\n\
            4 blog 1 web1 10.0.0.1 2 0 1 1 14 1 0 2 0\n\n\
            # pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,\n\
            shop,web1,0,0,7,9,,30,0,0,,0,,0,0,0,0,UP,\n\
            shop,web3,0,0,0,9,,30,0,0,,0,,0,0,0,0,DRAIN,\n\
            shop,web5,0,0,0,9,,30,0,0,,0,,0,0,0,0,UP 1/3,\n\
            blog,web1,0,0,9,9,,30,0,0,,0,,0,0,0,0,UP 1/3,\n";
        let servers = parse_servers(response, "shop");
        let expected = [
            BalancerServer::new("web1", ServerState::Ready).sessions(7),
            BalancerServer::new("web2", ServerState::Ready).health(ServerHealth::Down),
            BalancerServer::new("web3", ServerState::Drained).sessions(0),
            BalancerServer::new("web4", ServerState::Maintenance).health(ServerHealth::Unconfirmed),
            BalancerServer::new("web5", ServerState::Ready).health(ServerHealth::Unconfirmed).sessions(0),
        ];
        assert_eq!(servers, expected);
    }

    #[test]
    fn a_backend_name_with_a_second_command_is_refused() {
        for name in ["", "shop; shutdown", "shop/web1"] {
            HaProxy::socket("s").backend(name).check().unwrap_err();
        }
        HaProxy::socket("s").backend("shop_be.1-x").check().unwrap();
    }
}
