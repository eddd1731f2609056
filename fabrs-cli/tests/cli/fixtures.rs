//! Shared fixtures: runs of `fab`, the cache of compiled projects, test projects and servers.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use fabrs_testing::{Fab, Sshd};

/// The path of the program under test.
pub(crate) const FAB: &str = env!("CARGO_BIN_EXE_fab");
/// Maximum time of a run without compilation.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);

/// Returns a run of `fab` in a directory without a `tasks.rs`.
pub(crate) fn fab() -> Fab {
    Fab::new(FAB).limit(LIMIT)
}

/// Returns a run of a shell script. `$FAB` is the path of the program under test.
pub(crate) fn shell(script: &str) -> Fab {
    Fab::new("/bin/sh").args(["-c", script]).cache(&cache()).env("FAB", FAB).limit(LIMIT)
}

/// Returns the cache directory shared by all tests and runs, so that dependencies compile once.
pub(crate) fn cache() -> PathBuf {
    Path::new(FAB).with_file_name("fab-test-cache")
}

/// Returns a run of `fab` in the compiled shop project, with tasks of every kind.
pub(crate) fn shop() -> Fab {
    fab().current_dir(shop_folder())
}

/// Compiles the shop project once and returns its directory.
pub(crate) fn shop_folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = project("shop");
        // Compiling prints to stderr, and stderr must be the same for every test. One compilation
        // is not enough if fabrs itself is edited at the same time.
        let compiled = || Fab::new(FAB).current_dir(&folder).arg("--list").run().stderr.is_empty();
        assert!((0..5).any(|_| compiled()), "the project is compiled again each time");
        folder
    })
}

/// Returns the directory of a project next to these tests. Tests never write there: a second test
/// run finds the project compiled.
pub(crate) fn project(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/projects").join(name)
}

/// Starts one server with an alias for each host of the shop project.
pub(crate) fn shop_hosts() -> Sshd {
    Sshd::builder().aliases(["web1", "web2", "web3", "db1"]).start()
}

/// Adds the `ssh_config` of a server to a run, to resolve the aliases. Does not select hosts.
pub(crate) fn with_ssh_config(fab: Fab, sshd: &Sshd) -> Fab {
    fab.arg("-S").arg(sshd.ssh_config())
}

/// Returns the sorted lines of a text, because the order of several hosts is random.
pub(crate) fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// Returns the lines of stderr without durations.
pub(crate) fn without_times(stderr: &str) -> Vec<&str> {
    let untimed = |line: &'_ str| line.starts_with('[').then(|| line.find(": ok in ")).flatten();
    stderr.lines().map(|line| untimed(line).map_or(line, |end| &line[..end + ": ok".len()])).collect()
}

/// Returns the location of a text in the shop's `tasks.rs`, in the format of errors.
pub(crate) fn location_of(text: &str) -> String {
    let file = shop_folder().join("tasks.rs");
    let source = fs::read_to_string(&file).expect("the project exists");
    let line = source.lines().position(|line| line.contains(text)).expect("the file contains the text");
    format!("{}:{}", file.display(), line + 1)
}

/// Returns a marker file in the scratch directory of a server.
pub(crate) fn marker_file(sshd: &Sshd) -> Marker {
    Marker(sshd.scratch().join("marker"))
}

/// A file created by a command, as proof that the command ran.
pub(crate) struct Marker(PathBuf);

impl Marker {
    /// Returns the shell line that creates the file.
    pub(crate) fn line(&self) -> String {
        format!("touch '{}'", self.0.display())
    }

    /// Returns the path of the file, as an argument of a task.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Returns `true` if the file exists.
    pub(crate) fn exists(&self) -> bool {
        fs::exists(&self.0).expect("the scratch folder can be read")
    }
}
