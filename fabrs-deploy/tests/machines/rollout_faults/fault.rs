//! Faults, and the point of a blocked phase.

use fabrs::prelude::*;
use fabrs_deploy::App;
use fabrs_testing::Machine;

/// A fault of a machine, or an end of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Stop,
    Kill,
    PowerCut,
    LostNetwork,
}

/// Waits in the blocked phase, once for each [`BlockPoint::reset`].
const BLOCK: &str =
    "if [ ! -e /srv/fault/reached ]; then touch /srv/fault/reached && cat < /srv/fault/go > /dev/null; fi";

/// A machine with a point that blocks a phase of a deploy.
pub(super) struct BlockPoint<'a>(pub(super) &'a Machine);

impl BlockPoint<'_> {
    /// Creates the files of the point. The first phase that blocks is recorded.
    pub(super) fn create(&self) {
        self.0.run("install -d -o deploy /srv/fault && mkfifo -m 666 /srv/fault/go && touch /srv/fault/reached");
    }

    /// Lets the next blocked phase wait.
    pub(super) fn reset(&self) {
        self.0.run("rm -f /srv/fault/reached");
    }

    /// Returns `true` if a phase waits.
    pub(super) fn is_reached(&self) -> bool {
        self.0.disk().join("srv/fault/reached").exists()
    }

    /// Ends the wait. Without a wait, nothing happens.
    pub(super) fn release(&self) {
        self.0.run("echo | dd of=/srv/fault/go oflag=nonblock conv=nocreat,notrunc status=none 2> /dev/null || :");
    }
}

/// Waits on a host in the blocked phase.
pub(super) async fn block(host: &Connection) -> Result<(), TaskError> {
    host.probe(BLOCK).await?;
    Ok(())
}

/// Waits on web2 in the blocked phase of a blocked release.
pub(super) async fn block_on_web2(app: App, is_blocked: bool) -> Result<(), TaskError> {
    let is_web2 = app.connection().host().is_some_and(|host| host.to_string() == "web2");
    if is_blocked && is_web2 && probe("grep -c blocked shop.py || :").line().await? != "0" {
        block(app.connection()).await?;
    }
    Ok(())
}
