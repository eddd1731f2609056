//! A git repository that is served on loopback, as the one that a team shares.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fabrs_testing::wait_until;

/// A repository with a work tree here, and what it is pushed to, which `git daemon` serves.
#[derive(Debug)]
pub(crate) struct Origin {
    folder: PathBuf,
    daemon: Child,
    port: u16,
}

impl Origin {
    /// Serves an empty repository from an empty folder.
    pub(crate) fn start(folder: &Path) -> Self {
        let served = folder.join("served");
        git(folder, &["init", "--quiet", "--bare", "served/shop.git"]);
        git(folder, &["init", "--quiet", "tree"]);
        // The port is free when it is asked for, and may be another's when git wants it.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("loopback").port();
        // Not by way of `git`, which would leave it behind when it is killed itself.
        let daemon = Command::new(Path::new(&git(folder, &["--exec-path"])).join("git-daemon"))
            .args(["--reuseaddr", "--export-all", "--enable=receive-pack", "--listen=127.0.0.1"])
            .arg(format!("--port={port}"))
            .arg(format!("--base-path={}", served.display()))
            .arg(&served)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("git is there");
        let origin = Self { folder: folder.to_owned(), daemon, port };
        git(&origin.tree(), &["remote", "add", "origin", &origin.url()]);
        wait_until("git answers", Duration::from_secs(30), || {
            Command::new("git")
                .args(["ls-remote", "--quiet", &origin.url()])
                .output()
                .is_ok_and(|ran| ran.status.success())
        });
        origin
    }

    /// Returns the address that all hosts can fetch from.
    pub(crate) fn url(&self) -> String {
        format!("git://127.0.0.1:{}/shop.git", self.port)
    }

    /// Returns the folder with the work tree.
    pub(crate) fn tree(&self) -> PathBuf {
        self.folder.join("tree")
    }

    /// Commits files with these texts, tags that and pushes all of it; returns the commit.
    pub(crate) fn build(&self, tag: &str, files: &[(&str, &str)]) -> String {
        for (path, text) in files {
            let path = self.tree().join(path);
            fs::create_dir_all(path.parent().expect("it is in the tree")).expect("the folder is ours");
            fs::write(path, text).expect("the folder is ours");
        }
        git(&self.tree(), &["add", "--all"]);
        git(&self.tree(), &["commit", "--quiet", "--allow-empty", "--message", tag]);
        git(&self.tree(), &["tag", "--annotate", "--message", tag, tag]);
        git(&self.tree(), &["push", "--quiet", "--tags", "origin", "HEAD:refs/heads/main"]);
        git(&self.tree(), &["rev-parse", "HEAD"])
    }

    /// Returns what the served repository has of tags.
    pub(crate) fn tags(&self) -> Vec<String> {
        let served = self.folder.join("served/shop.git");
        git(&served, &["tag", "--list"]).lines().map(str::to_owned).collect()
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        let _gone = self.daemon.kill();
        let _status = self.daemon.wait();
    }
}

/// Runs git in a folder and returns what it prints.
#[track_caller]
pub(crate) fn git(folder: &Path, arguments: &[&str]) -> String {
    let name = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "init.defaultBranch=main"];
    let ran = Command::new("git").arg("-C").arg(folder).args(name).args(arguments).output().expect("git is there");
    assert!(ran.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8_lossy(&ran.stdout).trim_end().to_owned()
}
