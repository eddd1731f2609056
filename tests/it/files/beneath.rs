//! Downloads stay beneath their target: no symlink leads a file out, at whatever time the symlink
//! was planted.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use fabrs::prelude::*;
use fabrs_testing::{Breakpoint, Sshd, probe};
use tempfile::TempDir;

use super::trees::which;
use super::{Lab, mode, text, walk};
use crate::support::{LIMIT, block, soon};

/// Returns a host on which this program waits at a gate during its first run.
fn gated(program: &str) -> (Lab, Breakpoint) {
    let place = tempfile::tempdir().expect("a temporary directory").keep();
    fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let gate = Breakpoint::new(place.join("gate"));
    gate.wrap_program(&place.join(program), &which(program));
    let path = format!("PATH={}:/usr/bin:/bin", place.display());
    (Lab { programs: Some(place), ..Lab::of(Sshd::builder().option("SetEnv", path).start()) }, gate)
}

/// Writes entries to the directory `x` of a host. A name with `->` is a symlink. A name with a
/// final `/` is a directory.
fn tree(lab: &Lab, names: &[&str]) {
    for name in names {
        let (name, link) = name.split_once(" -> ").map_or((*name, None), |(name, link)| (name, Some(link)));
        let path = lab.there("x").join(name);
        fs::create_dir_all(path.parent().expect("it is below")).expect("it is ours");
        match link {
            Some(link) => symlink(link, path).expect("it is ours"),
            None if name.ends_with('/') => fs::create_dir_all(path).expect("it is ours"),
            None => fs::write(path, "evil").expect("it is ours"),
        }
    }
}

/// Runs `meanwhile` as soon as the `get` waits at the gate. Returns the error of the `get`.
async fn refused_at(
    gate: Breakpoint,
    get: impl Future<Output = Result<Changes, fabrs::Error>>,
    meanwhile: impl AsyncFnOnce(),
) -> String {
    let planted = async {
        let waiting = tokio::task::spawn_blocking(move || gate.wait_until_hit(LIMIT)).await.expect("it arrives");
        meanwhile().await;
        waiting.resume();
    };
    let (got, ()) = futures::join!(soon(get), planted);
    block(&got.expect_err("a symlink leads out"))
}

fn assert_refused(text: &str, path: &str, link: &Path) {
    assert!(text.starts_with("error: host: "), "{text}");
    assert!(text.contains(path), "{path}: {text}");
    assert!(text.contains(&format!("`{}` is a symlink", link.display())), "{text}");
    assert!(text.contains("hint: remove the symlink"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_symlink_from_one_host_does_not_redirect_a_file_of_another() -> Result {
    // The first case arrives as a stream. In the second case a single file arrives, after its
    // directory is made.
    for (program, names) in [("tar", &["sub/authorized_keys", "sub/b"][..]), ("wc", &["sub/authorized_keys"])] {
        let outside = tempfile::tempdir()?;
        let one = Lab::new();
        tree(&one, &[&format!("sub -> {}", outside.path().display())]);
        let (other, gate) = gated(program);
        tree(&other, names);
        let to = format!("{}/", one.here.path().display());
        let get = other.host.get(other.there("x").display().to_string(), to.clone());
        let link = one.here.path().join("x/sub");
        let plant = async || {
            if link.is_dir() {
                fs::remove_dir(&link).expect("it is empty");
            }
            soon(one.host.get(one.there("x").display().to_string(), to)).await.expect("the first host is served");
        };
        let error = refused_at(gate, get, plant).await;
        assert_refused(&error, "x/sub/authorized_keys", &link);
        assert_eq!(walk(outside.path()), Vec::<PathBuf>::new());
        assert_eq!(fs::read_link(link)?, outside.path());
        one.assert_nothing_is_left();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn symlinks_directories_and_comparisons_stay_beneath_the_target() -> Result {
    for (names, path) in [
        (&["sub/link -> nowhere"][..], "could not make"),
        (&["link -> nowhere", "sub/new/"], "could not make"),
        (&["link -> nowhere", "sub/same"], "could not make"),
        (&["link -> nowhere", "sub/same", "sub/b"], "x/sub/"),
    ] {
        let outside = tempfile::tempdir()?;
        // The file has the same size and content as the host's file.
        fs::write(outside.path().join("same"), "evil")?;
        // The client reads symlinks after the listing.
        let (lab, gate) = gated("readlink");
        tree(&lab, names);
        let get = lab.host.get(lab.there("x").display().to_string(), format!("{}/", lab.here.path().display()));
        let link = lab.here.path().join("x/sub");
        let plant = async || {
            fs::create_dir(lab.here.path().join("x")).expect("it is ours");
            symlink(outside.path(), &link).expect("it is ours");
        };
        let error = refused_at(gate, get, plant).await;
        assert_refused(&error, path, &link);
        assert_eq!(walk(outside.path()), [outside.path().join("same")]);
        assert!(!outside.path().join("new").exists());
        lab.assert_nothing_is_left();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_symlink_does_not_redirect_a_file_that_arrives_by_sftp() -> Result {
    let outside = tempfile::tempdir()?;
    let (program, path): (TempDir, PathBuf) = probe::hostile_sftp();
    let gate = Breakpoint::new(program.path().join("gate"));
    let lab = Lab::of(Sshd::builder().option("ForceCommand", format!("{} gated", path.display())).start());
    let link = lab.here.path().join("x/sub");
    let plant = async || {
        // The directories are made before the first file is opened.
        fs::remove_dir(&link).expect("it is empty");
        symlink(outside.path(), &link).expect("it is ours");
    };
    let get = lab.host.get("/x/", format!("{}/", lab.here.path().display()));
    let error = refused_at(gate, get, plant).await;
    assert_refused(&error, "x/sub/file", &link);
    assert_eq!(walk(outside.path()), Vec::<PathBuf>::new());
    lab.assert_nothing_is_left();
    // Without the symlink the same file arrives.
    fs::remove_file(&link)?;
    soon(lab.host.get("/x/", format!("{}/", lab.here.path().display()))).await?;
    assert_eq!(text(link.join("file")).len(), 1_000);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_symlink_in_the_place_of_a_file_is_replaced_itself() -> Result {
    for lab in [Lab::new(), super::without_a_shell::lab()] {
        let (outside, target) = (lab.file("outside", "evil"), lab.here.path().join("x/a"));
        tree(&lab, &["a", "b"]);
        fs::create_dir(lab.here.path().join("x"))?;
        symlink(&outside, &target)?;
        let get = || lab.host.get(lab.there("x").display().to_string(), format!("{}/", lab.here.path().display()));
        assert_eq!(soon(get()).await?.changed()?.len(), 2);
        assert!(!target.is_symlink() && outside.exists());
        assert!(!soon(get()).await?.any()?);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_symlink_in_the_place_of_the_directory_of_a_host_is_refused_and_one_before_it_is_followed() -> Result {
    for lab in [Lab::new(), super::without_a_shell::lab()] {
        let (own, link) = (lab.here.path().join("own"), lab.here.path().join("logs/host"));
        let outside = tempfile::tempdir()?;
        tree(&lab, &["a", "b"]);
        for folder in ["logs", "disk"] {
            fs::create_dir(lab.here.path().join(folder))?;
        }
        symlink(outside.path(), &link)?;
        symlink(lab.here.path().join("disk"), &own)?;
        let there = |name: &str| lab.there(name).display().to_string();
        for (path, to) in [("x", "{host}"), ("x/", "{host}/"), ("x/a", "{host}/"), ("x/a", "{host}/{path}")] {
            let to = format!("{}/logs/{to}", lab.here.path().display());
            let error = soon(lab.host.get(there(path), to)).await.expect_err("a symlink leads out");
            assert_refused(&block(&error), "logs/host", &link);
        }
        assert_eq!(walk(outside.path()), Vec::<PathBuf>::new());
        soon(lab.host.get(there("x"), format!("{}/{{host}}/{{path}}", own.display()))).await?;
        assert_eq!(text(lab.here.path().join("disk/host/x/a")), "evil");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_get_the_modes_of_the_host_that_the_umask_allows() -> Result {
    for lab in [Lab::new(), super::without_a_shell::lab()] {
        let folder = lab.here.path().join("umask");
        fs::create_dir(&folder)?;
        let allowed = mode(&folder) & 0o777;
        tree(&lab, &["open", "run", "own"]);
        for (name, mode) in [("open", 0o666), ("run", 0o4777), ("own", 0o604)] {
            fs::set_permissions(lab.there("x").join(name), fs::Permissions::from_mode(mode))?;
        }
        let folder = || lab.there("x").display().to_string();
        let to = |name: &str| lab.here.path().join(name);
        soon(lab.host.get(folder(), to("tree").display().to_string())).await?;
        soon(lab.host.get(format!("{}/run", folder()), to("run").display().to_string())).await?;
        for (name, expected) in [("tree/open", 0o666), ("tree/run", 0o777), ("tree/own", 0o604), ("run", 0o777)] {
            assert_eq!(mode(&to(name)), expected & allowed, "{name}");
        }
        // A mode requested by the task is applied exactly.
        soon(lab.host.get(folder(), to("asked").display().to_string()).mode(0o666)).await?;
        soon(lab.host.get(format!("{}/run", folder()), to("asked for").display().to_string()).mode(0o777)).await?;
        assert_eq!((mode(&to("asked/run")), mode(&to("asked for"))), (0o666, 0o777));
    }
    Ok(())
}
