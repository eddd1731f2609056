//! Projects writable by another user: rejected before any file is read, compiled or run.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, lchown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use fabrs_testing::Fab;
use tempfile::TempDir;

use crate::fixtures::fab;

/// A user and group id without an account.
const STRANGER: u32 = 54_321;

const PROD: &str = "[env.prod]\nhosts = ['@local']\n";

/// A world-writable directory like `/tmp`, with a subdirectory `mine`.
struct SharedFolder {
    _keep: TempDir,
    folder: PathBuf,
}

impl SharedFolder {
    fn new() -> Self {
        let keep = tempfile::tempdir().expect("a temporary folder");
        let folder = keep.path().canonicalize().expect("the folder exists").join("shared");
        fs::create_dir_all(folder.join("mine")).expect("the test owns the directory");
        let shared = Self { _keep: keep, folder };
        shared.set_mode("", 0o1777).set_mode("mine", 0o755);
        shared
    }

    fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() { self.folder.clone() } else { self.folder.join(name) }
    }

    /// Writes a file, writable only by this user.
    fn write(&self, name: &str, text: &str) -> &Self {
        fs::create_dir_all(self.path(name).parent().expect("the path has a parent"))
            .expect("the test owns the directory");
        fs::write(self.path(name), text).expect("the test owns the directory");
        self.set_mode(name, 0o644)
    }

    fn set_mode(&self, name: &str, mode: u32) -> &Self {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).expect("the test owns the file");
        self
    }

    /// Changes the owner of a file. Tests run as root.
    fn change_owner(&self, name: &str, uid: u32, gid: u32) -> &Self {
        lchown(self.path(name), Some(uid), Some(gid)).expect("root can change owners");
        self
    }

    /// Returns a run in a directory, without trust in temporary directories.
    fn fab(&self, folder: &str) -> Fab {
        fab().strict_trust().current_dir(self.path(folder))
    }

    /// Runs a local command in a rejected project. Returns the first line of the error.
    #[track_caller]
    fn refusal(&self, folder: &str) -> String {
        let ran = self.fab(folder).args(["prod", "--", "touch ran"]).code(2).stdout("").run();
        assert!(!self.path(folder).join("ran").exists(), "{}", ran.stderr);
        ran.stderr.lines().next().unwrap_or_default().replace(&self.folder.display().to_string(), "DIR")
    }

    /// Runs a local command in a trusted project.
    #[track_caller]
    fn assert_runs(&self, folder: &str) {
        self.fab(folder).args(["prod", "--", "echo ran"]).stdout("ran\n").stderr("").run();
    }
}

const OWNED_BY_STRANGER: &str = "belongs to another user (uid 54321)";

#[test]
fn a_parent_project_of_another_user_is_rejected() {
    let shared = SharedFolder::new();
    shared.write("tasks.rs", "").write("fabrs.toml", PROD).change_owner("tasks.rs", STRANGER, STRANGER);
    let path = shared.path("");
    for words in [&["--list"][..], &["prod", "--", "touch ran"], &["-H", "@local", "--", "touch ran"], &["up"]] {
        let ran = shared.fab("mine").args(words).code(2).stdout("").run();
        let list = ran.stderr.replace(&path.display().to_string(), "DIR");
        // The hint must not suggest to trust a world-writable directory.
        let expected = format!("error: `DIR/tasks.rs` {OWNED_BY_STRANGER}\nhint: work in a folder outside of `DIR`\n");
        assert_eq!(list, expected, "{words:?}");
        assert!(!path.join("mine/ran").exists());
    }
    // Also in the directory of the file, and for a file rejected only because of the directory.
    assert_eq!(shared.refusal(""), format!("error: `DIR/tasks.rs` {OWNED_BY_STRANGER}"));
    shared.change_owner("tasks.rs", 0, 0);
    assert_eq!(shared.refusal("mine"), "error: other users can write to `DIR` (mode 1777)");
}

#[test]
fn a_fabrs_toml_of_another_user_is_rejected() {
    let shared = SharedFolder::new();
    shared.write("mine/fabrs.toml", PROD);
    shared.assert_runs("mine");
    shared.change_owner("mine/fabrs.toml", STRANGER, STRANGER);
    assert_eq!(shared.refusal("mine"), format!("error: `DIR/mine/fabrs.toml` {OWNED_BY_STRANGER}"));
    shared.write("mine/tasks.rs", "");
    assert_eq!(shared.refusal("mine"), format!("error: `DIR/mine/fabrs.toml` {OWNED_BY_STRANGER}"));
    shared.write("fabrs.toml", PROD);
    assert_eq!(shared.refusal(""), "error: other users can write to `DIR` (mode 1777)");
    // Without a project file, the directory needs no trust.
    fs::remove_file(shared.path("fabrs.toml")).expect("the test owns the file");
    shared.fab("").args(["-H", "@local", "--", "echo ran"]).stdout("ran\n").run();
}

/// An ssh config can run programs: `ProxyCommand`.
#[test]
fn an_ssh_config_of_another_user_named_in_fabrs_toml_is_rejected() {
    let own = "[env.prod]\nhosts = [\"@local\"]\nssh_config = \"ssh/config\"\n";
    let of_host = "[env.prod]\nhosts = [\"@local\", \"web1\"]\nhost.web1.ssh_config = \"ssh/config\"\n";
    for text in [own, of_host] {
        let shared = SharedFolder::new();
        shared.write("mine/fabrs.toml", text).write("mine/ssh/config", "").change_owner(
            "mine/ssh/config",
            STRANGER,
            STRANGER,
        );
        assert_eq!(shared.refusal("mine"), format!("error: `DIR/mine/ssh/config` {OWNED_BY_STRANGER}"));
        shared.change_owner("mine/ssh/config", 0, 0).set_mode("mine/ssh", 0o757);
        assert_eq!(shared.refusal("mine"), "error: other users can write to `DIR/mine/ssh` (mode 0757)");
        shared.set_mode("mine/ssh", 0o755);
        if text == own {
            shared.assert_runs("mine");
        }
        // The file of the command line replaces the file of `fabrs.toml`.
        shared.change_owner("mine/ssh/config", STRANGER, STRANGER);
        let typed = shared.fab("mine").args(["-S", "/dev/null", "-x", "web1", "prod", "--", "echo ran"]);
        typed.stdout("ran\n").stderr_contains("").run();
    }
}

#[test]
fn a_path_writable_by_others_is_rejected() {
    for (name, mode, shown) in [
        ("mine/shop/fabrs.toml", 0o646, "DIR/mine/shop/fabrs.toml` (mode 0646)"),
        ("mine/shop", 0o757, "DIR/mine/shop` (mode 0757)"),
        ("mine/shop", 0o1777, "DIR/mine/shop` (mode 1777)"),
        ("mine", 0o757, "DIR/mine` (mode 0757)"),
        ("", 0o777, "DIR` (mode 0777)"),
    ] {
        let shared = SharedFolder::new();
        shared.write("mine/shop/fabrs.toml", PROD);
        shared.assert_runs("mine/shop");
        shared.set_mode(name, mode);
        assert_eq!(shared.refusal("mine/shop"), format!("error: other users can write to `{shown}"));
        let trusted = shared.fab("mine/shop").env("FABRS_TRUST", shared.path("mine/shop"));
        trusted.args(["prod", "--", "echo ran"]).stdout("ran\n").run();
    }
}

#[test]
fn a_parent_directory_of_another_user_is_rejected() {
    let shared = SharedFolder::new();
    shared.write("mine/shop/fabrs.toml", PROD).change_owner("mine", STRANGER, STRANGER);
    assert_eq!(shared.refusal("mine/shop"), format!("error: `DIR/mine` {OWNED_BY_STRANGER}"));
}

#[test]
fn group_write_access_requires_a_private_group() {
    let shared = SharedFolder::new();
    shared.write("mine/fabrs.toml", PROD).set_mode("mine/fabrs.toml", 0o664).set_mode("mine", 0o775);
    // The group of root has no other member.
    shared.assert_runs("mine");
    shared.change_owner("mine/fabrs.toml", 0, STRANGER);
    assert_eq!(shared.refusal("mine"), "error: other users can write to `DIR/mine/fabrs.toml` (mode 0664)");
    shared.change_owner("mine/fabrs.toml", 0, 0).change_owner("mine", 0, STRANGER);
    assert_eq!(shared.refusal("mine"), "error: other users can write to `DIR/mine` (mode 0775)");
}

#[test]
fn files_of_the_user_behind_sudo_are_trusted() {
    let shared = SharedFolder::new();
    shared
        .write("mine/fabrs.toml", PROD)
        .change_owner("mine/fabrs.toml", STRANGER, STRANGER)
        .change_owner("mine", STRANGER, STRANGER);
    let run = |uid: &str| shared.fab("mine").env("SUDO_UID", uid).args(["prod", "--", "echo ran"]);
    run("54321").stdout("ran\n").run();
    run("54322").code(2).stdout("").run();
}

#[test]
fn a_symlink_needs_a_trusted_directory_and_target() {
    let shared = SharedFolder::new();
    shared.write("mine/real/fabrs.toml", PROD).write("eve/fabrs.toml", PROD);
    symlink("../mine/real/fabrs.toml", shared.path("eve/link")).expect("the test owns the directory");
    let link = |target: &str| {
        fs::remove_file(shared.path("mine/fabrs.toml")).ok();
        symlink(target, shared.path("mine/fabrs.toml")).expect("the test owns the directory");
    };
    link("real/fabrs.toml");
    shared.assert_runs("mine");
    shared.change_owner("mine/fabrs.toml", STRANGER, STRANGER);
    assert_eq!(shared.refusal("mine"), format!("error: `DIR/mine/fabrs.toml` {OWNED_BY_STRANGER}"));
    link("../eve/link");
    shared.assert_runs("mine");
    shared.change_owner("eve", STRANGER, STRANGER);
    assert_eq!(shared.refusal("mine"), format!("error: `DIR/eve` {OWNED_BY_STRANGER}"));
    link("gone");
    assert_eq!(shared.refusal("mine"), "error: could not check the owner of `DIR/mine/fabrs.toml`");
    // A link to a tasks.rs, in a world-writable directory.
    shared.write("mine/real/tasks.rs", "");
    symlink("mine/real/tasks.rs", shared.path("tasks.rs")).expect("the test owns the directory");
    shared.assert_runs("");
    shared.change_owner("tasks.rs", STRANGER, STRANGER);
    assert_eq!(shared.refusal(""), format!("error: `DIR/tasks.rs` {OWNED_BY_STRANGER}"));
}

#[test]
fn the_hint_of_a_rejection_trusts_the_project() {
    let shared = SharedFolder::new();
    shared.write("my shop/fabrs.toml", PROD).change_owner("my shop/fabrs.toml", STRANGER, STRANGER);
    let hint = |run: Fab| {
        let ran = run.args(["prod", "--", "echo ran"]).code(2).run();
        let hint = ran.stderr.split("hint: to trust the folder: `").nth(1).expect("the error has a hint");
        hint.trim_end().trim_end_matches('`').to_owned()
    };
    let pasted = |hint: &str, before: Option<&str>| {
        let run = Fab::new("/bin/sh").current_dir(shared.path("my shop"));
        let run = run.args(["-c", &format!("{hint}; exec \"$FAB\" prod -- echo ran")]).env("FAB", crate::fixtures::FAB);
        let run = match before {
            Some(list) => run.env("FABRS_TRUST", list),
            None => run.env_remove("FABRS_TRUST"),
        };
        run.stdout("ran\n").run();
    };
    let plain = hint(shared.fab("my shop").env_remove("FABRS_TRUST"));
    assert_eq!(plain, format!("export FABRS_TRUST='{}'", shared.path("my shop").display()));
    pasted(&plain, None);
    let added = hint(shared.fab("my shop").env("FABRS_TRUST", "/some where:."));
    assert_eq!(added, format!("export FABRS_TRUST=\"$FABRS_TRUST\":'{}'", shared.path("my shop").display()));
    pasted(&added, Some("/some where"));
}

/// Creates the kind of file named by the cause of a rejection.
fn make_file(cause: &str, path: &Path) {
    let run = |program: &str, arguments: &[&str]| {
        let made = Command::new(program).args(["-m", "644"]).arg(path).args(arguments).status();
        assert!(made.is_ok_and(|status| status.success()), "root can make every kind of file");
    };
    match cause {
        "a FIFO, not a regular file" => run("mkfifo", &[]),
        "a device, not a regular file" => run("mknod", &["c", "1", "5"]),
        "a directory, not a regular file" => fs::create_dir(path).expect("the test owns the directory"),
        "a socket, not a regular file" => {
            UnixListener::bind(path).expect("the test owns the directory");
            fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("the test owns the file");
        }
        "larger than 4 MiB" => {
            File::create(path).and_then(|file| file.set_len((4 << 20) + 1)).expect("the test owns the directory");
        }
        _ => panic!("unknown cause: {cause}"),
    }
}

#[test]
fn only_regular_files_of_limited_size_are_opened() {
    let kinds = ["a FIFO", "a device", "a directory", "a socket"].map(|kind| format!("{kind}, not a regular file"));
    for cause in kinds.into_iter().chain(["larger than 4 MiB".to_owned()]) {
        for name in ["tasks.rs", "fabrs.toml"] {
            let shared = SharedFolder::new();
            make_file(&cause, &shared.path("mine").join(name));
            for words in [&["up"][..], &["prod", "--", "true"]] {
                let run = shared.fab("mine").args(words).code(2).stdout("");
                run.stderr_contains(format!("caused by: {cause}\n")).run();
            }
        }
    }
}

/// Returns a run with a script in place of Vagrant. The script creates the file `ran` in the
/// current directory.
fn with_fake_vagrant(shared: &SharedFolder, folder: &str) -> Fab {
    shared.write("mine/bin/vagrant", "#!/bin/sh\ntouch ran\nexit 9\n").set_mode("mine/bin/vagrant", 0o755);
    let path = format!("{}:/usr/bin:/bin", shared.path("mine/bin").display());
    shared.fab(folder).env("PATH", path).args(["vagrant", "--", "echo x"])
}

const VAGRANT: &str = "[env.vagrant]\nvagrant = true\n";

#[test]
fn a_parent_vagrantfile_of_another_user_never_runs() {
    let shared = SharedFolder::new();
    shared.write("mine/fabrs.toml", VAGRANT).write("Vagrantfile", "").change_owner("Vagrantfile", STRANGER, STRANGER);
    let run = || with_fake_vagrant(&shared, "mine");
    let error = format!("error: `{}` {OWNED_BY_STRANGER}\n", shared.path("Vagrantfile").display());
    run().code(2).stderr_contains(error).run();
    assert!(!shared.path("ran").exists() && !shared.path("mine/ran").exists());

    // Others can't write to the file, but can create files next to it.
    shared.change_owner("Vagrantfile", 0, 0);
    let error = format!("error: other users can write to `{}` (mode 1777)\n", shared.path("").display());
    run().code(2).stderr_contains(error).run();
    assert!(!shared.path("ran").exists() && !shared.path("mine/ran").exists());

    // Only the nearest file is checked, because Vagrant uses the nearest file.
    shared.write("mine/Vagrantfile", "");
    run().code(1).stderr_contains("`vagrant ssh-config` in").run();
    assert!(shared.path("mine/ran").exists());
}

#[test]
fn a_vagrantfile_of_another_user_never_runs_without_fabrs_toml() {
    let shared = SharedFolder::new();
    shared.write("mine/Vagrantfile", "").change_owner("mine/Vagrantfile", STRANGER, STRANGER);
    let error = format!("error: `{}` {OWNED_BY_STRANGER}\n", shared.path("mine/Vagrantfile").display());
    with_fake_vagrant(&shared, "mine").code(2).stdout("").stderr_contains(error).run();
    assert!(!shared.path("mine/ran").exists());
    shared.change_owner("mine/Vagrantfile", 0, 0);
    with_fake_vagrant(&shared, "mine").code(1).stderr_contains("`vagrant ssh-config` in").run();
    assert!(shared.path("mine/ran").exists());
}

#[test]
fn vagrant_variables_select_the_checked_vagrantfile() {
    let shared = SharedFolder::new();
    shared.write("mine/fabrs.toml", VAGRANT).write("mine/Vagrantfile", "").write("eve/Vagrantfile", "");
    shared.write("mine/machines/Vagrantfile.ci", "").change_owner("eve/Vagrantfile", STRANGER, STRANGER);
    let error = format!("error: `{}` {OWNED_BY_STRANGER}\n", shared.path("eve/Vagrantfile").display());
    with_fake_vagrant(&shared, "mine").env("VAGRANT_CWD", "../eve").code(2).stderr_contains(&error).run();
    let named = shared.path("eve/Vagrantfile");
    with_fake_vagrant(&shared, "mine").env("VAGRANT_VAGRANTFILE", named).code(2).stderr_contains(&error).run();
    let run =
        with_fake_vagrant(&shared, "mine").env("VAGRANT_CWD", "machines").env("VAGRANT_VAGRANTFILE", "Vagrantfile.ci");
    run.code(1).run();
    assert!(shared.path("mine/machines/ran").exists() && !shared.path("mine/ran").exists());
}

#[test]
fn a_vagrantfile_must_be_a_regular_file() {
    let shared = SharedFolder::new();
    shared.write("mine/fabrs.toml", VAGRANT).write("mine/Vagrantfile/x", "");
    let run = with_fake_vagrant(&shared, "mine");
    run.code(2).stderr_contains("caused by: a directory, not a regular file\n").run();
    assert!(!shared.path("mine/ran").exists());
}

#[test]
fn the_cache_is_private_under_every_umask() {
    let shared = SharedFolder::new();
    shared.write("mine/tasks.rs", "").write("mine/bin/cargo", "#!/bin/sh\nexit 1\n").set_mode("mine/bin/cargo", 0o755);
    let run = |umask: &str| {
        let run = Fab::new("/bin/sh").strict_trust().current_dir(shared.path("mine")).cache(&shared.path("mine/cache"));
        let path = format!("{}:/usr/bin:/bin", shared.path("mine/bin").display());
        let script = format!("umask {umask}; exec \"$FAB\" --list");
        run.args(["-c", &script]).env("FAB", crate::fixtures::FAB).env("PATH", path).any_code().run()
    };
    let modes = || {
        let fabrs = shared.path("mine/cache/fabrs");
        let caches = fs::read_dir(fabrs.join("projects")).expect("the cache exists").flatten();
        let cache = caches.map(|cache| cache.path()).next().expect("the project has a cache folder");
        let folders = [
            fabrs.clone(),
            fabrs.join("target"),
            fabrs.join("projects"),
            cache.clone(),
            cache.join("src"),
            cache.join("bin"),
        ];
        folders.map(|folder| (fs::metadata(&folder).expect("the folder exists").permissions().mode() & 0o7777, folder))
    };
    for umask in ["000", "022", "177"] {
        let ran = run(umask);
        for (mode, folder) in modes() {
            assert_eq!(mode, 0o700, "umask {umask}: {}: {}", folder.display(), ran.stderr);
        }
        for (_, folder) in modes() {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("the test owns the file");
        }
        run(umask);
        assert!(modes().iter().all(|(mode, _)| *mode == 0o700), "{:?}", modes());
        fs::remove_dir_all(shared.path("mine/cache")).expect("the test owns the file");
    }
    run("022");
    for (_, folder) in modes() {
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("the test owns the file");
        let refused = format!("error: the cache folder `{}` is not private\n", folder.display());
        let ran = run("022");
        assert!(ran.stderr.contains(&refused), "{}", ran.stderr);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).expect("the test owns the file");
    }
}
