//! The accounts that the servers let in, and what can not be tested without root.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use data_encoding::HEXLOWER;

/// The variable that every process of a server's sessions carries.
pub(crate) const MARK: &str = "FABRS_TEST_SSHD";

/// Where root keeps the lock, the password and the marks of finished accounts; empty after each boot.
const STATE: &str = "/run/fabrs-testing";

/// An account that tests log in as, made on the machine when root first asks for it.
///
/// Each has one behaviour under sudo that never changes, so that tests in parallel processes do not disturb another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Account {
    /// A user without any right under sudo.
    Plain,
    /// Like [`Account::Plain`], with `/bin/dash` as its login shell.
    Dash,
    /// Like [`Account::Plain`], but without a shell: its login shell says no and ends.
    NoShell,
    /// May do all under sudo after its password, which is asked for each time.
    Sudo,
    /// May do all under sudo without a password.
    SudoNopasswd,
    /// Like [`Account::SudoNopasswd`], with `Defaults use_pty`, the default from sudo 1.9.14 on.
    SudoPty,
    /// May do only `/usr/bin/id -un` under sudo, without a password.
    SudoLimited,
    /// May do only `/usr/bin/id -un` under sudo, after its password, which is asked for each time.
    SudoLimitedPasswd,
    /// May do all under sudo after its password, which is asked for once.
    SudoTicket,
    /// May do all under sudo without a password, but only on a terminal (`Defaults requiretty`).
    SudoRequiretty,
    /// Like [`Account::Sudo`], with a password that has expired.
    SudoExpired,
    /// May do all under doas without a password.
    DoasNopass,
    /// May do all under doas after its password, which is asked for each time.
    Doas,
    /// May do only `id -un` under doas, without a password.
    DoasLimited,
    /// The superuser.
    Root,
}

impl Account {
    /// Returns its login name.
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

    /// Returns what it may do, and what else its `Defaults` say.
    fn sudoers(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Plain
            | Self::Dash
            | Self::NoShell
            | Self::Root
            | Self::DoasNopass
            | Self::Doas
            | Self::DoasLimited => None,
            // A ticket would make the second test that asks find no prompt.
            Self::Sudo | Self::SudoExpired => Some(("ALL=(ALL:ALL) ALL", "timestamp_timeout=0")),
            Self::SudoNopasswd => Some(("ALL=(ALL:ALL) NOPASSWD: ALL", "!use_pty")),
            Self::SudoPty => Some(("ALL=(ALL:ALL) NOPASSWD: ALL", "use_pty")),
            Self::SudoLimited => Some(("ALL=(ALL:ALL) NOPASSWD: /usr/bin/id -un", "!use_pty")),
            Self::SudoLimitedPasswd => Some(("ALL=(ALL:ALL) /usr/bin/id -un", "timestamp_timeout=0")),
            // Without a terminal a ticket is otherwise that of the parent process alone.
            Self::SudoTicket => Some(("ALL=(ALL:ALL) ALL", "timestamp_timeout=60, timestamp_type=global")),
            Self::SudoRequiretty => Some(("ALL=(ALL:ALL) NOPASSWD: ALL", "requiretty")),
        }
    }

    /// Returns its rule for doas, up to its name and behind it.
    fn doas(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::DoasNopass => Some(("nopass", "")),
            Self::Doas => Some(("", "")),
            Self::DoasLimited => Some(("nopass", " as root cmd id args -un")),
            _ => None,
        }
    }

    /// Makes it, unless it is there; [`MARK`] must survive sudo.
    pub(crate) fn make(self) {
        if self == Self::Root {
            return;
        }
        let _lock = lock();
        let done = format!("{STATE}/{}", self.name());
        let known = run("id", &["-u", self.name()], None).is_ok();
        if known && Path::new(&done).exists() {
            return;
        }

        if !known {
            must("useradd", &["--create-home", "--shell", self.shell(), self.name()], None);
        }
        // Without a password the account is locked, and sshd then refuses keys too.
        must("chpasswd", &[], Some(&format!("{}:{}\n", self.name(), password_under_lock())));
        if self == Self::SudoExpired {
            must("chage", &["-d", "0", self.name()], None);
        }
        if let Some((rule, defaults)) = self.sudoers() {
            let name = self.name();
            let text = format!("Defaults:{name} {defaults}, env_keep += \"{MARK}\"\n{name} {rule}\n");
            write_sudoers(name, &text);
        }
        if let Some((options, limits)) = self.doas() {
            allow_doas(&format!("permit {options} setenv {{ {MARK} }} {}{limits}", self.name()));
        }
        fs::write(done, "").expect("root may write its own state");
    }
}

/// Whether the test runs as root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Returns the name of the user that runs the test.
pub(crate) fn current_user() -> String {
    run("id", &["-un"], None).expect("`id` is in every base system").trim().to_owned()
}

/// Returns the password of all accounts, made at random once after each boot.
pub(crate) fn password() -> &'static str {
    static PASSWORD: OnceLock<String> = OnceLock::new();
    PASSWORD.get_or_init(|| {
        let _lock = lock();
        password_under_lock()
    })
}

fn password_under_lock() -> String {
    // These accounts stay, some with sudo: a password written in the source would open the machine to everybody.
    let path = format!("{STATE}/password");
    if let Ok(known) = fs::read_to_string(&path) {
        return known;
    }
    let mut bytes = [0; 12];
    File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes)).expect("/dev/urandom can be read");
    // The marks are there to be quoted wrongly.
    let password = format!("it's $a \"{}", HEXLOWER.encode(&bytes));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    file.and_then(|mut file| file.write_all(password.as_bytes())).expect("root may write its own state");
    password
}

/// Keeps other test processes from making accounts until it is dropped.
pub(crate) fn lock() -> File {
    fs::create_dir_all(STATE).expect("root may write below /run");
    let file = OpenOptions::new().create(true).append(true).open(format!("{STATE}/lock"));
    let file = file.expect("root may write its own state");
    file.lock().expect("a local file can be locked");
    file
}

fn write_sudoers(name: &str, text: &str) {
    assert!(Path::new("/etc/sudoers.d").is_dir(), "sudo is missing: `apt-get install sudo`, or run `scripts/test`");
    // sudo skips names with a dot, so that it never reads the half of a file.
    let draft = format!("/etc/sudoers.d/fabrs-testing-{name}.new");
    let write = || -> io::Result<()> {
        fs::write(&draft, text)?;
        fs::set_permissions(&draft, Permissions::from_mode(0o440))?;
        fs::rename(&draft, format!("/etc/sudoers.d/fabrs-testing-{name}"))
    };
    write().expect("root may write to /etc/sudoers.d");
}

/// Adds a rule to those of doas, which has one file for all.
fn allow_doas(rule: &str) {
    const RULES: &str = "/etc/doas.conf";
    let known = fs::read_to_string(RULES).unwrap_or_default();
    if known.lines().any(|line| line == rule) {
        return;
    }
    let write = || -> io::Result<()> {
        let draft = format!("{RULES}.fabrs-testing.new");
        fs::write(&draft, format!("{known}{rule}\n"))?;
        fs::set_permissions(&draft, Permissions::from_mode(0o400))?;
        fs::rename(&draft, RULES)
    };
    write().expect("root may write to /etc");
}

fn must(program: &str, arguments: &[&str], input: Option<&str>) {
    if let Err(words) = run(program, arguments, input) {
        panic!("`{program}` failed: {words}");
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
