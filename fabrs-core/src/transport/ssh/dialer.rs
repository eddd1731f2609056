//! Transports to hosts over SSH: which link a host gets, and how its commands start.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures::future::{BoxFuture, FutureExt, join_all};
use tokio_util::task::TaskTracker;

use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::mutex::lock;
use crate::transport::drive::{carry, drain};
use crate::transport::local::local_transport::Local;
use crate::transport::request::{Invocation, Request};
use crate::transport::running::Running;
use crate::transport::ssh::connector::Way;
use crate::transport::ssh::proxy::Proxy;
use crate::transport::ssh::settings::SshSettings;
use crate::transport::ssh::shared_session::Link;
use crate::transport::ssh::ssh_channel::ChannelWire;
use crate::transport::ssh::target::{self, Purpose, Route};
use crate::transport::traits::{Dial, Transport};

/// Makes the transports that `ssh` would reach: over SSH to hosts, and to this machine for `@local`.
#[derive(Debug)]
pub struct OpenSsh {
    settings: Arc<SshSettings>,
    /// The gateways by the way to them, so that all hosts behind one share its session.
    gateways: Mutex<HashMap<Vec<Host>, Arc<Link>>>,
}

impl OpenSsh {
    /// Makes transports by these settings.
    pub fn new(settings: SshSettings) -> Self {
        Self { settings: Arc::new(settings), gateways: Mutex::new(HashMap::new()) }
    }

    /// Makes the link to `host`, as its route leads there; `passed` are the hosts that are on the way already.
    fn link(&self, host: &Host, passed: &[Host]) -> Result<Link> {
        let purpose = if passed.is_empty() { Purpose::Work } else { Purpose::Gateway };
        let (target, route) = target::resolve(host, purpose, &self.settings)?;
        let passed: Vec<Host> = passed.iter().cloned().chain([host.clone()]).collect();
        let way = match route {
            Route::Gateways(gateways) => self.behind(&gateways, host, &passed)?,
            Route::Command(command) => Way::Proxy(Proxy::new(&command, &target, &self.settings)?),
        };
        Ok(Link::new(target, way, Arc::clone(&self.settings)))
    }

    /// Returns the way to `host` through its gateways.
    fn behind(&self, gateways: &[Host], host: &Host, passed: &[Host]) -> Result<Way> {
        let mut before = None;
        for (at, gateway) in gateways.iter().enumerate() {
            if passed.contains(gateway) {
                let error =
                    Error::new(ErrorKind::Config, format!("the gateway {gateway} can only be reached through itself"));
                return Err(error.on(host));
            }
            before = Some(self.gateway(gateway, &gateways[..at], before, passed)?);
        }
        Ok(before.map_or(Way::Tcp, |gateway| Way::Gateway(gateway)))
    }

    /// Returns the link to a gateway. The first of a chain is reached as its own configuration says, each other through
    /// the one before it, to which `way` leads.
    fn gateway(&self, gateway: &Host, way: &[Host], before: Option<Arc<Link>>, passed: &[Host]) -> Result<Arc<Link>> {
        let way: Vec<Host> = way.iter().chain([gateway]).cloned().collect();
        if let Some(link) = lock(&self.gateways).get(&way) {
            return Ok(Arc::clone(link));
        }
        let link = match before {
            None => Arc::new(self.link(gateway, passed)?),
            Some(before) => {
                let (target, _) = target::resolve(gateway, Purpose::Gateway, &self.settings)?;
                Arc::new(Link::new(target, Way::Gateway(before), Arc::clone(&self.settings)))
            }
        };
        lock(&self.gateways).insert(way, Arc::clone(&link));
        Ok(link)
    }
}

impl Dial for OpenSsh {
    fn dial(&self, host: &Host) -> Result<Arc<dyn Transport>> {
        if host.is_local() {
            return Ok(Arc::new(Local::default()));
        }
        Ok(Arc::new(Ssh { link: Arc::new(self.link(host, &[])?), commands: TaskTracker::new() }))
    }

    fn route(&self, host: &Host) -> Result<String> {
        if host.is_local() {
            return Ok(host.to_string());
        }
        let (target, route) = target::resolve(host, Purpose::Work, &self.settings)?;
        let mut text = format!("{}@{} port {}", target.user, target.address, target.port);
        match route {
            Route::Gateways(gateways) => {
                for gateway in gateways {
                    let (gateway, _) = target::resolve(&gateway, Purpose::Gateway, &self.settings)?;
                    text = format!("{text} via {}@{} port {}", gateway.user, gateway.address, gateway.port);
                }
            }
            Route::Command(command) => text = format!("{text} by {command}"),
        }
        Ok(text)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async {
            // They stay known: a host that is used again goes through them again.
            let gateways: Vec<_> = {
                let gateways = lock(&self.gateways);
                gateways.values().cloned().collect()
            };
            join_all(gateways.iter().map(|link| link.close())).await;
        }
        .boxed()
    }
}

/// One host's transport over SSH.
#[derive(Debug)]
struct Ssh {
    link: Arc<Link>,
    commands: TaskTracker,
}

impl Transport for Ssh {
    fn start(&self, request: Request) -> Running {
        let (running, carrier) = Running::pair();
        let (link, ahead) = (Arc::clone(&self.link), request.ahead);
        self.commands.spawn(carry(request, carrier, move |invocation| start(link, invocation, ahead)));
        running
    }

    fn open(&self) -> BoxFuture<'_, Result<()>> {
        async { self.link.session().await.map(drop) }.boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async {
            drain(&self.commands).await;
            self.link.close().await;
        }
        .boxed()
    }
}

async fn start(link: Arc<Link>, invocation: Invocation, ahead: bool) -> Result<ChannelWire> {
    let session = link.session().await?;
    let wire = ChannelWire::start(Arc::clone(&session), invocation).await?;
    if ahead {
        session.open_ahead();
    }
    Ok(wire)
}
