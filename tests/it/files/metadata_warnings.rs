//! Metadata warnings: a replaced file cannot keep its hard links, and sometimes not its ACL.

use std::fs;
use std::path::Path;
use std::process::Command;

use fabrs::prelude::*;

use super::trees::fixture_with_programs;
use super::{FileFixture, mode, text};
use crate::support::{capture, client_of, event_texts};

/// Puts a file over another file. Returns the warnings.
async fn warnings_of_put(
    fixture: &FileFixture,
    source: impl Into<Source>,
    target: &Path,
) -> fabrs::Result<Vec<String>> {
    let (seen, sink) = capture();
    let client = client_of(&fixture.sshd, "").sink(sink).build();
    client.connect(fixture.sshd.alias())?.put(source, target.display().to_string()).await?;
    client.close().await;
    Ok(event_texts(&seen, "warning", "text"))
}

fn has_programs(names: &[&str]) -> bool {
    names.iter().all(|name| Command::new(name).arg("--version").output().is_ok())
}

fn acl_of(path: &Path) -> String {
    let output = Command::new("getfacl").arg("-cp").arg(path).output().expect("the program is installed");
    String::from_utf8(output.stdout).expect("the output is text")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_warning_names_hard_links_with_the_old_content() -> Result {
    let fixture = FileFixture::new();
    let folder = super::open_folder(&fixture.sshd);
    for name in ["alone", "x"] {
        fs::write(folder.join(name), "old")?;
    }
    fs::hard_link(folder.join("x"), folder.join("other"))?;
    assert!(warnings_of_put(&fixture, b"new", &folder.join("alone")).await?.is_empty());
    let warnings = warnings_of_put(&fixture, b"new", &folder.join("x")).await?;
    let [warning] = &warnings[..] else { panic!("{warnings:?}") };
    assert!(warning.contains(&format!("other hard links of `{}`", folder.join("x").display())), "{warning}");
    assert_eq!((text(folder.join("x")).as_str(), text(folder.join("other")).as_str()), ("new", "old"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_upload_warns_once_about_hard_links() -> Result {
    let fixture = FileFixture::new();
    let target = fixture.remote("tree");
    for name in ["a", "b", "c"] {
        fixture.file(&format!("tree/{name}"), "old");
    }
    let tree = fixture.local.path().join("tree");
    fixture.host.put(tree.clone(), target.display().to_string()).await?;
    for name in ["a", "b"] {
        fs::hard_link(target.join(name), fixture.remote(&format!("other {name}")))?;
        fixture.file(&format!("tree/{name}"), "new");
    }
    let warnings = warnings_of_put(&fixture, tree, &target).await?;
    let [warning] = &warnings[..] else { panic!("{warnings:?}") };
    assert!(warning.contains("/tree/a` and 1 more"), "{warning}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acl_is_kept_with_setfacl_and_otherwise_a_warning_reports_its_loss() -> Result {
    if !has_programs(&["setfacl", "getfacl"]) {
        eprintln!("NOT TESTED HERE: ACLs (there is no setfacl)");
        return Ok(());
    }
    for is_able in [true, false] {
        let programs: &[&str] = if is_able { &["setfacl", "getfacl"] } else { &[] };
        let fixture = fixture_with_programs(programs, false);
        let path = super::open_folder(&fixture.sshd).join("x");
        fs::write(&path, "old")?;
        let set = Command::new("setfacl").args(["-m", "u:daemon:rw,m:r"]).arg(&path).status()?;
        if !set.success() {
            eprintln!("NOT TESTED HERE: ACLs (this file system has none)");
            return Ok(());
        }
        let (before, bits) = (acl_of(&path), mode(&path));
        let warnings = warnings_of_put(&fixture, b"new", &path).await?;
        assert_eq!((text(&path).as_str(), mode(&path)), ("new", bits));
        if is_able {
            assert_eq!((acl_of(&path), warnings), (before, Vec::new()));
            // A file without an ACL does not inherit the default ACL of its directory.
            let plain = path.with_file_name("plain");
            fs::write(&plain, "old")?;
            let before = acl_of(&plain);
            Command::new("setfacl")
                .args(["-d", "-m", "u:daemon:rwx"])
                .arg(plain.parent().expect("the path has a parent"))
                .status()?;
            assert!(warnings_of_put(&fixture, b"new", &plain).await?.is_empty());
            assert_eq!((text(&plain).as_str(), acl_of(&plain)), ("new", before));
        } else {
            assert!(acl_of(&path) != before && warnings.iter().any(|text| text.contains("ACL")), "{warnings:?}");
        }
    }
    Ok(())
}
