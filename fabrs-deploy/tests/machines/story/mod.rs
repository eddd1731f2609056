//! From three empty machines to a shop: a web server and its database server for production, and a
//! server for staging.

mod project;
mod servers;

use std::path::Path;

use fabrs::config::Mode;
use fabrs::prelude::*;
use fabrs_deploy::{App, Database, Django, Git, HealthCheck, HostDatabase, Puppet, Site, Systemd};
use fabrs_testing::{Machine, MachineNetwork};

use crate::fixture::{client, connect};
use crate::postgres::{PASSWORD, SHARED, query, url};

/// SQL that removes personal data.
const MASK: &str = "UPDATE customers_customer SET name = 'customer ' || id, email = id || '@example.com'";

/// All rows of the customers.
const ROWS: &str = "SELECT string_agg(name || ' <' || email || '>', ', ' ORDER BY id) FROM customers_customer";

/// Three machines and the repository of the shop.
struct Story {
    network: MachineNetwork,
    tree: tempfile::TempDir,
}

impl Story {
    fn begin() -> Self {
        let network = MachineNetwork::builder().machines(["web1", "db1", "staging"]).mirror().start();
        let tree = tempfile::tempdir().expect("a writable directory");
        project::create(tree.path());
        Self { network, tree }
    }

    fn machine(&self, name: &str) -> &Machine {
        self.network.machine(name)
    }

    fn site(&self) -> Site {
        let database = Database::from_env_file(".env", "DATABASE_URL").restore_task("restore");
        let health = HealthCheck::get("http://127.0.0.1:8000/health/").contains_release();
        Site::new("/srv/shop")
            .source(Git::from_local(self.tree.path().display().to_string()).without_deployed_tags())
            .linked_files([".env"])
            .build(|_: App| run("python3 -m venv --system-site-packages env"))
            .with(Django::new().snapshot(database))
            .with(Systemd::reload("shop"))
            .health(health)
    }

    /// Deploys the last build to a host. Returns the release.
    async fn deploy(&self, host: &str) -> Result<String> {
        let (client, _) = client(&self.network, Mode::Run);
        let deployed = self.site().deploy(Group::of(&client, [host])?).await;
        client.close().await;
        Ok(deployed?.release.to_string())
    }

    /// Asserts that a host serves a release and a number of customers, also behind nginx.
    #[track_caller]
    fn assert_serves(&self, host: &str, release: &str, customers: usize) {
        let machine = self.machine(host);
        assert_eq!(machine.run("curl -fsS http://127.0.0.1:8080/health/"), format!("{release}\n"), "{host}");
        assert_eq!(machine.run("curl -fsS http://127.0.0.1:8080/"), format!("{customers} customers\n"), "{host}");
        assert_eq!(machine.run("systemctl is-active shop nginx"), "active\nactive\n", "{host}");
        let live = machine.run("readlink -f /srv/shop/current");
        assert_eq!(live.trim(), format!("/srv/shop/releases/{release}"), "{host}");
    }

    fn database(&self, host: &str) -> HostDatabase {
        Database::from_env_file(format!("{SHARED}/.env"), "DATABASE_URL").on(&connect(&self.network, host))
    }

    async fn provision(&self) -> Result {
        let [web1, db1, staging] = ["web1", "db1", "staging"].map(|name| connect(&self.network, name));
        let first = servers::provision_web(&web1).await?;
        assert!(first.contains(&"python3-django".to_owned()), "{first:?}");
        let first = servers::provision_database(&db1).await?;
        assert!(first.contains(&"postgresql".to_owned()), "{first:?}");
        assert_eq!(servers::provision_web(&web1).await?, Vec::<String>::new());
        assert_eq!(servers::provision_database(&db1).await?, Vec::<String>::new());

        let manifests = tempfile::tempdir()?;
        servers::write_manifests(manifests.path());
        let puppet = || Puppet::apply(manifests.path()).install();
        let first = puppet().on(&staging).await?.differences()?;
        assert!(first.iter().any(|change| change.contains("Package[python3-django]")), "{first:?}");
        assert_eq!(puppet().on(&staging).await?.differences()?, Vec::<String>::new());

        for host in ["web1", "staging"] {
            let machine = self.machine(host);
            assert_eq!(machine.run("systemctl is-active nginx; systemctl is-enabled nginx"), "active\nenabled\n");
            let account = machine.run("getent passwd shop | cut -d : -f 6,7; id -nG deploy");
            assert_eq!(account, "/srv/shop:/bin/bash\ndeploy shop\n", "{host}");
            assert_eq!(machine.run("stat -c '%U %G %a' /srv/shop /srv/shop/shared"), "deploy shop 2750\n".repeat(2));
        }
        let unit = |host| self.machine(host).run("cat /etc/systemd/system/shop.service");
        assert_eq!(unit("web1"), unit("staging"));
        for (host, server) in [(&db1, "db1"), (&staging, "127.0.0.1")] {
            servers::ensure_database(host, PASSWORD).await?;
            servers::ensure_database(host, PASSWORD).await?;
            self.write_env(if server == "db1" { &web1 } else { &staging }, server).await?;
        }
        let url = url("db1");
        let select = cmd!("psql -AtX -c 'SELECT 1' {url}");
        assert_eq!(self.machine("web1").run(select.as_str()), "1\n");
        Ok(())
    }

    /// Writes the settings of a host, readable for the group of the service.
    async fn write_env(&self, host: &Connection, server: &str) -> Result {
        let key = "a-key-of-this-host-abcdefghijklmnopqrstuvwxyz-0123456789-abcdef";
        let settings = format!("SECRET_KEY={key}\nDATABASE_URL={}\n", url(server));
        host.put(Secret::new(settings), format!("{SHARED}/.env")).mode(0o640).await?;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_empty_machines_become_a_shop_with_a_masked_copy_for_staging() -> Result {
    let story = Story::begin();
    story.provision().await?;

    let first = story.deploy("web1").await?;
    story.assert_serves("web1", &first, 0);
    let on_staging = story.deploy("staging").await?;
    story.assert_serves("staging", &on_staging, 0);

    let (production, staging) = (story.machine("db1"), story.machine("staging"));
    let personal = "Ann <ann@example.org>, Bob <bob@example.org>";
    let insert =
        "INSERT INTO customers_customer (name, email) VALUES ('Ann', 'ann@example.org'), ('Bob', 'bob@example.org')";
    query(production, insert);
    story.assert_serves("web1", &first, 2);
    story.database("staging").copy_from(&story.database("web1")).mask(MASK).await?;
    assert_eq!(query(staging, ROWS), "customer 1 <1@example.com>, customer 2 <2@example.com>");
    assert_eq!(query(production, ROWS), personal);
    story.assert_serves("staging", &on_staging, 2);

    let snapshot = story.database("web1").snapshot().await?;
    query(production, "DELETE FROM customers_customer; ALTER TABLE customers_customer DROP COLUMN email");
    story.database("web1").restore(&snapshot.file).await?;
    assert_eq!(query(production, ROWS), personal);
    story.assert_serves("web1", &first, 2);

    project::add_city(story.tree.path());
    let second = story.deploy("web1").await?;
    story.assert_serves("web1", &second, 2);
    assert_eq!(query(production, "SELECT count(*) FROM customers_customer WHERE city IS NULL"), "2");
    assert_snapshot_of_release(story.machine("web1"), "customers.0002_city");

    project::break_health(story.tree.path());
    let error = story.deploy("web1").await.unwrap_err().into_error();
    assert!(error.block().to_string().contains("health check"), "{}", error.block());
    story.assert_serves("web1", &second, 2);

    // The unit starts with the machine.
    connect(&story.network, "web1").sudo("systemctl enable --quiet shop").await?;
    story.machine("web1").reboot();
    story.assert_serves("web1", &second, 2);
    Ok(())
}

/// Asserts that the manifest of the live release and the migration log name an existing snapshot,
/// made before the migration.
#[track_caller]
fn assert_snapshot_of_release(machine: &Machine, migration: &str) {
    let manifest = machine.run("cat /srv/shop/current/.fabrs-release.json");
    let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("the manifest is JSON");
    let log = machine.run("tail -n 1 /srv/shop/migrations.log");
    let entry: serde_json::Value = serde_json::from_str(&log).expect("the log has a JSON value on each line");
    assert!(entry["migrations"].as_array().is_some_and(|names| names.iter().any(|name| name == migration)), "{log}");
    let file = entry["snapshot"]["file"].as_str().expect("the log names the snapshot");
    assert_eq!(manifest["snapshot_file"], file, "{manifest}");
    assert_eq!(Path::new(file).parent(), Some(Path::new("/srv/shop/shared/snapshots")));
    assert!(entry["snapshot"]["content"]["rows"].as_u64().is_some_and(|rows| rows >= 2), "{log}");
    let dump = machine.run(cmd!("pg_restore --file=- {file}").as_str());
    assert!(dump.contains("ann@example.org") && !dump.contains("city"), "{dump}");
}
