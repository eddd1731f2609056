//! Dry runs of tasks with every kind of change: hosts and this machine remain unchanged.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use fabrs_testing::faults::RefusedPort;
use fabrs_testing::{Account, Capability, Fab, FabOutput, Sshd};
use tempfile::TempDir;

use crate::fixtures::{fab, project, sorted, without_times};

const HOSTS: [&str; 3] = ["web1", "web2", "db1"];

/// A server with an alias for each host, and a log of every received command line.
pub(crate) struct RecordingHosts {
    pub(crate) sshd: Sshd,
    dir: TempDir,
}

impl RecordingHosts {
    /// Starts a server with these accounts.
    pub(crate) fn start(accounts: impl IntoIterator<Item = Account>) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (log, force) = (dir.path().join("exec.log"), dir.path().join("force"));
        let open = |path: &Path, mode| {
            fs::set_permissions(path, Permissions::from_mode(mode)).expect("the test owns the file");
        };
        fs::write(&log, "").expect("the test owns the file");
        let script = format!(
            "#!/bin/sh\nprintf '%s\\n' \"$SSH_ORIGINAL_COMMAND\" >> '{}'\ncase $SSH_ORIGINAL_COMMAND in\n\
             internal-sftp) exec /usr/lib/openssh/sftp-server ;;\nesac\nexec \"$SHELL\" -c \"$SSH_ORIGINAL_COMMAND\"\n",
            log.display()
        );
        fs::write(&force, script).expect("the test owns the file");
        open(dir.path(), 0o755);
        open(&log, 0o666);
        open(&force, 0o755);
        let sshd = Sshd::builder().users(accounts).aliases(HOSTS).option("ForceCommand", force.display().to_string());
        let this = Self { sshd: sshd.start(), dir };
        for host in HOSTS {
            this.fill(host);
        }
        this
    }

    /// Writes the files of a host. Tasks edit, download and remove these files.
    fn fill(&self, host: &str) {
        let place = self.sshd.scratch().join(host);
        let files = [
            ("there", "one = 1\n# two = 2\nthree = 2\nold\n"),
            ("unwanted", "x\n"),
            ("unwanted-folder/x", "x\n"),
            ("secret-log", "x\n"),
            ("logs/a/b.log", "x\n"),
            ("put-site/index.html", "old\n"),
            ("synced/old", "x\n"),
            ("synced/uploads/x", "x\n"),
            ("synced-sudo/old", "x\n"),
        ];
        for (path, text) in files {
            let path = place.join(path);
            fs::create_dir_all(path.parent().expect("the path has a parent")).expect("the test owns the directory");
            fs::write(path, text).expect("the test owns the directory");
        }
        let owned = std::process::Command::new("chown").arg("-R").arg(self.sshd.user()).arg(&place).status();
        assert!(owned.is_ok_and(|status| status.success()), "root can change owners");
    }

    /// Returns the path of the scratch directory.
    fn scratch(&self) -> String {
        self.sshd.scratch().display().to_string()
    }

    /// Returns a run with the host names in the file of `-S` and in `~/.ssh/config`.
    fn fab(&self, words: &[&str]) -> Fab {
        let run = fab().current_dir(plans_folder());
        let ssh = run.dir().with_file_name("home").join(".ssh");
        fs::create_dir_all(&ssh).expect("the test owns the home directory");
        fs::copy(self.sshd.ssh_config(), ssh.join("config")).expect("the test owns the home directory");
        run.arg("-S").arg(self.sshd.ssh_config()).args(words).own_session()
    }

    /// Runs a dry run of a task, and checks that nothing changes.
    #[track_caller]
    fn plan(&self, words: &[&str], code: i32) -> FabOutput {
        self.plan_with(self.fab(&["-n", "live"]).args(words), code)
    }

    /// Runs a dry run, and checks that nothing changes.
    #[track_caller]
    fn plan_with(&self, run: Fab, code: i32) -> FabOutput {
        self.plan_in(plans_folder(), run, code)
    }

    /// Runs a dry run in a project, and checks that nothing changes.
    #[track_caller]
    pub(crate) fn plan_in(&self, project: &Path, run: Fab, code: i32) -> FabOutput {
        let scratch = self.sshd.scratch();
        let before = (file_states(&scratch), file_states(project));
        let ran = run.code(code).run();
        let after = (file_states(&scratch), file_states(project));
        let changed = [changed_paths(&before.0, &after.0), changed_paths(&before.1, &after.1)].concat();
        assert!(changed.is_empty(), "something was changed: {changed:?}\n{}", ran.stderr);
        let requests = fs::read_to_string(self.dir.path().join("exec.log")).expect("the file was created");
        // A preflight check only queries systemd.
        let changes = ["command-", "systemctl re", "systemctl st"];
        assert!(!changes.iter().any(|change| requests.contains(change)), "{requests}");
        ran
    }

    /// Returns the names of the files created by commands of tasks.
    fn made_names(&self) -> BTreeSet<String> {
        let names = file_states(&self.sshd.scratch()).into_keys().filter_map(|path| {
            let name = path.file_name()?.to_str()?;
            Some(name.to_owned())
        });
        names.filter(|name| name.starts_with("command-")).collect()
    }
}

/// Compiles the project once and returns its directory.
fn plans_folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = project("plans");
        let compiled = || Fab::new(crate::fixtures::FAB).current_dir(&folder).arg("--list").run().stderr.is_empty();
        assert!((0..5).any(|_| compiled()), "the project is compiled again each time");
        folder
    })
}

/// The state of a file: mode, user, group, inode, time of the last change, and content.
type FileState = (u32, u32, u32, u64, (i64, i64), Vec<u8>);

/// Returns the states of a directory and all files below it.
fn file_states(root: &Path) -> BTreeMap<PathBuf, FileState> {
    let (mut found, mut left) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(path) = left.pop() {
        let meta = fs::symlink_metadata(&path).expect("no file is removed during the test");
        let content = if meta.is_dir() {
            left.extend(fs::read_dir(&path).expect("root can read all files").flatten().map(|entry| entry.path()));
            Vec::new()
        } else if meta.is_symlink() {
            fs::read_link(&path).expect("the entry is a symlink").into_os_string().into_encoded_bytes()
        } else {
            fs::read(&path).expect("root can read all files")
        };
        let time = (meta.mtime(), meta.mtime_nsec());
        found.insert(path, (meta.mode(), meta.uid(), meta.gid(), meta.ino(), time, content));
    }
    found
}

/// Returns the paths with different states.
fn changed_paths(before: &BTreeMap<PathBuf, FileState>, after: &BTreeMap<PathBuf, FileState>) -> Vec<PathBuf> {
    let all: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    all.into_iter().filter(|path| before.get(*path) != after.get(*path)).cloned().collect()
}

/// Returns the names of the files to be created by planned commands.
fn planned_names(stderr: &str) -> BTreeSet<String> {
    let lines = stderr.lines().filter(|line| line.contains("would run: "));
    let starts = lines.filter_map(|line| line.find("command-").map(|start| &line[start..]));
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '-').collect();
    starts.map(name).collect()
}

/// Plans tasks with commands only, and checks that nothing changes. Then runs the tasks, and checks
/// that all planned files exist.
fn plan_and_run(words: &[&str]) {
    if !Capability::Sudo.is_available() {
        return;
    }
    let hosts = RecordingHosts::start([Account::SudoNopasswd]);
    let (scratch, config) = (hosts.scratch(), hosts.sshd.ssh_config().display().to_string());
    let fill = |word: &&str| word.replace("DIR", &scratch).replace("CONFIG", &config);
    let words: Vec<String> = words.iter().map(fill).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ran = hosts.plan(&words, 0);
    let planned = planned_names(&ran.stderr);
    assert!(ran.stderr.ends_with("dry run: nothing was changed\n"), "{}", ran.stderr);
    hosts.fab(&["live"]).args(&words).run();
    let mut made = hosts.made_names();
    made.remove("command-effect");
    assert!(planned.len() > 2 && planned == made, "{planned:?}\n{made:?}\n{}", ran.stderr);
}

#[test]
fn groups_and_connections_made_by_a_task_are_planned() {
    plan_and_run(&["groups", "DIR"]);
}

#[test]
fn clients_made_by_a_task_are_planned() {
    plan_and_run(&["clients", "DIR", "CONFIG"]);
}

#[test]
fn connections_made_in_spawned_futures_and_threads_are_planned() {
    plan_and_run(&["elsewhere", "DIR"]);
}

#[test]
fn every_kind_of_command_is_planned() {
    plan_and_run(&["commands", "DIR"]);
}

#[test]
fn interactive_commands_are_planned_without_a_terminal() {
    let hosts = RecordingHosts::start([Account::Plain]);
    let ran = hosts.plan(&["at-a-terminal", &hosts.scratch()], 0);
    assert_eq!(ran.stderr.matches("would run: a shell\n").count(), 2, "{}", ran.stderr);
}

#[test]
fn every_kind_of_transfer_and_edit_is_planned() {
    if !Capability::Sudo.is_available() {
        return;
    }
    let hosts = RecordingHosts::start([Account::SudoNopasswd]);
    let scratch = hosts.scratch();
    let ran = hosts.plan(&["files", &scratch, "got"], 0);
    assert!(ran.stderr.contains("files: 2 ok\n"), "{}", ran.stderr);
    let diffed = hosts.plan_with(hosts.fab(&["-n", "--diff", "live", "files", &scratch, "got"]), 0);
    assert!(diffed.stderr.contains("+three = 3\n"), "{}", diffed.stderr);

    // The real run makes all planned changes.
    let got = hosts.dir.path().join("got").display().to_string();
    let made = hosts.fab(&["live", "files", &scratch, &got]).run();
    assert!(made.stderr.contains("files: 2 ok\n"), "{}", made.stderr);
    assert!(hosts.made_names().contains("command-reload"), "{}", made.stderr);
}

#[test]
fn a_plan_ends_at_the_first_needed_result_on_each_host() {
    let hosts = RecordingHosts::start([Account::Plain]);
    let ran = hosts.plan(&["looks", &hosts.scratch()], 6);
    assert_eq!(ran.stderr.matches("planned up to here (").count(), 2, "{}", ran.stderr);
    assert!(ran.stderr.ends_with("dry run: nothing was changed; the plan is incomplete\n"), "{}", ran.stderr);
}

#[test]
fn only_a_changed_line_plans_the_reload() {
    let hosts = RecordingHosts::start([Account::Plain]);
    let scratch = hosts.sshd.scratch();
    let write = |workers: &str| {
        fs::copy(plans_folder().join("conf/app.conf"), scratch.join("app.conf"))
            .expect("root can write to the directory");
        fs::write(scratch.join("env"), format!("WORKERS={workers}\n")).expect("root can write to the directory");
    };
    write("2");
    let ran = hosts.plan(&["reload", &hosts.scratch()], 0);
    let reload = "would run: sudo systemctl reload app\n";
    assert_eq!(ran.stderr.matches(reload).count(), 2, "{}", ran.stderr);
    // The note marks only comparisons without a difference after a planned change.
    let mark = "read without the 1 planned change: ensure the line";
    assert_eq!(ran.stderr.matches("read without the").count(), 0, "{}", ran.stderr);
    fs::write(scratch.join("env"), "WORKERS=4\n").expect("root can write to the directory");
    fs::write(scratch.join("app.conf"), "workers = 1\n").expect("root can write to the directory");
    let ran = hosts.plan(&["reload", &hosts.scratch()], 0);
    assert_eq!((ran.stderr.matches(mark).count(), ran.stderr.matches(reload).count()), (2, 0), "{}", ran.stderr);

    write("4");
    let ran = hosts.plan(&["reload", &hosts.scratch()], 0);
    assert_eq!(ran.stderr.matches(reload).count(), 0, "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("would run: echo the end\n").count(), 2, "{}", ran.stderr);
}

#[test]
fn an_unreachable_host_has_planned_transfers_and_does_not_block_the_next() {
    let hosts = RecordingHosts::start([Account::Plain]);
    let refused = RefusedPort::reserve();
    let known = fs::read_to_string(hosts.sshd.ssh_config()).expect("the harness wrote the file");
    let config = hosts.dir.path().join("ssh_config");
    let down = format!("Host web1\n    HostName 127.0.0.1\n    Port {}\n", refused.addr().port());
    fs::write(&config, down + &known).expect("the test owns the directory");
    let run = fab().current_dir(plans_folder()).arg("-n").arg("-S").arg(&config);
    let ran = hosts.plan_with(run.args(["live", "reload", &hosts.scratch()]), 6);
    let lines_with = |text: &str| -> Vec<&str> {
        without_times(&ran.stderr).into_iter().filter(|line| line.contains(text)).collect()
    };
    assert_eq!(ran.stderr.matches("warning: web1: ").count(), 1, "{}", ran.stderr);
    let planned = lines_with("[web1] would ");
    assert_eq!(planned.len(), 2, "{planned:?}");
    assert_eq!(lines_with("[web1] planned up to here (").len(), 1, "{}", ran.stderr);
    assert!(
        lines_with("[web2] would run: ").contains(&"[web2] would run: sudo systemctl reload app"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("reload: 1 ok, 1 incomplete (web1)\n"), "{}", ran.stderr);
}

#[test]
fn a_download_of_a_planned_file_is_planned() {
    let hosts = RecordingHosts::start([Account::Plain]);
    let ran = hosts.plan(&["dump", &hosts.scratch(), "--make"], 0);
    assert_eq!(ran.stderr.matches("would run: echo the end\n").count(), 2, "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("warning: web1: ").count(), 1, "{}", ran.stderr);
}

#[test]
fn a_download_of_a_missing_file_fails_as_in_the_real_run() {
    if !Capability::Sudo.is_available() {
        return;
    }
    let hosts = RecordingHosts::start([Account::SudoNopasswd]);
    let errors = |ran: &FabOutput| -> Vec<String> {
        ran.stderr
            .lines()
            .filter(|line| line.starts_with("error:") || line.starts_with("  "))
            .map(str::to_owned)
            .collect()
    };
    // The sudo check is not a change, so the plan can't assume a later file.
    for task in ["dump", "fetch"] {
        let planned = hosts.plan(&["-H", "web1", task, &hosts.scratch()], 1);
        let real = hosts.fab(&["live", "-H", "web1", task, &hosts.scratch()]).code(1).run();
        assert_eq!(errors(&planned), errors(&real));
        assert!(real.stderr.contains("no such file: "), "{}", real.stderr);
    }
}

#[test]
fn command_line_options_apply_to_hosts_named_by_tasks() {
    if !Capability::Sudo.is_available() || !Capability::Password.is_available() {
        return;
    }
    let hosts = RecordingHosts::start([Account::Plain, Account::Sudo]);
    let password = hosts.dir.path().join("password");
    fs::write(&password, hosts.sshd.password()).expect("the test owns the directory");
    // Without a config in the home directory: only `-S` resolves the hosts.
    let run = || fab().current_dir(plans_folder()).arg("-S").arg(hosts.sshd.ssh_config()).own_session();
    let run = || run().args(["-u", Account::Sudo.name(), "-P", "1", "--password-file"]).arg(&password);
    let ran = run().arg("logins").run();
    let login = Account::Sudo.name();
    let expected = [
        format!("[web1] connection: {login}"),
        format!("[web1] {login}"),
        format!("[web2] {login}"),
        "[web2] sudo: root".to_owned(),
    ];
    assert_eq!(sorted(&ran.stdout), expected);

    let ran = run().args(["--json", "logins"]).run();
    let of_command = |line: &&str| line.contains("\"command_started\"") || line.contains("\"command_ended\"");
    let events: Vec<bool> = ran.stdout.lines().filter(of_command).map(|line| line.contains("_started")).collect();
    assert_eq!(events, [true, false].repeat(4), "with -P 1, each command ends before the next starts: {}", ran.stdout);
}
