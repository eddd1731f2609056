//! Cache of disk images: a base with Debian, and layers with more packages.
//!
//! An image is a directory tree, and the lower part of an overlay file system. A finished image
//! never changes. Its name has a hash of its recipe, so a new recipe results in a new image.

use std::env;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::apt_source::{self, RELEASE};
use super::command::{command, run};

/// The environment variable with the directory of the cache.
pub(super) const CACHE_VARIABLE: &str = "FABRS_MACHINES";

/// The packages of the base.
const BASE_PACKAGES: &str = "systemd,systemd-sysv,dbus,openssh-server,sudo,python3-minimal,cron,iproute2,procps,\
                             rsync,libpam-systemd,ca-certificates";

/// Makes the base in the directory `$1` from the mirror `$2`, with the packages `$3` and the
/// release `$4`.
///
/// Timers and console logins are masked: a timer would fire in the middle of a test. Files with an
/// identity, like host keys, are removed.
const BASE_SCRIPT: &str = r#"set -e
debootstrap --variant=minbase --include="$3" "$4" "$1" "$2"
for unit in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer dpkg-db-backup.timer \
    console-getty.service getty@.service; do
    ln -sf /dev/null "$1/etc/systemd/system/$unit"
done
chroot "$1" useradd --create-home --shell /bin/bash deploy
echo 'deploy ALL=(ALL:ALL) NOPASSWD: ALL' > "$1/etc/sudoers.d/deploy"
chmod 0440 "$1/etc/sudoers.d/deploy"
: > "$1/etc/machine-id"
rm -rf "$1"/etc/ssh/ssh_host_* "$1/etc/resolv.conf" "$1"/var/cache/apt/archives/*.deb "$1"/var/lib/apt/lists/*
"#;

/// Installs packages into an overlay. `$1` are the mount options, `$2` is an empty directory, and
/// the other arguments are packages.
///
/// The packages start no server during the installation (`policy-rc.d`). `postgresql` needs
/// `/dev/shm` to create its cluster.
const LAYER_SCRIPT: &str = r#"set -e
options=$1 root=$2
shift 2
mount -t overlay overlay -o "$options" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/dev/shm"
cp /etc/resolv.conf "$root/etc/resolv.conf"
printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
chmod 0755 "$root/usr/sbin/policy-rc.d"
chroot "$root" apt-get -qq update
chroot "$root" apt-get -qq -y --no-install-recommends install "$@"
rm -rf "$root/usr/sbin/policy-rc.d" "$root/etc/resolv.conf" "$root"/var/cache/apt/archives/*.deb \
    "$root"/var/lib/apt/lists/*
"#;

/// The directory with all images.
#[derive(Debug)]
pub(super) struct ImageCache {
    dir: PathBuf,
}

impl ImageCache {
    /// Opens the cache in the directory of [`CACHE_VARIABLE`], or in `target/machines`.
    ///
    /// # Panics
    ///
    /// If the directory cannot be created.
    #[track_caller]
    pub(super) fn open() -> Self {
        let default = || Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target").join("machines");
        let dir = env::var_os(CACHE_VARIABLE).filter(|dir| !dir.is_empty()).map_or_else(default, PathBuf::from);
        let create = || -> io::Result<Self> {
            fs::create_dir_all(&dir)?;
            // An image has setuid programs, so other users get no access.
            fs::set_permissions(&dir, Permissions::from_mode(0o700))?;
            Ok(Self { dir: dir.canonicalize()? })
        };
        create().unwrap_or_else(|error| panic!("`{}` cannot be created: {error}", dir.display()))
    }

    /// Returns the base, and makes it if it is missing.
    ///
    /// # Panics
    ///
    /// If the base cannot be made.
    #[track_caller]
    pub(super) fn base(&self) -> PathBuf {
        let name = image_name(RELEASE, &[BASE_SCRIPT, BASE_PACKAGES]);
        self.image(&name, |partial, shell| {
            let root = partial.join("root");
            let mirror = apt_source::mirror();
            run(shell.args(["-c", BASE_SCRIPT, "sh"]).arg(&root).args([&mirror, BASE_PACKAGES, RELEASE]));
            root
        })
    }

    /// Returns the layer with a name and packages above the base, and makes it if it is missing.
    ///
    /// # Panics
    ///
    /// If a package cannot be installed.
    #[track_caller]
    pub(super) fn layer(&self, name: &str, packages: &[String]) -> PathBuf {
        let base = self.base();
        let base_name = base.file_name().and_then(|name| name.to_str()).expect("the name of an image is text");
        let mut recipe = vec![LAYER_SCRIPT, base_name];
        recipe.extend(packages.iter().map(String::as_str));
        self.image(&image_name(name, &recipe), |partial, shell| {
            let [root, upper, work] = ["root", "upper", "work"].map(|name| partial.join(name));
            for dir in [&root, &upper, &work] {
                fs::create_dir(dir).expect("a writable directory");
            }
            let options = overlay_options(&[&base], &upper, &work);
            run(shell.args(["-c", LAYER_SCRIPT, "sh", &options]).arg(&root).args(packages));
            upper
        })
    }

    /// Returns an image. If the image is missing, calls `make` with an empty directory and a shell.
    /// `make` returns the finished tree below the directory.
    #[track_caller]
    fn image(&self, name: &str, make: impl FnOnce(&Path, &mut Command) -> PathBuf) -> PathBuf {
        let image = self.dir.join(name);
        if image.exists() {
            return image;
        }
        // Parallel test processes wait here until the first process has made the image.
        let lock = File::options().create(true).append(true).open(self.dir.join("lock"));
        let lock = lock.expect("a writable directory");
        lock.lock().expect("the file can be locked");
        if image.exists() {
            return image;
        }
        let _ = writeln!(io::stderr(), "making the disk image `{}`, once", image.display());
        let partial = self.dir.join("partial");
        // Left behind by a killed test. Its shell has ended, because the shell's stdin is the lock.
        let _ = fs::remove_dir_all(&partial);
        fs::create_dir(&partial).expect("a writable directory");
        let held = lock.try_clone().expect("an open file");
        let finished = make(&partial, isolated_shell().stdin(held));
        fs::rename(finished, &image).expect("a rename within one directory");
        fs::remove_dir_all(&partial).expect("a writable directory");
        drop(lock);
        image
    }
}

/// Returns the mount options of an overlay. The first lower directory is the topmost.
pub(super) fn overlay_options(lower: &[&Path], upper: &Path, work: &Path) -> String {
    let lower: Vec<String> = lower.iter().map(|dir| dir.display().to_string()).collect();
    format!("lowerdir={},upperdir={},workdir={}", lower.join(":"), upper.display(), work.display())
}

/// Returns a shell in its own mount and process namespace. Its mounts and processes end with the
/// shell.
fn isolated_shell() -> Command {
    let mut shell = command("unshare");
    shell.args(["--mount", "--pid", "--fork", "--kill-child", "sh"]).env("DEBIAN_FRONTEND", "noninteractive");
    shell
}

fn image_name(name: &str, recipe: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in recipe {
        hash.update(part.as_bytes());
        // Separates the parts: `ab`, `c` and `a`, `bc` have different hashes.
        hash.update([0]);
    }
    format!("{name}-{}", HEXLOWER.encode(&hash.finalize()[..6]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_recipe_has_another_image() {
        let [first, second] = [["ab", "c"], ["a", "bc"]].map(|recipe| image_name("db", &recipe));
        assert!(first.starts_with("db-") && first != second, "{first} {second}");
        assert_eq!(first, image_name("db", &["ab", "c"]));
    }

    #[test]
    fn the_topmost_layer_is_the_first_lower_directory() {
        let options = overlay_options(&[Path::new("/db"), Path::new("/base")], Path::new("/up"), Path::new("/work"));
        assert_eq!(options, "lowerdir=/db:/base,upperdir=/up,workdir=/work");
    }
}
