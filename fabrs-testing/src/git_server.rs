//! Git repository served on loopback, as the shared repository of a team.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::wait::wait_until;

/// A work tree and its bare remote repository. `git daemon` serves the remote until drop.
#[derive(Debug)]
pub struct GitServer {
    dir: PathBuf,
    daemon: Child,
    port: u16,
}

impl GitServer {
    /// Creates an empty repository in an empty directory and serves the remote. Drop does not
    /// remove the directory.
    ///
    /// # Panics
    ///
    /// If git is not installed, or the daemon does not start.
    #[track_caller]
    pub fn start(dir: &Path) -> Self {
        let served = dir.join("served");
        Self::git(dir, &["init", "--quiet", "--bare", "served/shop.git"]);
        Self::git(dir, &["init", "--quiet", "tree"]);
        // The port may be taken by another process before the daemon binds.
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("loopback is available").port();
        // `git-daemon` is started directly, because killing `git` would not end `git-daemon`.
        let daemon = Command::new(Path::new(&Self::git(dir, &["--exec-path"])).join("git-daemon"))
            .args(["--reuseaddr", "--export-all", "--enable=receive-pack", "--listen=127.0.0.1"])
            .arg(format!("--port={port}"))
            .arg(format!("--base-path={}", served.display()))
            .arg(&served)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("`git` is installed");
        let origin = Self { dir: dir.to_owned(), daemon, port };
        Self::git(&origin.tree(), &["remote", "add", "origin", &origin.url()]);
        wait_until("git daemon answers", Duration::from_secs(30), || {
            let output = Command::new("git").args(["ls-remote", "--quiet", &origin.url()]).output();
            output.is_ok_and(|output| output.status.success())
        });
        origin
    }

    /// Returns the URL for fetches and pushes from all hosts.
    pub fn url(&self) -> String {
        format!("git://127.0.0.1:{}/shop.git", self.port)
    }

    /// Returns the path of the work tree.
    pub fn tree(&self) -> PathBuf {
        self.dir.join("tree")
    }

    /// Writes files, commits the work tree, tags the commit and pushes. Returns the commit.
    ///
    /// # Panics
    ///
    /// If a git command fails.
    #[track_caller]
    pub fn build(&self, tag: &str, files: &[(&str, &str)]) -> String {
        let tree = self.tree();
        for (path, text) in files {
            let path = tree.join(path);
            fs::create_dir_all(path.parent().expect("a relative path")).expect("a writable directory");
            fs::write(path, text).expect("a writable directory");
        }
        Self::git(&tree, &["add", "--all"]);
        Self::git(&tree, &["commit", "--quiet", "--allow-empty", "--message", tag]);
        Self::git(&tree, &["tag", "--annotate", "--message", tag, tag]);
        Self::git(&tree, &["push", "--quiet", "--tags", "origin", "HEAD:refs/heads/main"]);
        Self::git(&tree, &["rev-parse", "HEAD"])
    }

    /// Returns the tags of the remote repository.
    pub fn tags(&self) -> Vec<String> {
        let served = self.dir.join("served/shop.git");
        Self::git(&served, &["tag", "--list"]).lines().map(str::to_owned).collect()
    }

    /// Runs git in a directory as the author Ann and returns its stdout.
    ///
    /// # Panics
    ///
    /// If git fails. The message has the stderr of git.
    #[track_caller]
    pub fn git(dir: &Path, arguments: &[&str]) -> String {
        let name = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "init.defaultBranch=main"];
        let output =
            Command::new("git").arg("-C").arg(dir).args(name).args(arguments).output().expect("`git` is installed");
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}
