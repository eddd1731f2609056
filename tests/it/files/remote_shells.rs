//! The scripts of the shell backend under dash, bash and busybox.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use fabrs::files::FileKind;
use fabrs::prelude::*;

use super::{FileFixture, mode, text, walk};
use crate::support::within_limit;

/// The shells that run the scripts. Each is configured as the shell of the connection.
pub(super) const SHELLS: [&str; 4] = ["dash -c", "bash -c", "bash --posix -c", "busybox sh -c"];

/// Returns a fixture whose scripts run in `shell`.
pub(super) fn fixture(shell: &str) -> FileFixture {
    let fixture = FileFixture::new();
    FileFixture { host: fixture.host.with_shell(shell), ..fixture }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_written_once_with_its_mode_in_each_shell() -> Result {
    for shell in SHELLS {
        let fixture = fixture(shell);
        let target = fixture.remote("a 'b' $c");
        let put = |content: &str| fixture.host.write(target.display().to_string(), content).mode(0o640).verify();
        assert!(within_limit(put("one\n")).await?.any()?, "{shell}");
        assert!(!within_limit(put("one\n")).await?.any()?, "{shell}");
        assert!(within_limit(put("two\n").backup(".old")).await?.any()?, "{shell}");
        assert_eq!((text(&target), mode(&target)), ("two\n".to_owned(), 0o640), "{shell}");
        assert_eq!(text(fixture.remote("a 'b' $c.old")), "one\n", "{shell}");
        let rejected = within_limit(put("three\n").validate("test -z %s")).await;
        assert_eq!(rejected.map_err(|error| error.kind()).err(), Some(ErrorKind::File), "{shell}");
        assert_eq!(text(&target), "two\n", "{shell}");
        fixture.assert_no_leftovers();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_changed_blocks_of_a_large_file_are_sent_in_each_shell() -> Result {
    for shell in SHELLS {
        let fixture = fixture(shell);
        let mut content: Vec<u8> =
            (0..(9_u64 << 20) / 8 + 5).flat_map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).collect();
        let target = fixture.remote("large");
        let put = |content: &[u8]| fixture.host.write(target.display().to_string(), content);
        assert!(within_limit(put(&content)).await?.any()?, "{shell}");
        if let Some(byte) = content.last_mut() {
            *byte ^= 1;
        }
        assert!(within_limit(put(&content)).await?.any()?, "{shell}");
        assert!(!within_limit(put(&content)).await?.any()?, "{shell}");
        assert!(fs::read(&target)? == content, "{shell}");
        let local = fixture.local.path().join("copy");
        within_limit(fixture.host.get(target.display().to_string(), local.display().to_string())).await?;
        assert!(fs::read(&local)? == content, "{shell}");
        fixture.assert_no_leftovers();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_is_mirrored_in_each_shell() -> Result {
    for shell in SHELLS {
        let fixture = fixture(shell);
        let program = fixture.file("tree/bin/run", "#!/bin/sh\n");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        fixture.file("tree/etc/a b", "1");
        std::os::unix::fs::symlink("etc/a b", fixture.local.path().join("tree/link"))?;
        let (tree, target) = (fixture.local.path().join("tree"), fixture.remote("tree"));
        let sync = || fixture.host.sync(&tree, target.display().to_string()).delete();
        assert_eq!(within_limit(sync()).await?.changed()?.len(), 3, "{shell}");
        assert!(!within_limit(sync()).await?.any()?, "{shell}");
        fs::write(target.join("etc/obsolete"), "")?;
        fixture.file("tree/etc/a b", "22");
        within_limit(sync()).await?;
        assert_eq!(
            walk(&target),
            ["bin/run", "etc/a b", "link"].map(|name| target.join(name)),
            "the obsolete file is removed, {shell}"
        );
        assert_eq!((text(target.join("link")), mode(&target.join("bin/run"))), ("22".to_owned(), 0o755), "{shell}");
        let copy = fixture.local.path().join("copy");
        within_limit(fixture.host.get(target.display().to_string(), copy.display().to_string())).await?;
        assert_eq!(text(copy.join("etc/a b")), "22", "{shell}");
        fixture.assert_no_leftovers();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_are_inspected_edited_and_removed_in_each_shell() -> Result {
    for shell in SHELLS {
        let fixture = fixture(shell);
        let host = fixture.host.cd(fixture.sshd.scratch().display().to_string());
        assert!(within_limit(host.ensure_dir("a/b").mode(0o750)).await?.any()?, "{shell}");
        assert!(!within_limit(host.ensure_dir("a/b").mode(0o750)).await?.any()?, "{shell}");
        assert!(within_limit(host.symlink("b", "a/link")).await?.any()?, "{shell}");
        host.write("a/b/config", "one\n").await?;
        within_limit(host.append("a/b/config", "two")).await?;
        within_limit(host.replace("a/b/config", "one", "1")).await?;
        assert_eq!(within_limit(host.read("a/link/config")).await?, "1\ntwo\n", "{shell}");
        let stat = within_limit(host.stat("a/b")).await?.map(|stat| (stat.kind(), stat.mode()));
        assert_eq!(stat, Some((FileKind::Directory, 0o750)), "{shell}");
        assert!(within_limit(host.is_link("a/link")).await?, "{shell}");
        within_limit(host.remove("a").recursive()).await?;
        assert!(!within_limit(host.exists("a")).await?, "{shell}");
    }
    Ok(())
}
