//! Login shells for the accounts of one server, through a private copy of `/etc`.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::accounts::{self, Account};

/// Mounts the copy `$0` over `/etc` and executes the server.
///
/// A mount over `/etc/passwd` alone would not last. `useradd` replaces the file by a rename, and
/// the rename removes all mounts on the file in every namespace.
const MOUNT_SCRIPT: &str = r#"mount --bind "$0" /etc && exec "$@""#;
/// The number of attempts to copy `/etc`. An attempt fails if a file vanishes during the copy.
const MAX_COPY_ATTEMPTS: usize = 5;

/// A copy of `/etc` for a server in its own mount namespace.
///
/// In the copy, `passwd` has the given login shell and an empty home for every account of the
/// server, and `shells` lists the shell. Files of the machine and of other servers do not change.
#[derive(Debug)]
pub(crate) struct LoginShell {
    etc: PathBuf,
}

impl LoginShell {
    /// Writes the copy and the homes below `dir`, and authorizes the key for each account.
    ///
    /// # Panics
    ///
    /// If an account does not exist, or a file cannot be written.
    pub(crate) fn write(dir: &Path, accounts: &[Account], shell: &Path, public_key: &str) -> Self {
        let etc = dir.join("etc");
        copy_etc(&etc);
        let passwd = fs::read_to_string(etc.join("passwd")).expect("/etc/passwd is readable");
        let mut lines: Vec<String> = passwd.lines().map(str::to_owned).collect();
        for account in accounts {
            let name = account.name();
            let line = lines.iter_mut().find(|line| line.split(':').next() == Some(name));
            let line = line.expect("the account exists");
            let mut fields: Vec<String> = line.split(':').map(str::to_owned).collect();
            let id = |field: usize| fields[field].parse().expect("a user or group number");
            let home = make_home(dir, name, public_key, (id(2), id(3)));
            fields[5] = home.display().to_string();
            fields[6] = shell.display().to_string();
            *line = fields.join(":");
        }
        let shells = fs::read_to_string(etc.join("shells")).unwrap_or_default();
        // dropbear rejects logins with an unlisted shell.
        let shells = format!("{}\n{}\n", shells.trim_end(), shell.display());
        for (name, text) in [("passwd", lines.join("\n") + "\n"), ("shells", shells)] {
            fs::write(etc.join(name), text).expect("a writable directory");
        }
        Self { etc }
    }

    /// Returns a command for `program` with the copy mounted over `/etc`. The command keeps its
    /// PID.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", MOUNT_SCRIPT]).arg(&self.etc).arg(program);
        command
    }
}

/// Copies `/etc` with owners and modes.
fn copy_etc(to: &Path) {
    // Other tests create accounts in parallel.
    let _lock = accounts::lock_accounts();
    for _ in 0..MAX_COPY_ATTEMPTS {
        let copied = Command::new("cp").args(["--archive", "/etc"]).arg(to).stderr(Stdio::null()).status();
        if copied.expect("`cp` is installed").success() {
            return;
        }
        fs::remove_dir_all(to).expect("a writable directory");
    }
    panic!("`/etc` changed during each of {MAX_COPY_ATTEMPTS} copies");
}

/// Creates the home of an account with `authorized_keys`, as read by dropbear.
fn make_home(dir: &Path, name: &str, public_key: &str, (uid, gid): (u32, u32)) -> PathBuf {
    let home = dir.join("home").join(name);
    let ssh = home.join(".ssh");
    let keys = ssh.join("authorized_keys");
    fs::create_dir_all(&ssh).expect("a writable directory");
    fs::write(&keys, format!("{public_key}\n")).expect("a writable directory");
    for (path, mode) in [(&keys, 0o600), (&ssh, 0o700), (&home, 0o755)] {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("a writable directory");
        chown(path, Some(uid), Some(gid)).expect("root can change owners");
    }
    home
}

/// Returns `true` if the user may create mount namespaces.
pub(crate) fn has_mount_namespaces() -> bool {
    let mut command = Command::new("unshare");
    command.args(["--mount", "true"]).stdin(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
