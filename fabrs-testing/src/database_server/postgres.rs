//! PostgreSQL: its scripts and client.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns a script that creates and starts a server. The user `shop` is the administrator.
pub(super) fn start_script(dir: &Path, port: u16, password: &str) -> String {
    fs::write(dir.join("password"), format!("{password}\n")).expect("the test owns the directory");
    let (dir, programs) = (dir.display(), programs());
    let programs = programs.display();
    let options = format!(
        "-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={dir} -c external_pid_file={dir}/pid -c fsync=off"
    );
    format!(
        "{programs}/initdb --pgdata={dir}/data --username=shop --pwfile={dir}/password --auth=scram-sha-256 > {dir}/log && \
         {programs}/pg_ctl --pgdata={dir}/data --log={dir}/log --wait --options='{options}' start > /dev/null"
    )
}

pub(super) fn stop_script(dir: &Path) -> String {
    format!("{}/pg_ctl --pgdata={}/data --mode=immediate stop", programs().display(), dir.display())
}

pub(super) fn query(port: u16, password: &str, database: &str, sql: &str) -> Command {
    let mut command = Command::new("psql");
    command
        .args(["--no-psqlrc", "--host=127.0.0.1", "--username=shop", "--no-align", "--tuples-only", "--quiet"])
        .arg(format!("--port={port}"))
        .args(["--dbname", database, "--command", sql])
        .env("PGPASSWORD", password);
    command
}

/// Returns the program directory of the newest PostgreSQL on this machine.
fn programs() -> PathBuf {
    let missing = "PostgreSQL is installed (`apt-get install postgresql`)";
    let versions = fs::read_dir("/usr/lib/postgresql").expect(missing);
    let mut versions: Vec<PathBuf> =
        versions.flatten().map(|entry| entry.path().join("bin")).filter(|bin| bin.join("initdb").exists()).collect();
    versions.sort();
    versions.pop().expect(missing)
}
