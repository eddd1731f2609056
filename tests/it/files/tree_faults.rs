//! Interrupted tree uploads: each file is the old one or the new one, and no temporary file
//! remains.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use fabrs::prelude::*;
use fabrs_testing::faults::{Cut, Direction, Proxy};
use fabrs_testing::{BindMount, Process, Sshd, wait_until};

use super::trees::{lab_with, which};
use super::{Lab, open_folder, text, walk};
use crate::support::{LIMIT, block, client_of, refused, soon, through};

/// Writes a local tree of new files, and a remote tree of old files under the same names.
async fn old_and_new(lab: &Lab, target: &Path) -> Result {
    for n in 0..40 {
        let name = format!("tree/{}/{n}", n % 4);
        lab.file(&name, format!("old {n}").repeat(50));
    }
    soon(lab.host.put(lab.here.path().join("tree"), target.display().to_string())).await?;
    for n in 0..40 {
        lab.file(&format!("tree/{}/{n}", n % 4), format!("new {n}").repeat(5_000));
    }
    Ok(())
}

/// Asserts that each file is complete. Returns the number of new files.
fn new_ones(target: &Path) -> usize {
    let is_new = |path: &Path| {
        let content = text(path);
        let n = path.file_name().and_then(|name| name.to_str()).expect("it has one");
        assert!(
            content == format!("old {n}").repeat(50) || content == format!("new {n}").repeat(5_000),
            "{n} is neither"
        );
        content.starts_with("new")
    };
    let files = walk(target);
    assert_eq!(files.len(), 40, "{files:?}");
    files.iter().filter(|path| is_new(path)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wherever_a_tree_is_cut_each_file_is_the_old_one_or_the_new_one() -> Result {
    for after in [3_000, 20_000, 400_000, 1_000_000, 1_150_000] {
        let sshd = Sshd::start();
        let lab = Lab::of(sshd);
        let target = open_folder(&lab.sshd).join("tree");
        old_and_new(&lab, &target).await?;
        let proxy = Proxy::to(lab.sshd.addr()).cut_after(Direction::ToServer, after, Cut::Reset);
        let host = client_of(&lab.sshd, &through(&proxy, &lab.sshd)).build().connect("host")?;
        let put = soon(host.put(lab.here.path().join("tree"), target.display().to_string())).await;
        assert!(put.is_err(), "cut after {after} bytes");
        wait_until("the host has cleaned up", LIMIT, || walk(&lab.sshd.scratch()).len() == 40);
        assert_eq!(new_ones(&target), 0, "cut after {after} bytes");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_ends_a_tree_between_its_moves_says_how_far_it_came_and_leaves_nothing_else() -> Result {
    let lab = lab_with(&["tar", "sha256sum"], false);
    let target = lab.open_folder().join("tree");
    old_and_new(&lab, &target).await?;
    // The third rename ends the script.
    let place = lab.programs.clone().expect("it has a folder of its own for them");
    let count = lab.there("count");
    fs::write(&count, "")?;
    fs::set_permissions(&count, fs::Permissions::from_mode(0o666))?;
    let mv = format!(
        "#!/bin/sh\nprintf x >>{count}\n[ $(wc -c <{count}) -lt 3 ] || {{ kill -TERM $PPID; exit 1; }}\nexec {} \"$@\"\n",
        which("mv").display(),
        count = count.display(),
    );
    fs::remove_file(place.join("mv"))?;
    fs::write(place.join("mv"), mv)?;
    fs::set_permissions(place.join("mv"), fs::Permissions::from_mode(0o755))?;
    let error =
        refused(soon(lab.host.put(lab.here.path().join("tree"), target.display().to_string())).await, ErrorKind::File);
    assert_eq!(new_ones(&target), 20);
    let hint = "hint: 20 files were written: run the same transfer again for the rest";
    assert!(block(&error).contains(hint), "{}", block(&error));
    fs::remove_file(place.join("mv"))?;
    std::os::unix::fs::symlink(which("mv"), place.join("mv"))?;
    let again = soon(lab.host.put(lab.here.path().join("tree"), target.display().to_string())).await?;
    assert_eq!((again.changed()?.len(), new_ones(&target)), (20, 40));
    lab.assert_nothing_is_left();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_leaves_the_old_file_and_no_other() -> Result {
    let lab = Lab::new();
    let target = lab.open_folder().join("x");
    fs::write(&target, "old")?;
    let (host, scratch) = (lab.host.clone(), lab.sshd.scratch());
    let to = target.display().to_string();
    let put = host.put(vec![b'n'; 700 << 20], to);
    let is_there = tokio::task::spawn_blocking(move || wait_until("it has begun", LIMIT, || walk(&scratch).len() > 1));
    let killed = async {
        is_there.await.expect("it begins");
        // sshd's child processes notice the end of sshd by the end of their input.
        let started = lab.sshd.session_processes();
        lab.sshd.processes().iter().filter(|process| !started.contains(process)).for_each(Process::kill);
    };
    let (put, ()) = futures::join!(soon(put), killed);
    assert!(put.is_err());
    wait_until("nothing else is left", LIMIT, || walk(&lab.sshd.scratch()) == [target.clone()]);
    assert_eq!(text(&target), "old");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_written_to_says_why_and_stays() -> Result {
    for lab in [Lab::new(), super::without_a_shell::lab()] {
        let folder = lab.open_folder();
        fs::write(folder.join("x"), "old")?;
        let Some(_mount) = BindMount::read_only(&folder) else { return Ok(()) };
        let error = refused(soon(lab.host.put(b"new", folder.join("x").display().to_string())).await, ErrorKind::File);
        let shown = block(&error);
        assert!(shown.contains("Read-only file system") || shown.contains("gave no reason"), "{shown}");
        lab.file("tree/a", "a");
        let tree = soon(lab.host.put(lab.here.path().join("tree"), folder.display().to_string())).await;
        refused(tree, ErrorKind::File);
        assert_eq!((text(folder.join("x")).as_str(), walk(&folder).len()), ("old", 1));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_changed_while_it_is_read_is_not_put() -> Result {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    for (lab, size) in [(Lab::new(), 64 << 20), (Lab::new(), 3 << 20), (super::without_a_shell::lab(), 64 << 20)] {
        let (file, target) = (lab.file("x", vec![b'n'; size]), lab.there("x"));
        fs::write(&target, "old")?;
        fs::set_permissions(lab.sshd.scratch(), fs::Permissions::from_mode(0o777))?;
        let is_over = Arc::new(AtomicBool::new(false));
        let (over, path) = (Arc::clone(&is_over), file.clone());
        let writer = std::thread::spawn(move || {
            let file = fs::File::options().append(true).open(path).expect("it is there");
            while !over.load(Ordering::Relaxed) {
                std::io::Write::write_all(&mut &file, b"more").expect("it can be written to");
            }
        });
        let put = soon(lab.host.put(&file, target.display().to_string())).await;
        is_over.store(true, Ordering::Relaxed);
        writer.join().expect("it ends");
        let error = refused(put, ErrorKind::Local);
        assert!(block(&error).contains("was changed during the upload"), "{}", block(&error));
        assert_eq!(text(&target), "old");
        lab.assert_nothing_is_left();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_made_room_for_something_that_does_not_come_is_where_it_was() -> Result {
    for programs in [&["tar", "sha256sum"][..], &["tar", "sha256sum", "perl"]] {
        let lab = lab_with(programs, false);
        let target = lab.open_folder().join("tree");
        lab.file("tree/data/precious", "precious");
        lab.file("tree/other", "other");
        soon(lab.host.put(lab.here.path().join("tree"), target.display().to_string())).await?;
        fs::remove_dir_all(lab.here.path().join("tree/data"))?;
        lab.file("tree/data", "a file now");
        // The script is ended after the first of two renames: by the second rename, or at its
        // start.
        let place = lab.programs.clone().expect("it has a folder of its own for them");
        let (name, wrapped) = if programs.contains(&"perl") {
            let module = lab.there("Ends.pm");
            let ends = "package Ends; BEGIN { *CORE::GLOBAL::rename = sub { my ($from, $to) = @_; \
                        if ($from =~ m,^t/,) { kill 15, getppid; exit 1 } CORE::rename($from, $to) } } 1;\n";
            fs::write(&module, ends)?;
            ("perl", format!("exec {} -I{} -MEnds \"$@\"", which("perl").display(), lab.sshd.scratch().display()))
        } else {
            let count = lab.there("count");
            fs::write(&count, "")?;
            fs::set_permissions(&count, fs::Permissions::from_mode(0o666))?;
            let ends = format!(
                "printf x >>{count}; [ $(wc -c <{count}) -ne 2 ] || {{ kill -TERM $PPID; exit 1; }}\nexec {} \"$@\"",
                which("mv").display(),
                count = count.display()
            );
            ("mv", ends)
        };
        fs::remove_file(place.join(name))?;
        fs::write(place.join(name), format!("#!/bin/sh\n{wrapped}\n"))?;
        fs::set_permissions(place.join(name), fs::Permissions::from_mode(0o755))?;
        let sync = lab.host.sync(lab.here.path().join("tree"), target.display().to_string()).delete();
        refused(soon(sync).await, ErrorKind::File);
        assert_eq!(text(target.join("data/precious")), "precious", "{programs:?}");
        lab.assert_nothing_is_left();
    }
    Ok(())
}
