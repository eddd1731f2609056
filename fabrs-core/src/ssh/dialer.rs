//! The [`SshDialer`]: transports over SSH, with shared sessions to gateways.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures::future::{BoxFuture, FutureExt, join_all};
use tokio_util::task::TaskTracker;

use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::mutex::lock;
use crate::ssh::connector::Connector;
use crate::ssh::proxy::ProxyProgram;
use crate::ssh::route_settings::RouteSettings;
use crate::ssh::settings::SshSettings;
use crate::ssh::shared_session::SharedSession;
use crate::ssh::ssh_channel::SshChannel;
use crate::ssh::target::{self, Purpose, Route};
use crate::transport::LocalTransport;
use crate::transport::RunningCommand;
use crate::transport::{Dialer, Transport};
use crate::transport::{Invocation, Request};
use crate::transport::{drive, wait_and_reopen};

/// A key of a gateway's session: the chain of gateways, and the settings of the host behind it.
type GatewayKey = (Vec<Host>, RouteSettings);

/// A dialer for hosts over SSH, and for this machine (`@local`). Hosts are resolved as by `ssh`.
#[derive(Debug)]
pub struct SshDialer {
    settings: Arc<SshSettings>,
    /// Sessions of gateways. All hosts behind a gateway share its session, if their settings are
    /// equal.
    gateways: Mutex<HashMap<GatewayKey, Arc<SharedSession>>>,
}

impl SshDialer {
    /// Creates a dialer with these settings.
    pub fn new(settings: SshSettings) -> Self {
        Self { settings: Arc::new(settings), gateways: Mutex::new(HashMap::new()) }
    }

    /// Creates the shared session of `host` on its configured route. `passed` contains the hosts
    /// already on the route.
    fn shared_session(&self, host: &Host, passed: &[Host], route_settings: &RouteSettings) -> Result<SharedSession> {
        let purpose = if passed.is_empty() { Purpose::Work } else { Purpose::Gateway };
        let (target, route) = target::resolve(host, purpose, route_settings, &self.settings)?;
        let passed: Vec<Host> = passed.iter().cloned().chain([host.clone()]).collect();
        let connector = match route {
            Route::Gateways(gateways) => self.through_gateways(&gateways, host, &passed, route_settings)?,
            Route::Command(command) => Connector::Proxy(ProxyProgram::new(&command, &target, &self.settings)?),
        };
        Ok(SharedSession::new(target, connector, Arc::clone(&self.settings)))
    }

    /// Returns the connector to `host` through its gateways.
    fn through_gateways(
        &self,
        gateways: &[Host],
        host: &Host,
        passed: &[Host],
        route_settings: &RouteSettings,
    ) -> Result<Connector> {
        let mut previous = None;
        for (at, gateway) in gateways.iter().enumerate() {
            if passed.contains(gateway) {
                let error =
                    Error::new(ErrorKind::Config, format!("the gateway {gateway} can only be reached through itself"));
                return Err(error.on(host));
            }
            previous = Some(self.gateway(gateway, &gateways[..at], previous, passed, route_settings)?);
        }
        Ok(previous.map_or(Connector::Tcp, |gateway| Connector::Gateway(gateway)))
    }

    /// Returns the shared session of a gateway. `before` contains the gateways on the way to it.
    /// The first gateway of a chain is reached by its own configuration, each further gateway
    /// through the `previous` session.
    fn gateway(
        &self,
        gateway: &Host,
        before: &[Host],
        previous: Option<Arc<SharedSession>>,
        passed: &[Host],
        route_settings: &RouteSettings,
    ) -> Result<Arc<SharedSession>> {
        let chain: Vec<Host> = before.iter().chain([gateway]).cloned().collect();
        let key = (chain, route_settings.clone());
        if let Some(shared) = lock(&self.gateways).get(&key) {
            return Ok(Arc::clone(shared));
        }
        let shared = match previous {
            None => Arc::new(self.shared_session(gateway, passed, route_settings)?),
            Some(previous) => {
                let (target, _) = target::resolve(gateway, Purpose::Gateway, route_settings, &self.settings)?;
                Arc::new(SharedSession::new(target, Connector::Gateway(previous), Arc::clone(&self.settings)))
            }
        };
        lock(&self.gateways).insert(key, Arc::clone(&shared));
        Ok(shared)
    }
}

impl Dialer for SshDialer {
    fn dial(&self, host: &Host) -> Result<Arc<dyn Transport>> {
        if host.is_local() {
            return Ok(Arc::new(LocalTransport::default()));
        }
        let session = self.shared_session(host, &[], &self.settings.route_settings(host))?;
        Ok(Arc::new(SshTransport { session: Arc::new(session), commands: TaskTracker::new() }))
    }

    fn route(&self, host: &Host) -> Result<String> {
        if host.is_local() {
            return Ok(host.to_string());
        }
        let (target, route) = target::resolve_host(host, &self.settings)?;
        let mut text = format!("{}@{} port {}", target.user, target.address, target.port);
        match route {
            Route::Gateways(gateways) => {
                for gateway in gateways {
                    let (gateway, _) =
                        target::resolve(&gateway, Purpose::Gateway, &target.route_settings, &self.settings)?;
                    text = format!("{text} via {}@{} port {}", gateway.user, gateway.address, gateway.port);
                }
            }
            Route::Command(command) => text = format!("{text} by {command}"),
        }
        Ok(text)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async {
            // The entries are kept: a later connection uses the same gateways.
            let gateways: Vec<_> = {
                let gateways = lock(&self.gateways);
                gateways.values().cloned().collect()
            };
            join_all(gateways.iter().map(|shared| shared.close())).await;
        }
        .boxed()
    }
}

/// The transport of a host over SSH.
#[derive(Debug)]
struct SshTransport {
    session: Arc<SharedSession>,
    commands: TaskTracker,
}

impl Transport for SshTransport {
    fn start(&self, request: Request) -> RunningCommand {
        let (running, sender) = RunningCommand::channel();
        let (shared, prefetch_channel) = (Arc::clone(&self.session), request.prefetch_channel);
        self.commands.spawn(drive(request, sender, move |invocation| start(shared, invocation, prefetch_channel)));
        running
    }

    fn open(&self) -> BoxFuture<'_, Result<()>> {
        async { self.session.session().await.map(drop) }.boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async {
            wait_and_reopen(&self.commands).await;
            self.session.close().await;
        }
        .boxed()
    }
}

async fn start(session: Arc<SharedSession>, invocation: Invocation, prefetch_channel: bool) -> Result<SshChannel> {
    let session = session.session().await?;
    let channel = SshChannel::start(Arc::clone(&session), invocation).await?;
    if prefetch_channel {
        session.prefetch_channel();
    }
    Ok(channel)
}
