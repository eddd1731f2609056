//! nginx: the servers of an upstream, by its configuration file.

use std::sync::Arc;
use std::time::Duration;

use fabrs::{Connection, Error, ErrorKind, Hide, Output, ShellLine, cmd};

use crate::balancer::balancer::{Balancer, BalancerFuture, BalancerServer, ServerState};
use crate::balancer::server_names::host_name;
use crate::balancer::upstream_file;
use crate::per_host::PerHost;
use crate::release::side::BlueGreenSide;
use crate::scope::HostSubset;

/// The functions of all scripts.
const FUNCTIONS: &str = include_str!("nginx.sh");

/// Reloads nginx.
const RELOAD: &str = include_str!("nginx_reload.sh");

/// An upstream of nginx, changed in its configuration file on each host of the balancer.
///
/// A drain adds `down` to the `server` line of the host, and keeps all other parameters. The new
/// file is checked with `nginx -t`. If the check fails, the old file is restored. A graceful reload
/// then loads the file: old workers complete their requests, and the drain waits for their end.
///
/// Write one `server` line for each host. Its address is the name of the server: `web1:8000`. A
/// login without write access to the file needs [`sudo`](Self::sudo).
///
/// ```
/// use fabrs::prelude::*;
/// use fabrs_deploy::{NginxUpstream, Site};
///
/// let nginx = NginxUpstream::file("/etc/nginx/conf.d/shop-upstream.conf").port(8000);
/// let site = Site::new("/srv/shop").rolling(1).balancer(nginx.on(role("lb")).sudo());
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
#[must_use = "a balancer does nothing until a site has it"]
pub struct NginxUpstream {
    file: String,
    nginx: String,
    hosts: Option<HostSubset>,
    server_name: PerHost,
    port: Option<u16>,
    drain_limit: Duration,
    access: FileAccess,
}

/// The user of the commands for nginx.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileAccess {
    Login,
    Sudo,
}

impl NginxUpstream {
    /// Sets the path of the file with the `server` lines.
    ///
    /// ```
    /// # use fabrs_deploy::{Balancer, NginxUpstream};
    /// let nginx = NginxUpstream::file("/etc/nginx/conf.d/shop-upstream.conf");
    /// assert_eq!(nginx.name(), "nginx upstream file /etc/nginx/conf.d/shop-upstream.conf");
    /// ```
    pub fn file(path: impl Into<String>) -> Self {
        Self {
            file: path.into(),
            nginx: "nginx".to_owned(),
            hosts: None,
            server_name: host_name(),
            port: None,
            drain_limit: Duration::from_secs(30),
            access: FileAccess::Login,
        }
    }

    /// Sets the hosts of the balancer: a role, or hosts by name. `-H` and `-x` do not change these
    /// hosts. A deploy without balancer hosts is refused.
    ///
    /// ```
    /// use fabrs::role;
    /// # use fabrs_deploy::NginxUpstream;
    /// let nginx = NginxUpstream::file("/etc/nginx/conf.d/shop-upstream.conf").on(role("lb"));
    /// assert!(format!("{nginx:?}").contains("lb"));
    /// ```
    pub fn on(mut self, hosts: impl Into<HostSubset>) -> Self {
        self.hosts = Some(hosts.into());
        self
    }

    /// Sets the port in the address of each server: `web1:8000`. Defaults to an address without a
    /// port.
    ///
    /// ```
    /// # use fabrs_deploy::NginxUpstream;
    /// let nginx = NginxUpstream::file("/etc/nginx/conf.d/shop-upstream.conf").port(8000);
    /// assert!(format!("{nginx:?}").contains("8000"));
    /// ```
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Computes the address of a deployed host, without the port of [`port`](Self::port). Defaults
    /// to the name of the host.
    ///
    /// ```
    /// # use fabrs_deploy::NginxUpstream;
    /// #[derive(serde::Deserialize)]
    /// struct Vars { address: String }
    ///
    /// let nginx = NginxUpstream::file("/etc/nginx/conf.d/shop-upstream.conf")
    ///     .port(8000)
    ///     .server_name(|host| Ok(host.vars::<Vars>()?.address));
    /// assert!(format!("{nginx:?}").contains("computed for each host"));
    /// ```
    pub fn server_name(mut self, name: impl Fn(&Connection) -> Result<String, Error> + Send + Sync + 'static) -> Self {
        self.server_name = PerHost::Computed(Arc::new(name));
        self
    }

    /// Sets the command of nginx with its options, as a shell command. Defaults to `nginx`.
    ///
    /// ```
    /// # use fabrs_deploy::NginxUpstream;
    /// let nginx = NginxUpstream::file("/srv/lb/shop.conf").nginx("nginx -c /srv/lb/nginx.conf");
    /// assert!(format!("{nginx:?}").contains("nginx -c /srv/lb/nginx.conf"));
    /// ```
    pub fn nginx(mut self, line: impl Into<String>) -> Self {
        self.nginx = line.into();
        self
    }

    /// Sets the longest wait for the end of the requests of old workers. Defaults to 30 s. A deploy
    /// then continues with a warning.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// # use fabrs_deploy::NginxUpstream;
    /// let nginx = NginxUpstream::file("/srv/lb/shop.conf").drain_limit(mins(2));
    /// assert!(format!("{nginx:?}").contains("120s"));
    /// ```
    pub fn drain_limit(mut self, limit: Duration) -> Self {
        self.drain_limit = limit;
        self
    }

    /// Changes the file and reloads nginx with sudo. Defaults to the login user.
    ///
    /// ```
    /// # use fabrs_deploy::NginxUpstream;
    /// let nginx = NginxUpstream::file("/etc/nginx/conf.d/shop-upstream.conf").sudo();
    /// assert!(format!("{nginx:?}").contains("Sudo"));
    /// ```
    pub fn sudo(mut self) -> Self {
        self.access = FileAccess::Sudo;
        self
    }

    /// Returns a script that begins with the functions for nginx.
    fn script(&self, body: &str) -> ShellLine {
        let nginx = &self.nginx;
        let variables = cmd!("nginx={nginx}");
        ShellLine::raw(format!("{}\n{FUNCTIONS}\n{}", variables.as_str(), body.trim_end()))
    }

    async fn probe(&self, balancer: &Connection, body: &str, name: &str) -> Result<Output, Error> {
        let script = self.script(body);
        let command = match self.access {
            FileAccess::Login => balancer.probe(script),
            FileAccess::Sudo => balancer.sudo(script).probe(),
        };
        command.named(name).warn().hide(Hide::Both).capture_all().await
    }

    async fn read(&self, balancer: &Connection) -> Result<String, Error> {
        let read = balancer.read(&self.file);
        match self.access {
            FileAccess::Login => read.await,
            FileAccess::Sudo => read.sudo().await,
        }
    }

    async fn write(&self, balancer: &Connection, text: String) -> Result<(), Error> {
        let check = ShellLine::raw(format!("PATH=\"$PATH:/usr/sbin:/sbin\" && {} -t", self.nginx));
        let put = balancer.put(text.into_bytes(), &self.file).validate_live(check);
        match self.access {
            FileAccess::Login => put.await?,
            FileAccess::Sudo => put.sudo().await?,
        };
        let reload = self.script(RELOAD);
        let reload = match self.access {
            FileAccess::Login => balancer.run(reload),
            FileAccess::Sudo => balancer.sudo(reload),
        };
        reload.named("reload nginx").await?;
        Ok(())
    }
}

impl Balancer for NginxUpstream {
    fn name(&self) -> String {
        format!("nginx upstream file {}", self.file)
    }

    fn hosts(&self) -> Option<HostSubset> {
        self.hosts.clone()
    }

    fn server_name(&self, host: &Connection) -> Result<String, Error> {
        let name = self.server_name.on(host)?;
        Ok(match self.port {
            Some(port) => format!("{name}:{port}"),
            None => name,
        })
    }

    fn side_server_name(&self, host: &Connection, _side: BlueGreenSide, port: u16) -> Result<String, Error> {
        Ok(format!("{}:{port}", self.server_name.on(host)?))
    }

    fn drain_limit(&self) -> Duration {
        self.drain_limit
    }

    fn preflight(&self, balancer: Connection) -> BalancerFuture<()> {
        let nginx = self.clone();
        Box::pin(async move {
            let checked = nginx.probe(&balancer, "eval \"$nginx -t\" && master > /dev/null", "check nginx").await?;
            if !checked.ok()? {
                let text = format!("nginx is not ready: {}", checked.stderr_tail(3)?.trim());
                let error = Error::new(ErrorKind::Task, text).on(checked.host());
                return Err(error.hint("start nginx with a valid configuration, or add `.sudo()`").into());
            }
            nginx.servers(balancer).await.map(drop)
        })
    }

    fn servers(&self, balancer: Connection) -> BalancerFuture<Vec<BalancerServer>> {
        let nginx = self.clone();
        Box::pin(async move {
            let servers = upstream_file::servers(&nginx.read(&balancer).await?);
            // An old worker may still have requests of any server.
            let ending = nginx.probe(&balancer, "workers 'is shutting down'", "list old workers of nginx").await?;
            let ending = u64::try_from(ending.stdout()?.lines().count()).unwrap_or(u64::MAX);
            Ok(servers.into_iter().map(|server| server.sessions(ending)).collect())
        })
    }

    fn set_states(&self, balancer: Connection, states: Vec<(String, ServerState)>) -> BalancerFuture<()> {
        let nginx = self.clone();
        Box::pin(async move {
            let text = nginx.read(&balancer).await?;
            let changed = upstream_file::with_states(&text, &states);
            nginx.write(&balancer, changed).await?;
            Ok(())
        })
    }
}
