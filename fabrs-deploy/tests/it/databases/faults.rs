//! Faults during snapshots and restores.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use fabrs::ErrorKind;
use fabrs::prelude::*;
use fabrs::transport::StopLevel;
use fabrs_testing::{Breakpoint, DatabaseServer, Process, SmallDisk, wait_until};

use tokio::task::JoinSet;

use super::fixture::{Databases, names, stderr};

/// The time for a program to reach a breakpoint.
const LIMIT: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_exposes_no_password_in_the_process_list() -> Result {
    let Some(databases) = Databases::postgres() else { return Ok(()) };
    let (client, _) = databases.hosts.client();
    let bin = databases.hosts.dir().join("bin");
    fs::create_dir(&bin)?;
    let breakpoint = Breakpoint::new(databases.hosts.dir().join("pipe"));
    fs::set_permissions(databases.hosts.dir(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    breakpoint.wrap_program(&bin.join("pg_dump"), Path::new("/usr/bin/pg_dump"));
    let connection = databases.connect(&client, 0).path(bin.to_string_lossy());
    let database = fabrs_deploy::Database::from_env_file(".env", "DATABASE_URL").on(&connection);
    let mut tasks = JoinSet::new();
    tasks.spawn(database.snapshot());
    let paused = tokio::task::spawn_blocking(move || breakpoint.wait_until_hit(LIMIT)).await?;
    let is_secret = |text: &[u8]| {
        text.windows(DatabaseServer::PASSWORD.len()).any(|part| part == DatabaseServer::PASSWORD.as_bytes())
    };
    let user = databases.hosts.hosts[0].user().to_owned();
    let mut seen = 0;
    for process in fs::read_dir("/proc")?.flatten() {
        let (Ok(command), Ok(environment)) =
            (fs::read(process.path().join("cmdline")), fs::read(process.path().join("environ")))
        else {
            continue;
        };
        if environment.windows(user.len()).any(|part| part == user.as_bytes()) {
            seen += 1;
            assert!(!is_secret(&command) && !is_secret(&environment), "{:?}", String::from_utf8_lossy(&command));
        }
    }
    assert!(seen > 0, "the processes of the host are visible");
    paused.resume();
    let snapshot = tasks.join_all().await.remove(0)?;
    assert_eq!(names(&databases.snapshots(0)).len(), 2, "{snapshot:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_dump_leaves_no_snapshot() -> Result {
    let Some(databases) = Databases::postgres() else { return Ok(()) };
    let (client, _) = databases.hosts.client();
    let bin = databases.hosts.dir().join("bin");
    fs::create_dir(&bin)?;
    fs::set_permissions(databases.hosts.dir(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let script = "#!/bin/sh\n/usr/bin/pg_dump \"$@\"\nkill -KILL $$\n";
    fs::write(bin.join("pg_dump"), script)?;
    fs::set_permissions(bin.join("pg_dump"), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let connection = databases.connect(&client, 0).path(bin.to_string_lossy());
    let database = fabrs_deploy::Database::from_env_file(".env", "DATABASE_URL").on(&connection);
    let error = database.snapshot().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Exit);
    assert_eq!(names(&databases.snapshots(0)), Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_leaves_no_snapshot() -> Result {
    let Some(databases) = Databases::postgres() else { return Ok(()) };
    let (client, _) = databases.hosts.client();
    databases.query(
        0,
        "CREATE TABLE large AS SELECT md5(n::text) || md5(n::text || 'x') AS text FROM generate_series(1, 60000) n",
    );
    databases.hosts.write(0, "shared/snapshots/.keep", "");
    let Some(_disk) = SmallDisk::mount(&databases.snapshots(0)) else { return Ok(()) };
    let error = databases.database(&client, 0).snapshot().await.unwrap_err();
    assert!(stderr(&error).contains("No space left on device"), "{error:?}");
    assert_eq!(names(&databases.snapshots(0)), Vec::<String>::new());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_or_incomplete_snapshot_is_not_restored() -> Result {
    let Some(databases) = Databases::postgres() else { return Ok(()) };
    let (client, _) = databases.hosts.client();
    let database = databases.database(&client, 0);
    databases.query(0, "INSERT INTO visit SELECT md5(n::text)::varchar(10) FROM generate_series(1, 5000) n");
    let snapshot = database.snapshot().await?;
    databases.query(0, "INSERT INTO visit VALUES ('today')");
    let whole = fs::read(&snapshot.file)?;
    let mut flipped = whole.clone();
    let end = flipped.len() - 2000;
    flipped[end] ^= 0xff;
    for damaged in [&whole[..whole.len() - 100], &flipped[..], b""] {
        fs::write(&snapshot.file, damaged)?;
        let error = database.restore(&snapshot.file).await.unwrap_err();
        assert!(stderr(&error).contains("the snapshot is "), "{error:?}");
        assert_eq!(databases.count(0, "visit"), "5001");
    }
    fs::write(&snapshot.file, whole)?;
    fs::write(format!("{}.rows", snapshot.file), "public.visit\t4999\n")?;
    let error = database.restore(&snapshot.file).await.unwrap_err();
    assert!(stderr(&error).contains("has 5000 rows, expected 4999"), "{error:?}");
    assert_eq!(databases.count(0, "visit"), "5001");
    // A file from elsewhere has no row counts.
    fs::remove_file(format!("{}.rows", snapshot.file))?;
    database.restore(&snapshot.file).await?;
    assert_eq!(databases.count(0, "visit"), "5000");
    Ok(())
}

/// Restores a snapshot with a mask that waits, ends the restore by `end`, and checks that the old
/// content stays.
async fn end_waiting_restore(end: impl FnOnce(&Databases, &Client)) -> Result {
    let Some(databases) = Databases::postgres() else { return Ok(()) };
    let (client, _) = databases.hosts.client();
    let database = databases.database(&client, 0);
    let snapshot = database.snapshot().await?;
    databases.query(0, "INSERT INTO visit VALUES ('today')");
    let restore = database.restore(&snapshot.file).mask("SELECT pg_sleep(3600)");
    let mut tasks = JoinSet::new();
    tasks.spawn(restore.into_future());
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    wait_until("the mask waits", LIMIT, || databases.query(0, waiting) == "1");
    end(&databases, &client);
    tasks.join_all().await.remove(0).expect_err("the restore was ended");
    // After a lost connection, psql still waits for the result of the mask.
    databases.query(0, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
    assert_eq!(databases.count(0, "visit"), "1");
    wait_until("the temporary files are removed", LIMIT, || names(&databases.snapshots(0)).len() == 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_with_a_killed_client_keeps_the_old_content() -> Result {
    end_waiting_restore(|databases, _| {
        let user = databases.hosts.hosts[0].user();
        let killed = Command::new("pkill").args(["-KILL", "-u", user, "-x", "psql"]).status();
        assert!(killed.is_ok_and(|status| status.success()));
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_restore_keeps_the_old_content() -> Result {
    end_waiting_restore(|_, client| client.stop().raise(StopLevel::Stop)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_with_a_lost_connection_keeps_the_old_content() -> Result {
    end_waiting_restore(|databases, _| {
        let sshd = &databases.hosts.hosts[0];
        let (listener, commands) = (sshd.pid(), sshd.session_processes());
        let is_connection = |process: &Process| Some(process.pid) != listener && !commands.contains(process);
        sshd.processes().into_iter().filter(is_connection).for_each(|process| process.kill());
    })
    .await
}
