//! Another login shell for the accounts of one server: an `/etc` that this server alone sees.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::accounts::{self, Account};

/// Covers the machine's `/etc` with the copy at `$0`, then becomes the server.
///
/// All of `/etc`, and not `/etc/passwd` alone: `useradd` replaces that file by a rename, which takes the mounts on it away
/// in every namespace.
const ENTER: &str = r#"mount --bind "$0" /etc && exec "$@""#;
/// How often `/etc` is copied until no file of it vanishes meanwhile.
const COPY_TRIES: usize = 5;

/// A copy of `/etc` for a server that runs in a mount namespace of its own.
///
/// In `passwd` of the copy every account of the server has the given login shell and an empty home, and `shells` lists that
/// shell. The machine's own files, and all other servers, stay as they are.
#[derive(Debug)]
pub(crate) struct LoginShell {
    etc: PathBuf,
}

impl LoginShell {
    /// Writes the copy and the homes below `dir`, and lets the key in at each home.
    ///
    /// # Panics
    ///
    /// If an account does not exist, or a file can not be written.
    pub(crate) fn write(dir: &Path, accounts: &[Account], shell: &Path, public_key: &str) -> Self {
        let etc = dir.join("etc");
        copy_etc(&etc);
        let passwd = fs::read_to_string(etc.join("passwd")).expect("every Linux has /etc/passwd");
        let mut lines: Vec<String> = passwd.lines().map(str::to_owned).collect();
        for account in accounts {
            let name = account.name();
            let line = lines.iter_mut().find(|line| line.split(':').next() == Some(name));
            let line = line.expect("the account was made before");
            let mut fields: Vec<String> = line.split(':').map(str::to_owned).collect();
            let id = |field: usize| fields[field].parse().expect("a user or group number");
            let home = make_home(dir, name, public_key, (id(2), id(3)));
            fields[5] = home.display().to_string();
            fields[6] = shell.display().to_string();
            *line = fields.join(":");
        }
        let shells = fs::read_to_string(etc.join("shells")).unwrap_or_default();
        // dropbear refuses a login whose shell is not listed.
        let shells = format!("{}\n{}\n", shells.trim_end(), shell.display());
        for (name, text) in [("passwd", lines.join("\n") + "\n"), ("shells", shells)] {
            fs::write(etc.join(name), text).expect("the directory is ours");
        }
        Self { etc }
    }

    /// Returns a command that runs `program` where the copy covers the machine's `/etc`; its process number is the
    /// program's.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", ENTER]).arg(&self.etc).arg(program);
        command
    }
}

/// Copies `/etc` with all owners and modes.
fn copy_etc(to: &Path) {
    // Other tests make accounts at the same time.
    let _lock = accounts::lock();
    for _ in 0..COPY_TRIES {
        let copied = Command::new("cp").args(["--archive", "/etc"]).arg(to).stderr(Stdio::null()).status();
        if copied.expect("`cp` is in every base system").success() {
            return;
        }
        fs::remove_dir_all(to).expect("the directory is ours");
    }
    panic!("`/etc` can not be copied: it changed {COPY_TRIES} times meanwhile");
}

/// Makes the home of one account, with `authorized_keys` for a server that looks for the file there.
fn make_home(dir: &Path, name: &str, public_key: &str, (uid, gid): (u32, u32)) -> PathBuf {
    let home = dir.join("home").join(name);
    let ssh = home.join(".ssh");
    let keys = ssh.join("authorized_keys");
    fs::create_dir_all(&ssh).expect("the directory is ours");
    fs::write(&keys, format!("{public_key}\n")).expect("the directory is ours");
    for (path, mode) in [(&keys, 0o600), (&ssh, 0o700), (&home, 0o755)] {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("the directory is ours");
        chown(path, Some(uid), Some(gid)).expect("root may give files away");
    }
    home
}

/// Whether this user may make mount namespaces.
pub(crate) fn is_possible() -> bool {
    let mut command = Command::new("unshare");
    command.args(["--mount", "true"]).stdin(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
