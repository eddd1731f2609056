//! A PostgreSQL cluster for the test, the database of all hosts.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use fabrs_testing::wait_until;
use tempfile::TempDir;

/// The password of the shop. The output must never contain this password.
pub(crate) const PASSWORD: &str = "correct-horse-battery";

/// A database cluster with an empty database `shop`, stopped on drop.
#[derive(Debug)]
pub(crate) struct Database {
    dir: TempDir,
    user: &'static str,
    port: u16,
}

impl Database {
    /// Starts the cluster as a user, since PostgreSQL refuses to run as root.
    pub(crate) fn start(user: &'static str) -> Self {
        let dir = tempfile::Builder::new().prefix("fabrs-postgres-").tempdir().expect("a temporary directory");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("loopback").port();
        let database = Self { dir, user, port };
        run(Command::new("chown").arg(user).arg(database.dir.path()));
        let folder = database.dir.path().display();
        database.as_user(&format!(
            "echo {PASSWORD} > {folder}/password && \
             {0}/initdb --pgdata={folder}/data --username=shop --pwfile={folder}/password --auth=scram-sha-256 > {folder}/log && \
             {0}/pg_ctl --pgdata={folder}/data --log={folder}/log --wait \
             --options='-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c fsync=off' start > /dev/null",
            programs().display()
        ));
        wait_until("the database answers", Duration::from_mins(1), || database.psql("postgres", "SELECT 1").is_some());
        database.psql("postgres", "CREATE DATABASE shop").expect("the database accepts commands");
        database
    }

    /// Returns the database URL for the hosts.
    pub(crate) fn url(&self) -> String {
        format!("postgres://shop:{PASSWORD}@127.0.0.1:{}/shop", self.port)
    }

    /// Runs a query and returns one row per line, or `None` if the query fails.
    pub(crate) fn query(&self, sql: &str) -> Option<String> {
        self.psql("shop", sql)
    }

    fn psql(&self, database: &str, sql: &str) -> Option<String> {
        let ran = Command::new("psql")
            .args(["--host=127.0.0.1", "--username=shop", "--no-align", "--tuples-only", "--quiet"])
            .arg(format!("--port={}", self.port))
            .args(["--dbname", database, "--command", sql])
            .env("PGPASSWORD", PASSWORD)
            .output()
            .expect("psql is installed");
        ran.status.success().then(|| String::from_utf8_lossy(&ran.stdout).trim_end().to_owned())
    }

    fn as_user(&self, line: &str) {
        run(Command::new("runuser").args(["-u", self.user, "--", "sh", "-c", line]).current_dir("/"));
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let line = format!(
            "{}/pg_ctl --pgdata={}/data --mode=immediate stop",
            programs().display(),
            self.dir.path().display()
        );
        let _gone = Command::new("runuser").args(["-u", self.user, "--", "sh", "-c", &line]).current_dir("/").output();
    }
}

/// Returns the program directory of the newest PostgreSQL on this machine.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed: run scripts/e2e");
    let mut versions: Vec<PathBuf> =
        versions.flatten().map(|entry| entry.path().join("bin")).filter(|bin| has_server(bin)).collect();
    versions.sort();
    versions.pop().expect("PostgreSQL is installed: run scripts/e2e")
}

fn has_server(bin: &Path) -> bool {
    bin.join("initdb").exists()
}

#[track_caller]
fn run(command: &mut Command) {
    let ran = command.stdin(Stdio::null()).status().expect("the program is installed");
    assert!(ran.success(), "{command:?}");
}
