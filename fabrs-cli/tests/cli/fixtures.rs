//! Where the tests stand: the program, one cache for all that is compiled, and the projects.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use fabrs_testing::{Fab, Sshd};

/// The program under test.
pub(crate) const FAB: &str = env!("CARGO_BIN_EXE_fab");
/// How long anything may take that compiles nothing.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);

/// Returns a run of `fab` where no `tasks.rs` is.
pub(crate) fn fab() -> Fab {
    Fab::new(FAB).limit(LIMIT)
}

/// Returns a run of a shell script, in which `$FAB` is the program.
pub(crate) fn shell(script: &str) -> Fab {
    Fab::new("/bin/sh").args(["-c", script]).cache(&cache()).env("FAB", FAB).limit(LIMIT)
}

/// Returns the folder that keeps what was compiled, over all tests and runs: dependencies compile once.
pub(crate) fn cache() -> PathBuf {
    Path::new(FAB).with_file_name("fab-test-cache")
}

/// Returns a run of `fab` in the project with tasks of every kind, which is compiled by then.
pub(crate) fn shop() -> Fab {
    fab().current_dir(shop_folder())
}

/// Returns the folder of that project, after compiling it once.
pub(crate) fn shop_folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = project("shop");
        // Who compiles says so on stderr, which is to be the same for every test. Where somebody edits fabrs meanwhile,
        // once is not enough.
        let compiled = || Fab::new(FAB).current_dir(&folder).arg("--list").run().stderr.is_empty();
        assert!((0..5).any(|_| compiled()), "the project is compiled again each time");
        folder
    })
}

/// Returns the folder of a project beside these tests. Nothing is ever written there, so that a second run of the
/// tests finds it compiled.
pub(crate) fn project(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/projects").join(name)
}

/// Starts one server under the names of all hosts of the shop.
pub(crate) fn shop_hosts() -> Sshd {
    Sshd::builder().aliases(["web1", "web2", "web3", "db1"]).start()
}

/// Returns a run that finds the hosts of a server by their names, and still has to be without_times on which to run.
pub(crate) fn with_ssh_config(fab: Fab, sshd: &Sshd) -> Fab {
    fab.arg("-S").arg(sshd.ssh_config())
}

/// Returns the lines of a text in an order of their own: those of several hosts come as they come.
pub(crate) fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// Returns the lines that a run without_times, without how long anything took.
pub(crate) fn without_times(stderr: &str) -> Vec<&str> {
    let untimed = |line: &'_ str| line.starts_with('[').then(|| line.find(": ok in ")).flatten();
    stderr.lines().map(|line| untimed(line).map_or(line, |end| &line[..end + ": ok".len()])).collect()
}

/// Returns the place of a text in the shop's `tasks.rs` as errors name it.
pub(crate) fn location_of(text: &str) -> String {
    let file = shop_folder().join("tasks.rs");
    let source = fs::read_to_string(&file).expect("the project is there");
    let line = source.lines().position(|line| line.contains(text)).expect("the text is in it");
    format!("{}:{}", file.display(), line + 1)
}

/// Returns a path below a server's scratch folder, and whether something is there: what a command would have made.
pub(crate) fn marker_file(sshd: &Sshd) -> Marker {
    Marker(sshd.scratch().join("marker"))
}

/// A file that a command makes if it runs.
pub(crate) struct Marker(PathBuf);

impl Marker {
    /// Returns the line that makes it.
    pub(crate) fn line(&self) -> String {
        format!("touch '{}'", self.0.display())
    }

    /// Returns its path, to be given to a task.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Tells whether it is there.
    pub(crate) fn exists(&self) -> bool {
        fs::exists(&self.0).expect("the scratch folder can be read")
    }
}
