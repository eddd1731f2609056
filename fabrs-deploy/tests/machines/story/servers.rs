//! The provisioning of the story: a web server and a database server with the methods of
//! `Provision`, and one server for both with Puppet.

use std::fs;
use std::path::Path;

use fabrs::prelude::*;
use fabrs_deploy::{Provision, ResourceChanges};

/// The packages of a web server, without those of its database.
const WEB_PACKAGES: [&str; 7] =
    ["nginx-light", "python3-django", "gunicorn", "python3-psycopg2", "python3-venv", "git", "curl"];

const NGINX: &str = "server { listen 8080; location / { proxy_pass http://127.0.0.1:8000; } }\n";

const UNIT: &str = "[Unit]\nDescription=The shop\nAfter=network.target\n\n\
    [Service]\nType=notify\nUser=shop\n\
    ExecStart=/srv/shop/current/env/bin/python -m gunicorn --chdir /srv/shop/current --bind 127.0.0.1:8000 shop.wsgi\n\
    ExecReload=/bin/kill -s HUP $MAINPID\nKillMode=mixed\n\n\
    [Install]\nWantedBy=multi-user.target\n";

const HBA_LINE: &str = "host shop shop samenet scram-sha-256";

/// Provisions a web server. Returns the differences.
pub(super) async fn provision_web(c: &Connection) -> Result<Vec<String>> {
    let shared = c.ensure_dir("/srv/shop/shared").owner("deploy").group("shop").mode(0o2750).sudo();
    let resources: [ResourceChanges; 8] = [
        c.ensure_packages(WEB_PACKAGES.into_iter().chain(["postgresql-client"])).await?,
        c.ensure_user("shop").system().home("/srv/shop").shell("/bin/bash").await?,
        c.ensure_user("deploy").groups(["shop"]).await?,
        c.ensure_dir("/srv/shop").owner("deploy").group("shop").mode(0o2750).sudo().await?.into(),
        shared.await?.into(),
        c.write("/etc/systemd/system/shop.service", UNIT).sudo().await?.into(),
        c.write("/etc/nginx/conf.d/shop.conf", NGINX).sudo().await?.into(),
        c.ensure_service("nginx").reload_after(["/etc/nginx"]).await?,
    ];
    differences(&resources)
}

/// Provisions a database server. Returns the differences.
pub(super) async fn provision_database(c: &Connection) -> Result<Vec<String>> {
    let [listen, hba] = ["conf.d/listen.conf", "pg_hba.conf"].map(|file| format!("/etc/postgresql/15/main/{file}"));
    let resources: [ResourceChanges; 4] = [
        c.ensure_packages(["postgresql"]).await?,
        c.write(&listen, "listen_addresses = '*'\n").sudo().await?.into(),
        c.ensure_line(&hba, HBA_LINE).sudo().await?.into(),
        // `postgresql.service` of Debian runs nothing. This unit is the server.
        c.ensure_service("postgresql@15-main").restart_after([listen, hba]).await?,
    ];
    differences(&resources)
}

fn differences(resources: &[ResourceChanges]) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for changes in resources {
        all.extend(changes.differences()?);
    }
    Ok(all)
}

/// Creates the role and the database of the shop, unless they exist.
pub(super) async fn ensure_database(c: &Connection, password: &str) -> Result {
    let postgres = c.sudo_user("postgres").cd("/");
    let count = |catalog: &str, column: &str| {
        let sql = format!("SELECT count(*) FROM {catalog} WHERE {column} = 'shop'");
        postgres.sudo(cmd!("psql -AtX -c {sql}")).probe()
    };
    if count("pg_roles", "rolname").line().await? == "0" {
        let sql = format!("CREATE ROLE shop LOGIN PASSWORD '{password}';\n");
        postgres.sudo("psql -qX -v ON_ERROR_STOP=1").stdin(sql).await?;
    }
    if count("pg_database", "datname").line().await? == "0" {
        postgres.sudo("createdb --owner=shop --template=template0 --encoding=UTF8 shop").await?;
    }
    Ok(())
}

/// Writes Puppet manifests for one server with the shop and its database.
pub(super) fn write_manifests(directory: &Path) {
    let packages = WEB_PACKAGES.into_iter().chain(["postgresql"]);
    let packages: Vec<String> = packages.map(|name| format!("'{name}'")).collect();
    let packages = packages.join(", ");
    let manifest = format!(
        "package {{ [{packages}]: ensure => installed }}
user {{ 'shop': ensure => present, system => true, home => '/srv/shop', shell => '/bin/bash' }}
user {{ 'deploy': ensure => present, groups => ['shop'], membership => minimum, require => User['shop'] }}
file {{ ['/srv/shop', '/srv/shop/shared']:
  ensure => directory, owner => 'deploy', group => 'shop', mode => '2750', require => User['shop'],
}}
file {{ '/etc/systemd/system/shop.service': content => '{UNIT}' }}
file {{ '/etc/nginx/conf.d/shop.conf':
  content => '{NGINX}', require => Package['nginx-light'], notify => Service['nginx'],
}}
service {{ 'nginx': ensure => running, enable => true, require => Package['nginx-light'] }}
service {{ 'postgresql@15-main': ensure => running, require => Package['postgresql'] }}
"
    );
    fs::create_dir_all(directory.join("manifests")).expect("a writable directory");
    fs::write(directory.join("manifests/site.pp"), manifest).expect("a writable directory");
}
