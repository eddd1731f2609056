//! Accounts for logins: created on the machine by root, with fixed rights under sudo and doas.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use data_encoding::HEXLOWER;

/// The environment variable of all processes started by a server. The value names the server.
pub(crate) const MARK: &str = "FABRS_TEST_SSHD";

/// The directory for the lock, the password and the markers of complete accounts. The directory is
/// empty after boot.
const STATE_DIR: &str = "/run/fabrs-testing";

/// A login account. Root creates the account on the machine at its first use.
///
/// The rights under sudo are fixed for each account, so parallel test processes do not interfere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Account {
    /// A user without rights under sudo.
    Plain,
    /// Like [`Account::Plain`], with the login shell `/bin/dash`.
    Dash,
    /// Like [`Account::Plain`], with the login shell `nologin`, which prints a refusal and exits.
    NoShell,
    /// All commands under sudo, with a password prompt each time.
    Sudo,
    /// All commands under sudo without a password (`NOPASSWD`).
    SudoNopasswd,
    /// Like [`Account::SudoNopasswd`], with `Defaults use_pty`, the default since sudo 1.9.14.
    SudoPty,
    /// Only `/usr/bin/id -un` under sudo, without a password.
    SudoLimited,
    /// Only `/usr/bin/id -un` under sudo, with a password prompt each time.
    SudoLimitedPasswd,
    /// All commands under sudo, with one password prompt. sudo then caches the credentials.
    SudoTicket,
    /// All commands under sudo without a password, but only on a terminal (`Defaults requiretty`).
    SudoRequiretty,
    /// Like [`Account::Sudo`], with an expired password.
    SudoExpired,
    /// All commands under doas without a password (`nopass`).
    DoasNopass,
    /// All commands under doas, with a password prompt each time.
    Doas,
    /// Only `id -un` under doas, without a password.
    DoasLimited,
    /// The superuser.
    Root,
}

impl Account {
    /// Returns the login name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "fabrs-test",
            Self::Dash => "fabrs-dash",
            Self::NoShell => "fabrs-no-shell",
            Self::Sudo => "fabrs-sudo",
            Self::SudoNopasswd => "fabrs-sudo-free",
            Self::SudoPty => "fabrs-sudo-pty",
            Self::SudoLimited => "fabrs-sudo-limited",
            Self::SudoLimitedPasswd => "fabrs-sudo-limited-ask",
            Self::SudoTicket => "fabrs-sudo-ticket",
            Self::SudoRequiretty => "fabrs-sudo-terminal",
            Self::SudoExpired => "fabrs-sudo-expired",
            Self::DoasNopass => "fabrs-doas-free",
            Self::Doas => "fabrs-doas",
            Self::DoasLimited => "fabrs-doas-limited",
            Self::Root => "root",
        }
    }

    fn shell(self) -> &'static str {
        match self {
            Self::Dash => "/bin/dash",
            Self::NoShell => "/usr/sbin/nologin",
            _ => "/bin/bash",
        }
    }

    /// Returns the sudoers rule and the settings for `Defaults`.
    fn sudoers(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Plain
            | Self::Dash
            | Self::NoShell
            | Self::Root
            | Self::DoasNopass
            | Self::Doas
            | Self::DoasLimited => None,
            // With cached credentials, the next test would see no prompt.
            Self::Sudo | Self::SudoExpired => Some(("ALL=(ALL:ALL) ALL", "timestamp_timeout=0")),
            Self::SudoNopasswd => Some(("ALL=(ALL:ALL) NOPASSWD: ALL", "!use_pty")),
            Self::SudoPty => Some(("ALL=(ALL:ALL) NOPASSWD: ALL", "use_pty")),
            Self::SudoLimited => Some(("ALL=(ALL:ALL) NOPASSWD: /usr/bin/id -un", "!use_pty")),
            Self::SudoLimitedPasswd => Some(("ALL=(ALL:ALL) /usr/bin/id -un", "timestamp_timeout=0")),
            // Without `global`, credentials cached without a terminal apply to one parent process
            // only.
            Self::SudoTicket => Some(("ALL=(ALL:ALL) ALL", "timestamp_timeout=60, timestamp_type=global")),
            Self::SudoRequiretty => Some(("ALL=(ALL:ALL) NOPASSWD: ALL", "requiretty")),
        }
    }

    /// Returns the doas rule: the options before the name and the limits after the name.
    fn doas(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::DoasNopass => Some(("nopass", "")),
            Self::Doas => Some(("", "")),
            Self::DoasLimited => Some(("nopass", " as root cmd id args -un")),
            _ => None,
        }
    }

    /// Creates the account, unless it exists. sudo and doas keep the variable [`MARK`].
    pub(crate) fn create(self) {
        if self == Self::Root {
            return;
        }
        let _lock = lock_accounts();
        let marker = format!("{STATE_DIR}/{}", self.name());
        let exists = run("id", &["-u", self.name()], None).is_ok();
        if exists && Path::new(&marker).exists() {
            return;
        }

        if !exists {
            run_or_panic("useradd", &["--create-home", "--shell", self.shell(), self.name()], None);
        }
        // An account without a password is locked, and sshd rejects all logins to a locked account.
        run_or_panic("chpasswd", &[], Some(&format!("{}:{}\n", self.name(), read_or_create_password())));
        if self == Self::SudoExpired {
            run_or_panic("chage", &["-d", "0", self.name()], None);
        }
        if let Some((rule, defaults)) = self.sudoers() {
            let name = self.name();
            let text = format!("Defaults:{name} {defaults}, env_keep += \"{MARK}\"\n{name} {rule}\n");
            write_sudoers(name, &text);
        }
        if let Some((options, limits)) = self.doas() {
            add_doas_rule(&format!("permit {options} setenv {{ {MARK} }} {}{limits}", self.name()));
        }
        fs::write(marker, "").expect("root can write to the state directory");
    }
}

/// Returns `true` if the test runs as root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Returns the name of the current user.
pub(crate) fn current_user() -> String {
    run("id", &["-un"], None).expect("`id` is installed").trim().to_owned()
}

/// Returns the password of all accounts. The password is random and changes with each boot.
pub(crate) fn password() -> &'static str {
    static PASSWORD: OnceLock<String> = OnceLock::new();
    PASSWORD.get_or_init(|| {
        let _lock = lock_accounts();
        read_or_create_password()
    })
}

fn read_or_create_password() -> String {
    // The accounts stay on the machine, some with sudo rights. With a password in the source code,
    // every reader could log in.
    let path = format!("{STATE_DIR}/password");
    if let Ok(password) = fs::read_to_string(&path) {
        return password;
    }
    let mut bytes = [0; 12];
    File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes)).expect("/dev/urandom is readable");
    // A quote and a `$` in the password make a test with wrong quoting fail.
    let password = format!("it's $a \"{}", HEXLOWER.encode(&bytes));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    file.and_then(|mut file| file.write_all(password.as_bytes())).expect("root can write to the state directory");
    password
}

/// Locks the creation of accounts against other test processes until the file is dropped.
pub(crate) fn lock_accounts() -> File {
    fs::create_dir_all(STATE_DIR).expect("root can write below /run");
    let file = OpenOptions::new().create(true).append(true).open(format!("{STATE_DIR}/lock"));
    let file = file.expect("root can write to the state directory");
    file.lock().expect("the file can be locked");
    file
}

fn write_sudoers(name: &str, text: &str) {
    assert!(Path::new("/etc/sudoers.d").is_dir(), "sudo is missing: `apt-get install sudo`, or run `scripts/test`");
    // sudo skips file names with a dot, so a partial file is never read.
    let temp = format!("/etc/sudoers.d/fabrs-testing-{name}.new");
    let write = || -> io::Result<()> {
        fs::write(&temp, text)?;
        fs::set_permissions(&temp, Permissions::from_mode(0o440))?;
        fs::rename(&temp, format!("/etc/sudoers.d/fabrs-testing-{name}"))
    };
    write().expect("root can write to /etc/sudoers.d");
}

/// Adds a rule to `/etc/doas.conf`. doas has no directory for rules.
fn add_doas_rule(rule: &str) {
    const RULES: &str = "/etc/doas.conf";
    let known = fs::read_to_string(RULES).unwrap_or_default();
    if known.lines().any(|line| line == rule) {
        return;
    }
    let write = || -> io::Result<()> {
        let temp = format!("{RULES}.fabrs-testing.new");
        fs::write(&temp, format!("{known}{rule}\n"))?;
        fs::set_permissions(&temp, Permissions::from_mode(0o400))?;
        fs::rename(&temp, RULES)
    };
    write().expect("root can write to /etc");
}

fn run_or_panic(program: &str, arguments: &[&str], input: Option<&str>) {
    if let Err(error) = run(program, arguments, input) {
        panic!("`{program}` failed: {error}");
    }
}

fn run(program: &str, arguments: &[&str], input: Option<&str>) -> Result<String, String> {
    let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
    let mut command = Command::new(program);
    command.args(arguments).stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    if let (Some(input), Some(mut pipe)) = (input, child.stdin.take()) {
        pipe.write_all(input.as_bytes()).map_err(|error| error.to_string())?;
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}
