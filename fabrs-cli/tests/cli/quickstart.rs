//! The project in `examples/quickstart` on real hosts, with a `fabrs.toml` for these hosts.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use fabrs_testing::{Account, Capability, Fab, FabOutput, Process, Sshd};

use crate::fixtures::sorted;
use crate::scratch_project::ScratchProject;

const HOSTS: [&str; 3] = ["web1", "web2", "web3"];

/// Copies a directory with the permissions of its files.
pub(crate) fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the test owns the directory");
    for entry in fs::read_dir(from).expect("a folder of the repository").flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy_dir(&from, &to);
        } else {
            fs::copy(from, to).expect("the test owns the directory");
        }
    }
}

/// Counts the uploads with this result.
fn count_puts(ran: &FabOutput, result: &str) -> usize {
    ran.stderr.lines().filter(|line| line.contains("] put ") && line.ends_with(result)).count()
}

/// The project, and three hosts on this machine. Each host has its own directory for the site.
struct Quickstart {
    scratch_project: ScratchProject,
    /// Dropping the server also ends the web servers: the harness finds the marker in their
    /// environment.
    sshd: Sshd,
}

impl Quickstart {
    fn start() -> Self {
        let scratch_project = ScratchProject::open("quickstart");
        let sshd = Sshd::builder().users([Account::SudoNopasswd]).aliases(HOSTS).start();
        copy_dir(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/quickstart"), &scratch_project.path(""));
        let this = Self { scratch_project, sshd };
        let roots = HOSTS.map(|host| format!("host.{host}.vars.root = '{}'\n", this.root(host).display()));
        let text = format!("[vars]\nkeep = 5\n[env.live]\nhosts = ['web[1-3]']\n{}", roots.concat());
        this.scratch_project.write("fabrs.toml", &text);
        this
    }

    /// Returns the directory of the site on a host. Created by the first deploy.
    fn root(&self, host: &str) -> PathBuf {
        self.sshd.scratch().join(host).join("site")
    }

    /// Runs tasks without a terminal.
    #[track_caller]
    fn fab(&self, tasks: &[&str]) -> FabOutput {
        let fab: Fab = self.scratch_project.fab("").arg("-S").arg(self.sshd.ssh_config()).arg("live").args(tasks);
        fab.own_session().run()
    }

    /// Returns a page of the web server, requested on the host itself.
    fn page(&self, host: &str, name: &str) -> String {
        let line = format!("curl -fsS \"$(cat '{}/url')/{name}\"", self.root(host).display());
        let output = self.sshd.ssh().args([host, &line]).output().expect("ssh starts");
        assert!(output.status.success(), "{host}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("the text is UTF-8")
    }

    /// Returns the web server process of a host.
    fn server(&self, host: &str) -> Process {
        let number = fs::read_to_string(self.root(host).join("pid")).expect("`serve` wrote the file");
        let found = Process::find(number.trim().parse().expect("the file contains a number"));
        found.expect("the web server runs")
    }

    /// Returns all files of the site, each with the inode and modification time to detect a write.
    /// The access logs of the web servers are excluded.
    fn state(&self) -> Vec<(PathBuf, u64, i64, i64)> {
        let mut folders = HOSTS.map(|host| self.root(host)).to_vec();
        let mut found = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("the test can read the directory").flatten() {
                let metadata = entry.metadata().expect("no file is removed during the test");
                if metadata.is_dir() {
                    folders.push(entry.path());
                }
                if entry.file_name() != "log" {
                    found.push((entry.path(), metadata.ino(), metadata.mtime(), metadata.mtime_nsec()));
                }
            }
        }
        found.sort();
        found
    }

    /// Returns the current release, equal on all hosts.
    #[track_caller]
    fn release(&self) -> String {
        let [first, others @ ..] = HOSTS.map(|host| self.page(host, "release.txt"));
        assert!(others.iter().all(|other| *other == first), "{first:?} {others:?}");
        first.trim_end().to_owned()
    }
}

#[test]
fn the_site_is_deployed_unchanged_updated_and_rolled_back() {
    if !Capability::Sudo.is_available() {
        return;
    }
    let project = Quickstart::start();
    let planned = project.fab(&["-n", "deploy"]);
    assert_eq!(planned.stderr.matches("&& ./serve\n").count(), 3, "{}", planned.stderr);
    assert!(HOSTS.iter().all(|host| !project.root(host).exists()), "a dry run creates nothing: {}", planned.stderr);
    let put_up = project.fab(&["deploy"]);
    assert_eq!(put_up.stdout, "");
    assert_eq!(count_puts(&put_up, ": 2 of 2 files written"), 3, "{}", put_up.stderr);
    assert_eq!(count_puts(&put_up, ": unchanged"), 0, "{}", put_up.stderr);
    let first = project.release();
    let page = project.page("web2", "index.html");
    assert_eq!(page, fs::read_to_string(project.scratch_project.path("site/index.html")).expect("the file was copied"));

    let before = project.state();
    let again = project.fab(&["deploy", "status"]);
    assert_eq!((count_puts(&again, ""), count_puts(&again, ": unchanged")), (9, 9), "{}", again.stderr);
    assert_eq!(sorted(&again.stdout), HOSTS.map(|host| format!("[{host}] {first}")));
    assert_eq!(project.state(), before);

    project.scratch_project.write("site/index.html", "<h1>Another</h1>\n");
    let planned = project.fab(&["-n", "deploy", "status"]);
    assert_eq!(planned.stderr.matches("] would put site -> ").count(), 3, "{}", planned.stderr);
    assert_eq!(project.state(), before);
    project.fab(&["deploy"]);
    let second = project.release();
    assert_ne!(first, second);
    assert_eq!(project.page("web3", "index.html"), "<h1>Another</h1>\n");

    let planned = project.fab(&["-n", "rollback"]);
    assert!(planned.stderr.contains("rollback: 3 ok\n"), "{}", planned.stderr);
    assert_eq!(project.release(), second);
    let back = project.fab(&["rollback", "status"]);
    assert_eq!(sorted(&back.stdout), HOSTS.map(|host| format!("[{host}] {first}")));
    assert_eq!((project.release(), project.page("web1", "index.html")), (first, page));

    let servers = HOSTS.map(|host| project.server(host));
    drop(project);
    assert!(servers.iter().all(|server| !server.is_alive()), "the web servers end with the hosts");
}
