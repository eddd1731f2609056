//! Snapshots, restores and copies of databases with power cuts, lost networks and full disks.

use std::process::Child;

use fabrs::ErrorKind;
use fabrs::config::Mode;
use fabrs::prelude::*;
use fabrs_testing::{Machine, MachineNetwork, wait_until};

use crate::fixture::{LIMIT, client, spawn};
use crate::postgres::{SNAPSHOTS, create_database, database, database_of, query};

/// SQL without an end. Its transaction stays open.
const ENDLESS: &str = "SELECT pg_sleep(3600)";
/// A table with more than 8 MiB of random text in its snapshot, so a copy reads two pieces.
const LARGE: &str = "CREATE TABLE large AS SELECT string_agg(md5(random()::text), '') AS text \
     FROM generate_series(1, 600000) n GROUP BY n / 100";

/// Boots machines with PostgreSQL. Each database has a table with one customer.
fn start(names: &[&str]) -> MachineNetwork {
    let machines = names.iter().map(|name| Machine::builder(name).packages("postgres", ["postgresql"]));
    let network = MachineNetwork::builder().machines(machines).start();
    for machine in network.machines() {
        create_database(machine);
        query(machine, "CREATE TABLE customer (email text)");
        query(machine, &format!("INSERT INTO customer VALUES ('ann@{}')", machine.name()));
    }
    network
}

/// Waits until a session of the database waits for this event.
fn wait_for_event(machine: &Machine, event: &str) {
    let sessions = format!("SELECT count(*) FROM pg_stat_activity WHERE {event} AND pid <> pg_backend_pid()");
    wait_until(event, LIMIT, || query(machine, &sessions) != "0");
}

/// Cuts the power and boots the machine again.
fn cut_power(machine: &Machine) {
    machine.power_cut();
    machine.power_on();
    machine.wait_until_up();
}

fn files_in_snapshots(machine: &Machine) -> String {
    machine.run(cmd!("mkdir -p {SNAPSHOTS} && ls -A {SNAPSHOTS}").as_str())
}

fn customers(machine: &Machine) -> String {
    query(machine, "SELECT string_agg(email, ' ' ORDER BY email) FROM customer")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_during_a_restore_keeps_the_old_content() -> Result {
    let network = start(&["db1"]);
    let machine = network.machine("db1");
    let snapshot = database(&network, "db1").snapshot().await?;
    query(machine, "INSERT INTO customer VALUES ('bob@db1')");
    let restore = database(&network, "db1").restore(&snapshot.file).mask(ENDLESS);
    let restoring = spawn(restore);
    wait_for_event(machine, "wait_event = 'PgSleep'");
    cut_power(machine);
    let error = restoring.await?.unwrap_err();
    assert!(error.to_string().contains("db1"), "{error}");
    assert_eq!(customers(machine), "ann@db1 bob@db1");

    let later = database(&network, "db1").snapshot().await?;
    assert_eq!(later.content.map(|content| content.rows), Some(2));
    database(&network, "db1").restore(&snapshot.file).await?;
    assert_eq!(customers(machine), "ann@db1");
    Ok(())
}

/// Locks the table of the customers in a session of its own, until the child is killed.
fn lock_customers(machine: &Machine) -> Child {
    let url = crate::postgres::url("127.0.0.1");
    let sql = format!("BEGIN; LOCK TABLE customer IN ACCESS EXCLUSIVE MODE; {ENDLESS}");
    let child = machine.command(cmd!("exec psql -qX -c {sql} {url}").as_str()).spawn();
    wait_for_event(machine, "wait_event = 'PgSleep'");
    child.expect("the machine is on")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_during_a_snapshot_leaves_no_snapshot() -> Result {
    let network = start(&["db1"]);
    let machine = network.machine("db1");
    let mut lock = lock_customers(machine);
    let saving = spawn(database(&network, "db1").snapshot());
    wait_for_event(machine, "wait_event_type = 'Lock' AND application_name = 'pg_dump'");
    cut_power(machine);
    lock.wait()?;
    saving.await?.unwrap_err();
    assert_eq!(database(&network, "db1").snapshots().await?, []);
    // The temporary directory of the interrupted snapshot is removed after a day.
    assert!(files_in_snapshots(machine).starts_with("tmp."));

    let snapshot = database(&network, "db1").snapshot().await?;
    let listed = database(&network, "db1").snapshots().await?;
    assert_eq!(listed.into_iter().map(|snapshot| snapshot.file).collect::<Vec<_>>(), [snapshot.file]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_without_its_program_keeps_the_old_content_of_the_target() -> Result {
    let network = start(&["db1", "staging"]);
    let target = network.machine("staging");
    let (client, _) = client(&network, Mode::Run);
    let [production, staging] = ["db1", "staging"].map(|name| client.connect(name).map(|host| database_of(&host)));
    let copy = staging?.copy_from(&production?).mask(ENDLESS);
    let copying = spawn(copy);
    wait_for_event(target, "wait_event = 'PgSleep'");
    copying.abort();
    client.close().await;
    assert!(copying.await.is_err_and(|error| error.is_cancelled()));
    // The open transaction has locked the table until its end.
    assert_eq!(customers(target), "ann@staging");
    wait_until("the temporary files are removed", LIMIT, || files_in_snapshots(target).is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_with_a_lost_source_keeps_the_old_content_of_the_target() -> Result {
    let network = start(&["db1", "staging"]);
    let (source, target) = (network.machine("db1"), network.machine("staging"));
    query(source, LARGE);
    // Each piece is read by `dd`. The second piece never arrives.
    let dd = "#!/bin/sh\ncase \" $* \" in *' skip=1 '*) touch /srv/shop/second-piece; exec sleep 3600 ;; esac\n\
              exec /usr/bin/dd \"$@\"\n";
    source.run(cmd!("printf %s {dd} > /usr/local/bin/dd && chmod 0755 /usr/local/bin/dd").as_str());
    let (client, _) = client(&network, Mode::Run);
    let (production, staging) = (database_of(&client.connect("db1")?), database_of(&client.connect("staging")?));
    let copying = spawn(staging.copy_from(&production).without_mask());
    wait_until("the second piece is read", LIMIT, || source.disk().join("srv/shop/second-piece").exists());
    source.unplug();
    let error = copying.await?.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Channel | ErrorKind::Connect), "{error:?}");
    assert!(error.to_string().contains("db1"), "{error}");
    assert_eq!(customers(target), "ann@staging");
    wait_until("the temporary files are removed", LIMIT, || files_in_snapshots(target).is_empty());

    source.plug();
    source.run("rm /usr/local/bin/dd");
    let (production, staging) = (database(&network, "db1"), database(&network, "staging"));
    staging.copy_from(&production).without_mask().await?;
    assert_eq!(customers(target), "ann@db1");
    assert_eq!(query(target, "SELECT count(*) FROM large"), query(source, "SELECT count(*) FROM large"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_of_the_target_keeps_its_old_content() -> Result {
    let network = start(&["db1", "staging"]);
    let (source, target) = (network.machine("db1"), network.machine("staging"));
    query(source, LARGE);
    let mount =
        cmd!("mkdir -p {SNAPSHOTS} && mount -t tmpfs -o size=4m tmpfs {SNAPSHOTS} && chown deploy: {SNAPSHOTS}");
    target.run(mount.as_str());
    let (production, staging) = (database(&network, "db1"), database(&network, "staging"));
    let error = staging.copy_from(&production).without_mask().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exit, "{error:?}");
    assert!(error.to_string().contains("staging"), "{error}");
    let output = error.output().context("a command failed")?;
    assert!(output.stderr()?.contains("No space left on device"), "{output:?}");
    assert_eq!(customers(target), "ann@staging");
    assert_eq!(files_in_snapshots(target), "");
    Ok(())
}
