//! Disk of a machine: an overlay above the cached images.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use super::cache::overlay_options;
use super::command::{command, run, succeeds};
use crate::keys::{Key, KeyType};

/// A mounted disk. Keeps its content while the machine is off. Unmounted on drop.
#[derive(Debug)]
pub(super) struct MachineDisk {
    root: PathBuf,
}

/// The identity of a machine on its disk.
#[derive(Debug)]
pub(super) struct MachineIdentity<'a> {
    pub(super) name: &'a str,
    /// The content of `/etc/hosts`.
    pub(super) hosts: &'a str,
    /// The accounts with a login by key, besides root.
    pub(super) users: &'a [String],
    /// The line of `authorized_keys`.
    pub(super) public_key: &'a str,
}

impl MachineDisk {
    /// Mounts a new disk below `dir` above the images. The first image is the topmost.
    ///
    /// # Panics
    ///
    /// If the overlay cannot be mounted, for example if `dir` is on an overlay itself.
    #[track_caller]
    pub(super) fn mount(dir: &Path, images: &[&Path]) -> Self {
        let [root, upper, work] = ["root", "upper", "work"].map(|name| dir.join(name));
        for dir in [&root, &upper, &work] {
            fs::create_dir_all(dir).expect("a writable directory");
        }
        let options = overlay_options(images, &upper, &work);
        run(command("mount").args(["-t", "overlay", "overlay", "-o", &options]).arg(&root));
        Self { root }
    }

    /// Returns the root directory of the machine.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Writes the identity of the machine. Returns its public host key.
    ///
    /// # Panics
    ///
    /// If a user name is invalid.
    #[track_caller]
    pub(super) fn personalise(&self, identity: &MachineIdentity<'_>) -> String {
        let etc = self.root.join("etc");
        fs::write(etc.join("hostname"), format!("{}\n", identity.name)).expect("root can write");
        fs::write(etc.join("hosts"), identity.hosts).expect("root can write");
        let host_key = Key::generate(etc.join("ssh/ssh_host_ed25519_key"), KeyType::Ed25519, "");
        for user in identity.users {
            self.create_user(user);
        }
        let passwd = fs::read_to_string(etc.join("passwd")).expect("/etc/passwd is readable");
        let names = ["root", "deploy"].into_iter().chain(identity.users.iter().map(String::as_str));
        for name in names {
            let fields: Vec<&str> = passwd
                .lines()
                .map(|line| line.split(':').collect())
                .find(|fields: &Vec<&str>| fields[0] == name)
                .expect("the account exists");
            let id = |field: usize| fields[field].parse::<u32>().expect("a user or group number");
            self.authorize(Path::new(fields[5]), (id(2), id(3)), identity.public_key);
        }
        host_key.public()
    }

    fn create_user(&self, name: &str) {
        let mut useradd = command("chroot");
        run(useradd.arg(&self.root).args(["useradd", "--create-home", "--shell", "/bin/bash", name]));
    }

    /// Writes `authorized_keys` in a home.
    fn authorize(&self, home: &Path, (uid, gid): (u32, u32), public_key: &str) {
        let ssh = self.root.join(home.strip_prefix("/").expect("the path of a home is absolute")).join(".ssh");
        let keys = ssh.join("authorized_keys");
        fs::create_dir_all(&ssh).expect("root can write");
        fs::write(&keys, format!("{public_key}\n")).expect("root can write");
        for (path, mode) in [(&ssh, 0o700), (&keys, 0o600)] {
            fs::set_permissions(path, Permissions::from_mode(mode)).expect("root can change modes");
            chown(path, Some(uid), Some(gid)).expect("root can change owners");
        }
    }
}

impl Drop for MachineDisk {
    fn drop(&mut self) {
        unmount(&self.root);
    }
}

/// Unmounts a disk. The lazy fallback unmounts a disk with open files.
pub(super) fn unmount(root: &Path) {
    if !succeeds(command("umount").arg(root)) {
        succeeds(command("umount").arg("--lazy").arg(root));
    }
}
