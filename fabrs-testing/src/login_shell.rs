//! Another login shell for the accounts of one server: account files that this server alone sees.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Account;

/// Covers the machine's account files with the copies in `$0`, then becomes the server.
const ENTER: &str = r#"mount --bind "$0/passwd" /etc/passwd && mount --bind "$0/shells" /etc/shells && exec "$@""#;

/// Copies of `/etc/passwd` and `/etc/shells` for a server that runs in a mount namespace of its own.
///
/// In the copies every account of the server has the given login shell and an empty home. The machine's own files, and all
/// other servers, stay as they are.
#[derive(Debug)]
pub(crate) struct LoginShell {
    copies: PathBuf,
}

impl LoginShell {
    /// Writes the copies and the homes below `dir`, and lets the key in at each home.
    ///
    /// # Panics
    ///
    /// If an account does not exist, or a file can not be written.
    pub(crate) fn write(dir: &Path, accounts: &[Account], shell: &Path, public_key: &str) -> Self {
        let copies = dir.join("accounts");
        fs::create_dir(&copies).expect("the directory is ours");
        let passwd = fs::read_to_string("/etc/passwd").expect("every Linux has /etc/passwd");
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
        let shells = fs::read_to_string("/etc/shells").unwrap_or_default();
        // dropbear refuses a login whose shell is not listed.
        let shells = format!("{}\n{}\n", shells.trim_end(), shell.display());
        for (name, text) in [("passwd", lines.join("\n") + "\n"), ("shells", shells)] {
            fs::write(copies.join(name), text).expect("the directory is ours");
        }
        Self { copies }
    }

    /// Returns a command that runs `program` where the copies cover the machine's files; its process number is the
    /// program's.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", ENTER]).arg(&self.copies).arg(program);
        command
    }
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
