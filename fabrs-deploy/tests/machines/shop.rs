//! The shop of these tests: machines, and a repository with a Python application.

use std::path::Path;

use fabrs::Error;
use fabrs::config::Mode;
use fabrs::prelude::*;
use fabrs_deploy::{Git, Site};
use fabrs_testing::{GitServer, Machine, MachineNetwork};

use crate::fixture::client;

/// The machines with the application in a shop of two.
pub(crate) const NAMES: [&str; 2] = ["web1", "web2"];

/// An application that responds with its version. Each request takes some time.
const APPLICATION: &str = "import threading\n\
    def application(environ, start_response):\n    \
    threading.Event().wait(0.05)\n    \
    start_response('200 OK', [('Content-Type', 'text/plain')])\n    \
    return [b'VERSION\\n']\n";

/// Machines with the same packages, and a repository for the site.
pub(crate) struct Shop {
    pub(crate) network: MachineNetwork,
    tree: tempfile::TempDir,
}

impl Shop {
    /// Boots machines. The machines `web1`, `web2` and so on have the application and the units, as
    /// pairs of file name and content.
    pub(crate) fn start(machines: &[&str], layer: &str, packages: &[&str], units: &[(&str, &str)]) -> Self {
        let mut network = MachineNetwork::builder();
        for name in machines {
            network = network.machine(Machine::builder(name).packages(layer, packages.iter().copied()));
        }
        let shop = Self { network: network.start(), tree: tempfile::tempdir().expect("a writable directory") };
        GitServer::git(shop.tree.path(), &["init", "--quiet"]);
        for machine in shop.web() {
            for (unit, content) in units {
                machine.run(cmd!("printf %s {content} > /etc/systemd/system/{unit}").as_str());
            }
            machine.run("systemctl daemon-reload && install -d -o deploy /srv/shop");
        }
        shop
    }

    /// Returns the application machines.
    pub(crate) fn web(&self) -> impl Iterator<Item = &Machine> {
        self.network.machines().iter().filter(|machine| machine.name().starts_with("web"))
    }

    /// Returns the application machines as a group of a client.
    pub(crate) fn group(&self, client: &Client) -> Group {
        Group::of(client, self.web().map(Machine::name)).expect("the names are hosts")
    }

    /// Returns the directory of the repository.
    pub(crate) fn tree(&self) -> &Path {
        self.tree.path()
    }

    /// Returns a site with the repository as its source.
    pub(crate) fn site(&self) -> Site {
        site_of(self.tree())
    }

    /// Commits the code of the application.
    pub(crate) fn commit(&self, code: &str) {
        std::fs::write(self.tree.path().join("shop.py"), code).expect("a writable directory");
        GitServer::git(self.tree.path(), &["add", "--all"]);
        GitServer::git(self.tree.path(), &["commit", "--quiet", "--message", "next"]);
    }

    /// Deploys the last commit. Returns the release.
    pub(crate) async fn deploy(&self, site: Site) -> Result<String, Error> {
        let (client, _) = client(&self.network, Mode::Run);
        let deployed = site.deploy(self.group(&client)).await;
        client.close().await;
        Ok(deployed.map_err(TaskError::into_error)?.release.to_string())
    }
}

/// Returns a site with the repository in a directory as its source.
pub(crate) fn site_of(tree: &Path) -> Site {
    let tree = tree.display().to_string();
    Site::new("/srv/shop").source(Git::from_local(tree).branch("main").without_deployed_tags())
}

/// Returns the code of the application with this version.
pub(crate) fn application(version: &str) -> String {
    APPLICATION.replace("VERSION", version)
}
