//! PostgreSQL on machines: the database `shop` of the role `shop`.

use fabrs::cmd;
use fabrs_deploy::{Database, HostDatabase};
use fabrs_testing::{Machine, MachineNetwork};

use crate::fixture::connect;

/// The password of the role.
pub(crate) const PASSWORD: &str = "not-for-us";
/// The directory with `.env` and the snapshots.
pub(crate) const SHARED: &str = "/srv/shop/shared";
/// The directory of the snapshots.
pub(crate) const SNAPSHOTS: &str = "/srv/shop/shared/snapshots";

/// Returns the URL of the database on a server.
pub(crate) fn url(server: &str) -> String {
    format!("postgres://shop:{PASSWORD}@{server}/shop")
}

/// Creates the role, the database and `.env` on a machine with the package `postgresql`.
#[track_caller]
pub(crate) fn create_database(machine: &Machine) {
    let role = format!("CREATE ROLE shop LOGIN PASSWORD '{PASSWORD}'");
    let database = "CREATE DATABASE shop OWNER shop TEMPLATE template0 ENCODING 'UTF8'";
    machine.run(cmd!("runuser -u postgres -- psql -qX -c {role} -c {database}").as_str());
    let line = format!("DATABASE_URL={}\n", url("127.0.0.1"));
    machine.run(cmd!("mkdir -p {SHARED} && printf %s {line} > {SHARED}/.env && chown -R deploy: /srv/shop").as_str());
}

/// Runs SQL as the role of the shop, on the machine of the server.
#[track_caller]
pub(crate) fn query(machine: &Machine, sql: &str) -> String {
    let url = url("127.0.0.1");
    machine.run(cmd!("psql -qAtX -v ON_ERROR_STOP=1 -c {sql} {url}").as_str()).trim_end().to_owned()
}

/// Returns the database for snapshots, on a new connection.
pub(crate) fn database(network: &MachineNetwork, name: &str) -> HostDatabase {
    database_of(&connect(network, name))
}

/// Returns the database for snapshots.
pub(crate) fn database_of(connection: &fabrs::Connection) -> HostDatabase {
    Database::from_env_file(format!("{SHARED}/.env"), "DATABASE_URL").on(connection)
}
