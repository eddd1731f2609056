//! Downloads by SFTP: the targets of files, and unchanged local files after a failure.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use fabrs::prelude::*;
use fabrs_testing::{Account, Capability};

use super::super::{Lab, mode, text, walk};
use super::{kinds, lab, program_only};
use crate::support::{block, refused, soon};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_arrives_with_its_mode_and_is_not_replaced_by_the_same() -> Result {
    for (kind, server) in kinds() {
        let lab = Lab::of(server.start());
        let (there, here) = (lab.there("50% x"), lab.here.path().join("deep/er/x"));
        fs::write(&there, "content\nof it")?;
        fs::set_permissions(&there, fs::Permissions::from_mode(0o604))?;
        let get = || lab.host.get(there.display().to_string(), here.display().to_string());
        assert!(soon(get()).await?.any()?, "{kind}");
        assert_eq!((text(&here).as_str(), mode(&here)), ("content\nof it", 0o604), "{kind}");
        let inode = fs::metadata(&here)?.ino();
        let again = get().await?;
        assert_eq!((again.any()?, again.files()?.len(), fs::metadata(&here)?.ino()), (false, 1, inode), "{kind}");
        fs::write(&there, "another size")?;
        assert!(get().await?.any()?, "{kind}");
        fs::write(&there, "another_size")?;
        assert_eq!(get().mode(0o600).await?.changed()?, [here.to_str().expect("UTF-8")], "{kind}");
        assert_eq!((text(&here).as_str(), mode(&here)), ("another_size", 0o600), "{kind}");
        lab.assert_nothing_is_left();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_takes_no_signals_is_not_waited_for() -> Result {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    // A command of root is started with a watcher. The input of the watcher does not end.
    let lab = Lab::of(program_only().users([Account::Root]).start());
    fs::write(lab.there("x"), "x")?;
    let here = lab.here.path().join("x");
    soon(lab.host.get(lab.there("x").display().to_string(), here.display().to_string())).await?;
    assert_eq!(text(here), "x");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pattern_means_what_it_means_to_a_shell() -> Result {
    let lab = lab();
    for name in ["log/a/1.log", "log/b/2.log", "log/b/.3.log", "log/b/4.txt", "log/x.log"] {
        fs::create_dir_all(lab.there(name).parent().expect("it is below"))?;
        fs::write(lab.there(name), name)?;
    }
    fs::write(lab.there("log/[odd]"), "odd")?;
    let here = |name: &str| lab.here.path().join(name);
    lab.host
        .cd(lab.sshd.scratch().display().to_string())
        .get("log/[ab]/*.log", here("one").display().to_string())
        .await?;
    assert_eq!(walk(&here("one")), [here("one/1.log"), here("one/2.log")]);
    lab.host.get(lab.there("lo?/b*").display().to_string(), here("two").display().to_string()).await?;
    assert_eq!(walk(&here("two")), [here("two/.3.log"), here("two/2.log"), here("two/4.txt")]);
    lab.host.get(lab.there("log/[odd]").display().to_string(), here("three").display().to_string()).await?;
    assert_eq!(text(here("three/[odd]")), "odd", "a pattern that nothing matches is a name");
    let none = lab.host.get(lab.there("*.none").display().to_string(), here("four").display().to_string()).await;
    assert!(block(&refused(none, ErrorKind::File)).contains("there is no file"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_can_not_be_had_leaves_none_here_and_an_old_one_as_it_was() -> Result {
    let lab = lab();
    let here = lab.here.path().join("new/x");
    let get = |name: &str, to: String| lab.host.get(lab.there(name).display().to_string(), to);
    let error = refused(get("none", here.display().to_string()).await, ErrorKind::File);
    let no_file = format!("caused by: no such file: {}", lab.there("none").display());
    assert!(block(&error).contains(&no_file), "{error:?}");
    assert!(!lab.here.path().join("new").exists(), "no folder either");
    let old = lab.file("old", "old");
    refused(get("none", old.display().to_string()).await, ErrorKind::File);
    if Capability::Accounts.is_available() {
        fs::write(lab.there("secret"), "s")?;
        fs::set_permissions(lab.there("secret"), fs::Permissions::from_mode(0o600))?;
        let error = refused(get("secret", old.display().to_string()).await, ErrorKind::File);
        assert!(block(&error).contains("caused by: Permission denied"), "{error:?}");
    }
    let made = std::process::Command::new("mkfifo").arg(lab.there("pipe")).status()?;
    assert!(made.success());
    let pipe = refused(soon(get("pipe", old.display().to_string())).await, ErrorKind::File);
    assert!(block(&pipe).contains("is not a regular file"), "{pipe:?}");
    assert_eq!(text(&old), "old");
    fs::create_dir(lab.there("empty"))?;
    assert_eq!(get("empty", here.display().to_string()).await?.files()?, [here.to_str().expect("UTF-8")]);
    lab.assert_nothing_is_left();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_content_and_no_size_is_told_and_not_taken_for_empty() -> Result {
    let lab = lab();
    let here = lab.file("version", "old");
    let got = soon(lab.host.get("/proc/version", here.display().to_string())).await;
    let error = refused(got, ErrorKind::File);
    assert!(block(&error).contains("/proc/version has no size"), "{error:?}");
    assert_eq!(text(&here), "old");
    lab.assert_nothing_is_left();
    Ok(())
}
