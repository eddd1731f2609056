//! The fixture of these tests: a database system, with the database `shop` on two hosts.

use std::path::{Path, PathBuf};
use std::process::Command;

use fabrs::{Client, Connection, Error};
use fabrs_deploy::{Database, HostDatabase};
use fabrs_testing::{Account, DatabaseServer};

use crate::fixture::Fixture;

/// A database system.
pub(super) enum System {
    Server(DatabaseServer),
    Sqlite,
}

/// Two hosts, `web1` and `web2`, with the databases `shop` and `shop_staging`.
pub(super) struct Databases {
    pub(super) hosts: Fixture,
    pub(super) system: System,
}

/// Personal data in the database of `web1`.
pub(super) const EMAIL: &str = "ann@example.com";

impl Databases {
    pub(super) fn postgres() -> Option<Self> {
        Self::start(|| System::Server(DatabaseServer::postgres(Account::Plain.name())))
    }

    pub(super) fn maria_db() -> Option<Self> {
        Self::start(|| System::Server(DatabaseServer::maria_db(Account::Plain.name())))
    }

    pub(super) fn sqlite() -> Option<Self> {
        Self::start(|| System::Sqlite)
    }

    /// Starts the hosts and the server. Returns `None` without root.
    fn start(system: impl FnOnce() -> System) -> Option<Self> {
        let databases = Self { hosts: Fixture::start()?, system: system() };
        for (host, name) in ["shop", "shop_staging"].into_iter().enumerate() {
            let url = match &databases.system {
                System::Server(server) => server.url(name),
                System::Sqlite => format!("sqlite:///{name}.sqlite3"),
            };
            databases.hosts.write(host, "shared/.env", &format!("SECRET_KEY='not for us'\nDATABASE_URL={url}\n"));
        }
        if let System::Server(server) = &databases.system {
            server.create_database("shop_staging");
        }
        databases.query(0, "CREATE TABLE customer (id INTEGER PRIMARY KEY, email VARCHAR(100), note TEXT)");
        databases.query(0, "CREATE TABLE visit (day VARCHAR(10))");
        let rows =
            format!("INSERT INTO customer VALUES (1, '{EMAIL}', 'a\n\\.\n(),(''x''),\n'), (2, NULL, 'INSERT INTO')");
        databases.query(0, &rows);
        databases.query(1, "CREATE TABLE customer (id INTEGER PRIMARY KEY, old_column INTEGER)");
        databases.query(1, "CREATE TABLE newer (id INTEGER)");
        Some(databases)
    }

    /// Runs SQL in the database of a host.
    #[track_caller]
    pub(super) fn query(&self, host: usize, sql: &str) -> String {
        match &self.system {
            System::Server(server) => server.query(["shop", "shop_staging"][host], sql),
            System::Sqlite => self.query_sqlite(host, sql),
        }
        .unwrap_or_else(|| panic!("the database accepts {sql}"))
    }

    fn query_sqlite(&self, host: usize, sql: &str) -> Option<String> {
        let user = self.hosts.hosts[host].user();
        let file = self.shared(host).join(["shop.sqlite3", "shop_staging.sqlite3"][host]);
        let mut sqlite = Command::new("runuser");
        sqlite.args(["-u", user, "--", "sqlite3", "-batch"]).arg(file).arg(sql).current_dir("/");
        let ran = sqlite.output().expect("sqlite3 is installed");
        ran.status.success().then(|| String::from_utf8_lossy(&ran.stdout).trim_end().to_owned())
    }

    /// Returns the number of rows of a table.
    #[track_caller]
    pub(super) fn count(&self, host: usize, table: &str) -> String {
        self.query(host, &format!("SELECT count(*) FROM {table}"))
    }

    /// Returns the directory `shared` of a host.
    pub(super) fn shared(&self, host: usize) -> PathBuf {
        self.hosts.root(host).join("shared")
    }

    /// Returns the directory of the snapshots of a host.
    pub(super) fn snapshots(&self, host: usize) -> PathBuf {
        self.shared(host).join("snapshots")
    }

    /// Returns the connection of a host, in `shared`.
    pub(super) fn connect(&self, client: &Client, host: usize) -> Connection {
        client.connect(["web1", "web2"][host]).expect("the name is a host").cd(self.shared(host).to_string_lossy())
    }

    pub(super) fn database(&self, client: &Client, host: usize) -> HostDatabase {
        Database::from_env_file(".env", "DATABASE_URL").keep_snapshots(2).on(&self.connect(client, host))
    }
}

/// Returns the stderr of a failed command.
#[track_caller]
pub(super) fn stderr(error: &Error) -> String {
    let output = error.output().unwrap_or_else(|| panic!("a command failed: {error}"));
    output.stderr().expect("the whole output is captured").into_owned()
}

/// Returns the sorted names of the files in a directory.
pub(super) fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
