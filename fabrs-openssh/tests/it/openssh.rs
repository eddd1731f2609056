//! Runs the installed programs of `OpenSSH`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

/// The output of `ssh -G`: the values of each keyword, in order.
pub(crate) type Settings = BTreeMap<String, Vec<String>>;

/// Runs a program of `OpenSSH` and waits for its end.
pub(crate) fn run<I: IntoIterator<Item: AsRef<std::ffi::OsStr>>>(program: &str, arguments: I) -> Output {
    Command::new(program)
        .args(arguments)
        .env_remove("SSH_AUTH_SOCK")
        .stdin(Stdio::null())
        .output()
        .expect("`ssh` and `ssh-keygen` are required: install `openssh-client`")
}

/// Returns the stdout of a successful program.
pub(crate) fn stdout(output: &Output) -> Option<String> {
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs `ssh -G` for a host. The error is the stderr of `ssh`.
pub(crate) fn ssh_g(config: &Path, arguments: &[&str], host: &str) -> Result<Settings, String> {
    let config = config.to_str().expect("test directories have plain names");
    let output = run("ssh", ["-G", "-F", config].iter().chain(arguments).chain(&[host]));
    let text = stdout(&output).ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let mut settings = Settings::new();
    for line in text.lines() {
        let (keyword, value) = line.split_once(' ').unwrap_or((line, ""));
        settings.entry(keyword.to_owned()).or_default().push(value.to_owned());
    }
    Ok(settings)
}

/// The local user according to `ssh`, from the user database instead of the environment.
pub(crate) struct LocalUser {
    pub(crate) user: String,
    pub(crate) home: PathBuf,
    pub(crate) uid: u32,
    pub(crate) hostname: String,
    /// The settings of an empty configuration.
    pub(crate) defaults: Settings,
}

/// Runs `ssh -Q` and returns the names of the algorithms.
pub(crate) fn ssh_q(kind: &str) -> Vec<String> {
    let output = run("ssh", ["-Q", kind]);
    stdout(&output).expect("ssh lists its algorithms").lines().map(str::to_owned).collect()
}

impl LocalUser {
    /// Returns the local user. The programs run once for all tests.
    pub(crate) fn get() -> &'static Self {
        static LOCAL_USER: LazyLock<LocalUser> = LazyLock::new(LocalUser::query);
        &LOCAL_USER
    }

    fn query() -> Self {
        let settings = ssh_g(Path::new("/dev/null"), &[], "localhost").expect("an empty configuration is valid");
        let known_hosts = settings["userknownhostsfile"][0].clone();
        let home = known_hosts.split("/.ssh/").next().expect("splitting gives at least one part");
        let uid = stdout(&run("id", ["-u"])).expect("`id` succeeds").trim().parse().expect("`id` prints a number");
        let hostname = stdout(&run("uname", ["-n"])).expect("`uname` succeeds").trim().to_owned();
        Self { user: settings["user"][0].clone(), home: PathBuf::from(home), uid, hostname, defaults: settings }
    }
}
