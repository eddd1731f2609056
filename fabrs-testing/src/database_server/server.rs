//! [`DatabaseServer`]: a PostgreSQL or MariaDB server of one test.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::{maria_db, postgres};
use crate::wait::wait_until;

/// A database server on loopback with the user `shop` and empty databases, stopped on drop.
#[derive(Debug)]
pub struct DatabaseServer {
    program: ServerProgram,
    dir: TempDir,
    user: &'static str,
    port: u16,
}

/// The program of a server.
#[derive(Debug, Clone, Copy)]
enum ServerProgram {
    Postgres,
    MariaDb,
}

impl DatabaseServer {
    /// The password of the database user. The output of fabrs must never contain this password. The
    /// characters are special in an option file, a password file or a URL.
    pub const PASSWORD: &'static str = "correct:horse\\bat\"tery'#";

    /// Starts PostgreSQL as a user of the system, since PostgreSQL refuses to run as root.
    ///
    /// # Panics
    ///
    /// If PostgreSQL is not installed or does not start, or without root.
    pub fn postgres(user: &'static str) -> Self {
        Self::start(ServerProgram::Postgres, user)
    }

    /// Starts MariaDB as a user of the system.
    ///
    /// # Panics
    ///
    /// If MariaDB is not installed or does not start, or without root.
    pub fn maria_db(user: &'static str) -> Self {
        Self::start(ServerProgram::MariaDb, user)
    }

    fn start(program: ServerProgram, user: &'static str) -> Self {
        let dir = tempfile::Builder::new().prefix("fabrs-database-").tempdir().expect("a temporary directory");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("loopback").port();
        let server = Self { program, dir, user, port };
        run(Command::new("chown").arg(user).arg(server.dir.path()));
        let path = server.dir.path();
        match program {
            ServerProgram::Postgres => server.as_user(&postgres::start_script(path, port, Self::PASSWORD)),
            ServerProgram::MariaDb => server.as_user(&maria_db::start_script(path, port)),
        }
        wait_until("the database server answers", Duration::from_mins(1), || server.admin("SELECT 1").is_some());
        if let ServerProgram::MariaDb = program {
            server.admin(&maria_db::create_user(Self::PASSWORD)).expect("the server accepts commands");
        }
        server.create_database("shop");
        server
    }

    /// Creates a database of the user `shop`. The name starts with `shop`.
    ///
    /// # Panics
    ///
    /// If the server rejects the command.
    pub fn create_database(&self, name: &str) {
        self.admin(&format!("CREATE DATABASE {name}")).expect("the server accepts commands");
    }

    /// Returns the URL of a database, with an encoded password.
    pub fn url(&self, database: &str) -> String {
        let scheme = match self.program {
            ServerProgram::Postgres => "postgres",
            ServerProgram::MariaDb => "mysql",
        };
        let encode = |c: char| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("%{:02X}", u32::from(c)) };
        let password: String = Self::PASSWORD.chars().map(encode).collect();
        format!("{scheme}://shop:{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs SQL in a database. Returns one row per line, or `None` if the SQL fails.
    ///
    /// # Panics
    ///
    /// If the client program is not installed.
    pub fn query(&self, database: &str, sql: &str) -> Option<String> {
        let command = match self.program {
            ServerProgram::Postgres => postgres::query(self.port, Self::PASSWORD, database, sql),
            ServerProgram::MariaDb => maria_db::query(self.dir.path(), database, sql),
        };
        output(command)
    }

    /// Runs SQL as the administrator.
    fn admin(&self, sql: &str) -> Option<String> {
        match self.program {
            ServerProgram::Postgres => self.query("postgres", sql),
            ServerProgram::MariaDb => self.query("mysql", sql),
        }
    }

    fn as_user(&self, line: &str) {
        run(Command::new("runuser").args(["-u", self.user, "--", "sh", "-c", line]).current_dir("/"));
    }
}

impl Drop for DatabaseServer {
    fn drop(&mut self) {
        let line = match self.program {
            ServerProgram::Postgres => postgres::stop_script(self.dir.path()),
            ServerProgram::MariaDb => maria_db::stop_script(self.dir.path()),
        };
        let _gone = Command::new("runuser").args(["-u", self.user, "--", "sh", "-c", &line]).current_dir("/").output();
        let pid_file = self.dir.path().join("pid");
        wait_until("the database server has stopped", Duration::from_mins(1), || !is_running(&pid_file));
    }
}

/// Returns whether the process of a pid file exists.
fn is_running(pid_file: &Path) -> bool {
    let pid = std::fs::read_to_string(pid_file).unwrap_or_default();
    !pid.trim().is_empty() && Path::new("/proc").join(pid.trim()).exists()
}

fn output(mut command: Command) -> Option<String> {
    let ran = command.stdin(Stdio::null()).output().expect("the client program of the database is installed");
    ran.status.success().then(|| String::from_utf8_lossy(&ran.stdout).trim_end().to_owned())
}

#[track_caller]
fn run(command: &mut Command) {
    let ran = command.stdin(Stdio::null()).status().expect("the program is installed");
    assert!(ran.success(), "{command:?}");
}
