//! Cells of files: put, get, sync and edits, with hostile names.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use fabrs::Error;
use fabrs::prelude::*;

use super::{Cell, HOSTILE_LINES, HOSTILE_NAME};
use crate::verdict::{Finding, Findings, Work, judge};

/// The files of a tree: a plain file, a file with a hostile name, and a file in a directory.
const TREE: [(&str, &str); 3] =
    [("plain", "content\n"), (HOSTILE_NAME, HOSTILE_LINES), ("sub folder's/file", "it is\nbelow")];

impl Cell<'_> {
    pub(super) async fn put(&self, findings: &mut Findings) {
        let (path, remote_string) = (self.remote_path(HOSTILE_NAME), self.remote_string(HOSTILE_NAME));
        let result = self.host.put(HOSTILE_LINES.as_bytes().to_vec(), remote_string).await;
        findings.add_step("a file", judge(result, Work::compare(&path, HOSTILE_LINES)), self.may_fail());

        let tree = self.tree("tree");
        let result = self.host.put(tree, self.remote_string("tree's \\")).await;
        findings.add_step("a folder", judge(result, works(&self.remote_path("tree's \\"))), self.may_fail());

        let (path, remote_string) = (self.remote_path("root's \\ $x"), self.remote_string("root's \\ $x"));
        let result = self.host.put(HOSTILE_LINES.as_bytes().to_vec(), remote_string).sudo().mode(0o640).await;
        let work = match fs::metadata(&path) {
            Ok(found) if (found.uid(), found.mode() & 0o777) != (0, 0o640) => Work::Other(format!("{found:?}")),
            _ => Work::compare(&path, HOSTILE_LINES),
        };
        findings.add_step("a file under sudo", judge(result, work), self.may_fail());
        self.check_temporaries(findings);
    }

    pub(super) async fn get(&self, findings: &mut Findings) {
        write(&self.remote_path(HOSTILE_NAME), HOSTILE_LINES);
        let local = self.local_dir.path().join("file");
        let result = self.host.get(self.remote_string(HOSTILE_NAME), local.display().to_string()).await;
        findings.add_step("a file", judge(result, Work::compare(&local, HOSTILE_LINES)), self.may_fail());

        for (name, text) in TREE {
            write(&self.remote_path("tree's").join(name), text);
        }
        let local = self.local_dir.path().join("tree");
        let result = self.host.get(self.remote_string("tree's"), local.display().to_string()).await;
        findings.add_step("a folder", judge(result, works(&local)), self.may_fail());

        let secret = self.remote_path("root's $x");
        write(&secret, HOSTILE_LINES);
        fs::set_permissions(&secret, Permissions::from_mode(0o600)).expect("the test owns the directory");
        let local = self.local_dir.path().join("secret");
        let result = self.host.get(self.remote_string("root's $x"), local.display().to_string()).sudo().await;
        findings.add_step("a file under sudo", judge(result, Work::compare(&local, HOSTILE_LINES)), self.may_fail());
        self.check_temporaries(findings);
    }

    pub(super) async fn sync(&self, findings: &mut Findings) {
        let (tree, remote_path, remote_string) =
            (self.tree("tree"), self.remote_path("tree's \\ $x"), self.remote_string("tree's \\ $x"));
        let result = self.host.sync(&tree, &remote_string).await;
        findings.add_step("a new folder", judge(result, works(&remote_path)), self.may_fail());

        let surplus = remote_path.join("surplus");
        if remote_path.is_dir() {
            write(&surplus, "surplus");
        }
        let result = self.host.sync(&tree, &remote_string).delete().await;
        let work = if surplus.exists() { Work::Other("a surplus file".to_owned()) } else { works(&remote_path) };
        // After an error, the surplus file may still exist.
        let work = if result.is_err() { Work::Absent } else { work };
        findings.add_step("a surplus file", judge(result, work), self.may_fail());

        let result = self.host.sync(&tree, &remote_string).delete().await;
        findings.add_step("an equal folder", unchanged(result), self.may_fail());
        self.check_temporaries(findings);
    }

    pub(super) async fn edit(&self, findings: &mut Findings) {
        let (path, remote_string) = (self.remote_path(HOSTILE_NAME), self.remote_string(HOSTILE_NAME));
        let old = "port = 80\n";
        write(&path, old);
        // An edit keeps the owner of the file. Only root may set an owner.
        fs::set_permissions(&path, Permissions::from_mode(0o666)).expect("the test owns the directory");
        let line = "name = it's \\ \"q\" $x !x";
        let expected = format!("{old}{line}\n");
        let result = self.host.ensure_line(&remote_string, line).await;
        findings.add_step("ensure_line", judge(result, edited(&path, &expected, old)), self.may_fail());

        let old = expected;
        let expected = format!("{old}# it's `x` !y\n");
        write(&path, &old);
        let result = self.host.append(&remote_string, "# it's `x` !y").await;
        findings.add_step("append", judge(result, edited(&path, &expected, &old)), self.may_fail());

        write(&path, &expected);
        let result = self.host.append(&remote_string, "# it's `x` !y").await;
        findings.add_step("append again", unchanged(result), self.may_fail());

        let finding = match self.host.read(&remote_string).await {
            Ok(text) if text == expected => Finding::Right,
            Ok(text) => Finding::Wrong(format!("read as {text:?}")),
            Err(error) => judge::<()>(Err(error), Work::Absent),
        };
        findings.add_step("read", finding, self.may_fail());

        let result = self.host.ensure_line(&remote_string, "last").sudo().await;
        let work = edited(&path, &format!("{expected}last\n"), &expected);
        findings.add_step("ensure_line under sudo", judge(result, work), self.may_fail());
        self.check_temporaries(findings);
    }

    /// Writes the tree on this machine.
    fn tree(&self, name: &str) -> PathBuf {
        let tree = self.local_dir.path().join(name);
        for (name, text) in TREE {
            write(&tree.join(name), text);
        }
        tree
    }

    /// Adds a step: no temporary file remains on the server or on this machine.
    fn check_temporaries(&self, findings: &mut Findings) {
        let mut left = Vec::new();
        temporaries(&self.remote_path, &mut left);
        temporaries(self.local_dir.path(), &mut left);
        let finding = if left.is_empty() { Finding::Right } else { Finding::Wrong(format!("{left:?}")) };
        findings.add("temporary files", finding);
    }
}

/// Compares a folder with the tree.
fn works(folder: &Path) -> Work {
    Work::all(TREE.map(|(name, text)| Work::compare(&folder.join(name), text)))
}

/// Compares an edited file. The old content counts as no work.
fn edited(path: &Path, new: &str, old: &str) -> Work {
    match Work::compare(path, new) {
        Work::Other(found) if found == old => Work::Absent,
        work => work,
    }
}

/// Returns the finding of an operation without a pending change.
fn unchanged(result: std::result::Result<Changes, Error>) -> Finding {
    match result.and_then(|changes| changes.any()) {
        Ok(false) => Finding::Right,
        Ok(true) => Finding::Wrong("an equal content counts as changed".to_owned()),
        Err(error) => judge::<()>(Err(error), Work::Absent),
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("the path has a parent")).expect("the test owns the directory");
    fs::write(path, text).expect("the test owns the directory");
}

fn temporaries(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_name().to_string_lossy().contains(".fabrs") {
            found.push(path.clone());
        }
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            temporaries(&path, found);
        }
    }
}
