//! The shop of these tests: machines, and a repository with a Python application.

use fabrs::Error;
use fabrs::config::Mode;
use fabrs::prelude::*;
use fabrs_deploy::{Git, Site};
use fabrs_testing::{GitServer, Machine, MachineNetwork};

use crate::fixture::client;

/// The machines with the application.
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
    /// Boots machines. Each application machine has the units, as pairs of file name and content.
    pub(crate) fn start(machines: &[&str], layer: &str, packages: &[&str], units: &[(&str, &str)]) -> Self {
        let mut network = MachineNetwork::builder();
        for name in machines {
            network = network.machine(Machine::builder(name).packages(layer, packages.iter().copied()));
        }
        let shop = Self { network: network.start(), tree: tempfile::tempdir().expect("a writable directory") };
        GitServer::git(shop.tree.path(), &["init", "--quiet"]);
        for name in NAMES {
            let machine = shop.network.machine(name);
            for (unit, content) in units {
                machine.run(cmd!("printf %s {content} > /etc/systemd/system/{unit}").as_str());
            }
            machine.run("systemctl daemon-reload && install -d -o deploy /srv/shop");
        }
        shop
    }

    /// Returns a site with the repository as its source.
    pub(crate) fn site(&self) -> Site {
        let tree = self.tree.path().display().to_string();
        Site::new("/srv/shop").source(Git::from_local(tree).branch("main").without_deployed_tags())
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
        let deployed = site.deploy(Group::of(&client, NAMES)?).await;
        client.close().await;
        Ok(deployed.map_err(TaskError::into_error)?.release.to_string())
    }
}

/// Returns the code of the application with this version.
pub(crate) fn application(version: &str) -> String {
    APPLICATION.replace("VERSION", version)
}
