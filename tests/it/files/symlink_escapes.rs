//! Downloads stay beneath their target: no symlink leads a file out, at whatever time the symlink
//! was planted.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use fabrs::prelude::*;
use fabrs_testing::{Breakpoint, Sshd, probe};
use tempfile::TempDir;

use super::trees::which;
use super::{FileFixture, mode, text, walk};
use crate::support::{LIMIT, error_text, within_limit};

/// Returns a host on which this program waits at a gate during its first run.
fn fixture_with_gate(program: &str) -> (FileFixture, Breakpoint) {
    let place = tempfile::tempdir().expect("a temporary directory").keep();
    fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).expect("the directory is ours");
    let gate = Breakpoint::new(place.join("gate"));
    gate.wrap_program(&place.join(program), &which(program));
    let path = format!("PATH={}:/usr/bin:/bin", place.display());
    (FileFixture { programs: Some(place), ..FileFixture::of(Sshd::builder().option("SetEnv", path).start()) }, gate)
}

/// Writes entries to the directory `x` of a host. A name with `->` is a symlink. A name with a
/// final `/` is a directory.
fn tree(fixture: &FileFixture, names: &[&str]) {
    for name in names {
        let (name, link) = name.split_once(" -> ").map_or((*name, None), |(name, link)| (name, Some(link)));
        let path = fixture.remote("x").join(name);
        fs::create_dir_all(path.parent().expect("the path has a parent")).expect("the directory is ours");
        match link {
            Some(link) => symlink(link, path).expect("the directory is ours"),
            None if name.ends_with('/') => fs::create_dir_all(path).expect("the directory is ours"),
            None => fs::write(path, "evil").expect("the directory is ours"),
        }
    }
}

/// Runs `meanwhile` as soon as the `get` waits at the gate. Returns the error of the `get`.
async fn error_at_gate(
    gate: Breakpoint,
    get: impl Future<Output = Result<Changes, fabrs::Error>>,
    meanwhile: impl AsyncFnOnce(),
) -> String {
    let planted = async {
        let waiting = tokio::task::spawn_blocking(move || gate.wait_until_hit(LIMIT))
            .await
            .expect("the program reaches the gate");
        meanwhile().await;
        waiting.resume();
    };
    let (got, ()) = futures::join!(within_limit(get), planted);
    error_text(&got.expect_err("a symlink leads out"))
}

fn assert_refused(text: &str, path: &str, link: &Path) {
    assert!(text.starts_with("error: host: "), "{text}");
    assert!(text.contains(path), "{path}: {text}");
    assert!(text.contains(&format!("`{}` is a symlink", link.display())), "{text}");
    assert!(text.contains("hint: remove the symlink"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_symlink_of_one_host_does_not_redirect_a_file_of_another() -> Result {
    // The first case arrives as a stream. In the second case a single file arrives, after its
    // directory is made.
    for (program, names) in [("tar", &["sub/authorized_keys", "sub/b"][..]), ("wc", &["sub/authorized_keys"])] {
        let outside = tempfile::tempdir()?;
        let one = FileFixture::new();
        tree(&one, &[&format!("sub -> {}", outside.path().display())]);
        let (other, gate) = fixture_with_gate(program);
        tree(&other, names);
        let to = format!("{}/", one.local.path().display());
        let get = other.host.get(other.remote("x").display().to_string(), to.clone());
        let link = one.local.path().join("x/sub");
        let plant = async || {
            if link.is_dir() {
                fs::remove_dir(&link).expect("the directory is empty");
            }
            within_limit(one.host.get(one.remote("x").display().to_string(), to))
                .await
                .expect("the first host is served");
        };
        let error = error_at_gate(gate, get, plant).await;
        assert_refused(&error, "x/sub/authorized_keys", &link);
        assert_eq!(walk(outside.path()), Vec::<PathBuf>::new());
        assert_eq!(fs::read_link(link)?, outside.path());
        one.assert_no_leftovers();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn symlinks_directories_and_comparisons_stay_beneath_the_target() -> Result {
    for (names, path) in [
        (&["sub/link -> nowhere"][..], "could not create"),
        (&["link -> nowhere", "sub/new/"], "could not create"),
        (&["link -> nowhere", "sub/same"], "could not create"),
        (&["link -> nowhere", "sub/same", "sub/b"], "x/sub/"),
    ] {
        let outside = tempfile::tempdir()?;
        // The file has the same size and content as the host's file.
        fs::write(outside.path().join("same"), "evil")?;
        // The client reads symlinks after the listing.
        let (fixture, gate) = fixture_with_gate("readlink");
        tree(&fixture, names);
        let get =
            fixture.host.get(fixture.remote("x").display().to_string(), format!("{}/", fixture.local.path().display()));
        let link = fixture.local.path().join("x/sub");
        let plant = async || {
            fs::create_dir(fixture.local.path().join("x")).expect("the directory is ours");
            symlink(outside.path(), &link).expect("the directory is ours");
        };
        let error = error_at_gate(gate, get, plant).await;
        assert_refused(&error, path, &link);
        assert_eq!(walk(outside.path()), [outside.path().join("same")]);
        assert!(!outside.path().join("new").exists());
        fixture.assert_no_leftovers();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_symlink_does_not_redirect_an_sftp_download() -> Result {
    let outside = tempfile::tempdir()?;
    let (program, path): (TempDir, PathBuf) = probe::hostile_sftp();
    let gate = Breakpoint::new(program.path().join("gate"));
    let fixture = FileFixture::of(Sshd::builder().option("ForceCommand", format!("{} gated", path.display())).start());
    let link = fixture.local.path().join("x/sub");
    let plant = async || {
        // The directories are made before the first file is opened.
        fs::remove_dir(&link).expect("the directory is empty");
        symlink(outside.path(), &link).expect("the directory is ours");
    };
    let get = fixture.host.get("/x/", format!("{}/", fixture.local.path().display()));
    let error = error_at_gate(gate, get, plant).await;
    assert_refused(&error, "x/sub/file", &link);
    assert_eq!(walk(outside.path()), Vec::<PathBuf>::new());
    fixture.assert_no_leftovers();
    // Without the symlink the same file arrives.
    fs::remove_file(&link)?;
    within_limit(fixture.host.get("/x/", format!("{}/", fixture.local.path().display()))).await?;
    assert_eq!(text(link.join("file")).len(), 1_000);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_symlink_at_the_path_of_a_file_is_replaced() -> Result {
    for fixture in [FileFixture::new(), super::sftp::fixture()] {
        let (outside, target) = (fixture.file("outside", "evil"), fixture.local.path().join("x/a"));
        tree(&fixture, &["a", "b"]);
        fs::create_dir(fixture.local.path().join("x"))?;
        symlink(&outside, &target)?;
        let get = || {
            fixture.host.get(fixture.remote("x").display().to_string(), format!("{}/", fixture.local.path().display()))
        };
        assert_eq!(within_limit(get()).await?.changed()?.len(), 2);
        assert!(!target.is_symlink() && outside.exists());
        assert!(!within_limit(get()).await?.any()?);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_symlink_at_the_host_directory_is_refused_and_a_parent_symlink_is_followed() -> Result {
    for fixture in [FileFixture::new(), super::sftp::fixture()] {
        let (own, link) = (fixture.local.path().join("own"), fixture.local.path().join("logs/host"));
        let outside = tempfile::tempdir()?;
        tree(&fixture, &["a", "b"]);
        for folder in ["logs", "disk"] {
            fs::create_dir(fixture.local.path().join(folder))?;
        }
        symlink(outside.path(), &link)?;
        symlink(fixture.local.path().join("disk"), &own)?;
        let there = |name: &str| fixture.remote(name).display().to_string();
        for (path, to) in [("x", "{host}"), ("x/", "{host}/"), ("x/a", "{host}/"), ("x/a", "{host}/{path}")] {
            let to = format!("{}/logs/{to}", fixture.local.path().display());
            let error = within_limit(fixture.host.get(there(path), to)).await.expect_err("a symlink leads out");
            assert_refused(&error_text(&error), "logs/host", &link);
        }
        assert_eq!(walk(outside.path()), Vec::<PathBuf>::new());
        within_limit(fixture.host.get(there("x"), format!("{}/{{host}}/{{path}}", own.display()))).await?;
        assert_eq!(text(fixture.local.path().join("disk/host/x/a")), "evil");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn downloaded_files_have_the_remote_mode_limited_by_the_umask() -> Result {
    for fixture in [FileFixture::new(), super::sftp::fixture()] {
        let folder = fixture.local.path().join("umask");
        fs::create_dir(&folder)?;
        let allowed = mode(&folder) & 0o777;
        tree(&fixture, &["open", "run", "own"]);
        for (name, mode) in [("open", 0o666), ("run", 0o4777), ("own", 0o604)] {
            fs::set_permissions(fixture.remote("x").join(name), fs::Permissions::from_mode(mode))?;
        }
        let folder = || fixture.remote("x").display().to_string();
        let to = |name: &str| fixture.local.path().join(name);
        within_limit(fixture.host.get(folder(), to("tree").display().to_string())).await?;
        within_limit(fixture.host.get(format!("{}/run", folder()), to("run").display().to_string())).await?;
        for (name, expected) in [("tree/open", 0o666), ("tree/run", 0o777), ("tree/own", 0o604), ("run", 0o777)] {
            assert_eq!(mode(&to(name)), expected & allowed, "{name}");
        }
        // A mode requested by the task is applied exactly.
        within_limit(fixture.host.get(folder(), to("asked").display().to_string()).mode(0o666)).await?;
        within_limit(fixture.host.get(format!("{}/run", folder()), to("asked for").display().to_string()).mode(0o777))
            .await?;
        assert_eq!((mode(&to("asked/run")), mode(&to("asked for"))), (0o666, 0o777));
    }
    Ok(())
}
