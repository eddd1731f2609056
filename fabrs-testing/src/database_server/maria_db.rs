//! MariaDB: its scripts and client.

use std::path::Path;
use std::process::Command;

/// Returns a script that creates and starts a server. Its administrator logs in on the socket.
pub(super) fn start_script(dir: &Path, port: u16) -> String {
    let dir = dir.display();
    format!(
        "mariadb-install-db --no-defaults --datadir={dir}/data --auth-root-authentication-method=normal \
         --skip-test-db --innodb-use-native-aio=0 > {dir}/log 2>&1 || {{ cat {dir}/log >&2; exit 1; }}; \
         {{ setsid mariadbd --no-defaults --datadir={dir}/data --socket={dir}/socket --port={port} --bind-address=127.0.0.1 \
         --pid-file={dir}/pid --skip-name-resolve --innodb-use-native-aio=0 \
         --innodb-flush-log-at-trx-commit=0 > {dir}/log 2>&1 < /dev/null & }}"
    )
}

pub(super) fn stop_script(dir: &Path) -> String {
    format!("kill -KILL $(cat {}/pid)", dir.display())
}

/// Returns SQL that creates the user `shop` with all databases `shop*`.
pub(super) fn create_user(password: &str) -> String {
    let password = password.replace('\\', "\\\\").replace('\'', "\\'");
    format!("CREATE USER shop@'%' IDENTIFIED BY '{password}'; GRANT ALL ON `shop%`.* TO shop@'%'")
}

pub(super) fn query(dir: &Path, database: &str, sql: &str) -> Command {
    let mut command = Command::new("mariadb");
    command
        .args(["--no-defaults", "--user=root", "--batch", "--skip-column-names"])
        .arg(format!("--socket={}/socket", dir.display()))
        .args(["--database", database, "--execute", sql]);
    command
}
