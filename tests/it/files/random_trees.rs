//! Random trees: a round trip keeps the tree with every backend, and a sync with `delete` has the
//! result of `rsync`.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use fabrs::prelude::*;
use fabrs_testing::{Capability, Dropbear, Sshd};
use tempfile::TempDir;

use super::FileFixture;
use super::trees::fixture_with_programs;
use crate::support::{settings, within_limit};

/// Returns all entries below a directory, with their kind, mode, time and content.
pub(super) fn entries(root: &Path) -> Vec<(PathBuf, String)> {
    fn all(root: &Path, folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).expect("the entry is readable").flatten() {
            let path = entry.path();
            let meta = fs::symlink_metadata(&path).expect("the file exists");
            let what = if meta.is_symlink() {
                format!("-> {}", fs::read_link(&path).expect("the entry is a symlink").display())
            } else if meta.is_dir() {
                all(root, &path, found);
                format!("folder {:o}", meta.mode() & 0o777)
            } else {
                let content = fs::read(&path).expect("the entry is readable");
                format!("{:o} {} {}", meta.mode() & 0o777, meta.mtime(), String::from_utf8_lossy(&content))
            };
            found.push((path.strip_prefix(root).expect("the path has a parent").to_owned(), what));
        }
    }
    let mut found = Vec::new();
    all(root, root, &mut found);
    found.sort();
    found
}

/// A random number generator with a fixed seed.
struct Rng(u64);

impl Rng {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    /// Applies a random change to a tree.
    fn edit(&mut self, root: &Path) -> std::io::Result<()> {
        let names = ["a", "b", "c", "d e", "é"];
        let mut path = root.to_owned();
        for _ in 0..=self.below(3) {
            path.push(names[usize::try_from(self.below(5)).unwrap_or_default()]);
        }
        let _there_or_not = fs::create_dir_all(path.parent().unwrap_or(root));
        if !path.parent().is_some_and(|folder| folder.symlink_metadata().is_ok_and(|meta| meta.is_dir())) {
            return Ok(());
        }
        match (path.symlink_metadata(), self.below(6)) {
            (Ok(meta), 0..=2) if meta.is_dir() => fs::remove_dir_all(&path)?,
            (Ok(_), 0..=2) => fs::remove_file(&path)?,
            (Ok(meta), 3) if meta.is_file() => fs::set_permissions(&path, fs::Permissions::from_mode(0o640))?,
            (Ok(meta), _) if !meta.is_file() => {}
            (Err(_), 4) => symlink("somewhere", &path)?,
            (Err(_), 5) => fs::create_dir(&path)?,
            _ => {
                let length = usize::try_from(self.below(3000)).unwrap_or_default();
                fs::write(&path, vec![b'x'; length])?;
                let time = std::time::UNIX_EPOCH + secs(1_600_000_000 + self.below(1000));
                fs::File::open(&path)?.set_modified(time)?;
            }
        }
        Ok(())
    }
}

/// Returns a random valid file name. The name is valid UTF-8 if `is_utf8`.
fn name(rng: &mut Rng, is_utf8: bool) -> Vec<u8> {
    const ALL: &[&[u8]] = &[
        b"a",
        b"b",
        b" ",
        b"\n",
        b"\\",
        b"'",
        b"\"",
        b"$",
        b"*",
        b"-",
        b".",
        "\u{e9}".as_bytes(),
        b"\xff",
        b"\t",
        b"%",
        b"{x}",
    ];
    let last = if is_utf8 { ALL.len() - 2 } else { ALL.len() };
    let mut name = Vec::new();
    for _ in 0..=rng.below(6) {
        let part = ALL[usize::try_from(rng.below(last as u64)).unwrap_or_default()];
        name.extend_from_slice(if is_utf8 && part == b"\xff" { b"z" } else { part });
    }
    if name.iter().all(|byte| *byte == b'.') {
        name.push(b'x');
    }
    name
}

/// Makes a random tree.
fn make_random_tree(rng: &mut Rng, folder: &Path, depth: u64, is_utf8: bool) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    for _ in 0..rng.below(8) {
        let path = folder.join(OsStr::from_bytes(&name(rng, is_utf8)));
        if path.symlink_metadata().is_ok() {
            continue;
        }
        match rng.below(8) {
            0 | 1 if depth > 0 => make_random_tree(rng, &path, depth - 1, is_utf8)?,
            2 => symlink(OsStr::from_bytes(&name(rng, is_utf8)), &path)?,
            kind => {
                const SIZES: [u64; 6] = [1, 600, 5_000, 70_000, 300_000, 10 << 20];
                let most = SIZES[usize::try_from(kind % 6).unwrap_or_default()];
                // Only a few files are large.
                let size = if most > 1 << 20 && rng.below(4) > 0 { 0 } else { rng.below(most) };
                let seed = rng.below(251);
                let content: Vec<u8> = (0..size).map(|at| ((at * 7 + seed) % 251) as u8).collect();
                fs::write(&path, content)?;
                let mode = [0o600, 0o644, 0o755, 0o640, 0o444][usize::try_from(rng.below(5)).unwrap_or_default()];
                fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
            }
        }
    }
    Ok(())
}

/// Returns the entries of a tree without times, and without the modes of directories: the host
/// chooses the modes of new directories.
fn entries_without_times(root: &Path) -> Vec<(PathBuf, String)> {
    let without_time = |what: String| match what.split_once(' ') {
        Some(("folder", _)) => "folder".to_owned(),
        Some(("->", _)) | None => what,
        Some((mode, rest)) => format!("{mode} {}", rest.split_once(' ').map_or("", |(_, content)| content)),
    };
    entries(root).into_iter().map(|(path, what)| (path, without_time(what))).collect()
}

/// Uploads random trees to the directory `there` of the host, and downloads them again.
async fn assert_round_trip(host: &Connection, there: &str, is_utf8: bool) -> Result {
    let here = tempfile::tempdir()?;
    let mut rng = Rng(there.len() as u64 + 3);
    for round in 0..5 {
        let (tree, copy) = (here.path().join(format!("tree {round}")), here.path().join(format!("copy {round}")));
        make_random_tree(&mut rng, &tree, 3, is_utf8)?;
        let put = || host.put(&tree, format!("{there}/{round}")).preserve_mode();
        within_limit(put()).await?;
        within_limit(host.get(format!("{there}/{round}/"), copy.display().to_string())).await?;
        assert_eq!(entries_without_times(&copy), entries_without_times(&tree), "round {round}");
        assert!(!within_limit(put()).await?.any()?, "round {round}");
    }
    Ok(())
}

/// Makes a round-trip test for each kind of host.
macro_rules! round_trip_tests {
    ($($name:ident = $fixture:expr;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() -> Result {
                let fixture: FileFixture = $fixture;
                assert_round_trip(&fixture.host, &fixture.remote("t").display().to_string(), stringify!($name).contains("sftp")).await?;
                fixture.assert_no_leftovers();
                Ok(())
            }
        )*
    };
}

round_trip_tests! {
    random_trees_round_trip_by_stream = FileFixture::new();
    random_trees_round_trip_by_sftp = super::sftp::fixture();
    random_trees_round_trip_with_busybox = fixture_with_programs(&["tar", "sha256sum"], true);
    random_trees_round_trip_without_tar = fixture_with_programs(&["sha256sum"], false);
    random_trees_round_trip_without_perl = fixture_with_programs(&["tar", "sha256sum"], false);
    random_trees_round_trip_without_a_checksum = fixture_with_programs(&["tar", "perl"], false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_trees_round_trip_with_dropbear() -> Result {
    let Some(server) = Dropbear::start() else { return Ok(()) };
    let here = tempfile::tempdir()?;
    let config = here.path().join("ssh_config");
    fs::write(&config, server.ssh_config())?;
    let client =
        Client::builder().settings(settings(&config)).password(Secret::new(Sshd::account_password().to_owned()));
    let host = client.build().connect("host")?;
    assert_round_trip(&host, &server.scratch().join("t").display().to_string(), false).await?;
    host.client().expect("the connection has a client").close().await;
    Ok(())
}

/// Makes a directory for a chroot, with a subdirectory writable by all users.
pub(super) fn chroot_directory() -> std::io::Result<TempDir> {
    // sshd requires that root alone can write to all directories above a chroot.
    let root = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir_in("/run")?;
    fs::create_dir(root.path().join("open"))?;
    fs::set_permissions(root.path().join("open"), fs::Permissions::from_mode(0o777))?;
    Ok(root)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_trees_round_trip_in_a_chroot() -> Result {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    let root = chroot_directory()?;
    let server = Sshd::builder().option("ForceCommand", "internal-sftp");
    let fixture = FileFixture::of(server.option("ChrootDirectory", root.path().display().to_string()).start());
    assert_round_trip(&fixture.host, "/open/t", true).await?;
    fixture.host.client().expect("the connection has a client").close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_after_random_edits_makes_the_trees_equal() -> Result {
    let fixture = FileFixture::of(Sshd::start());
    let (tree, target) = (fixture.local.path().join("tree"), fixture.open_folder());
    fs::create_dir(&tree)?;
    fixture.file("tree/always", "x");
    let mut rng = Rng(7);
    for round in 0..25 {
        for _ in 0..12 {
            rng.edit(&tree)?;
        }
        within_limit(fixture.host.sync(&tree, target.display().to_string()).delete()).await?;
        assert_eq!(entries(&target), entries(&tree), "round {round}");
        let again = within_limit(fixture.host.sync(&tree, target.display().to_string()).delete()).await?;
        assert!(!again.any()?, "round {round}: {again:?}");
    }
    fixture.assert_no_leftovers();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleting_sync_has_the_result_of_rsync() -> Result {
    let fixture = FileFixture::new();
    let (tree, ours, theirs) =
        (fixture.local.path().join("tree"), fixture.open_folder(), fixture.local.path().join("theirs"));
    fs::create_dir_all(&tree)?;
    fs::create_dir(&theirs)?;
    fixture.file("tree/always", "x");
    let login =
        (fixture.host.probe("id -u").line().await?.parse()?, fixture.host.probe("id -g").line().await?.parse()?);
    let mut rng = Rng(11);
    for round in 0..20 {
        for _ in 0..10 {
            rng.edit(&tree)?;
        }
        // The same changes were made to both targets.
        let mut other = Rng(round);
        let mut same = Rng(round);
        for _ in 0..6 {
            other.edit(&ours)?;
            same.edit(&theirs)?;
        }
        change_owner(&ours, login)?;
        within_limit(fixture.host.sync(&tree, ours.display().to_string()).delete()).await?;
        let rsync = Command::new("rsync").args(["-a", "--delete"]).arg(tree.join("")).arg(theirs.join("")).status()?;
        assert!(rsync.success());
        assert_eq!(entries(&ours), entries(&theirs), "round {round}");
    }
    fixture.assert_no_leftovers();
    Ok(())
}

/// Gives all entries below a directory to the login, except symlinks and entries that the login
/// already owns.
fn change_owner(folder: &Path, login: (u32, u32)) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        let (path, meta) = (entry.path(), entry.metadata()?);
        if meta.is_dir() {
            change_owner(&path, login)?;
        }
        if meta.uid() != login.0 && !meta.is_symlink() {
            chown(&path, Some(login.0), Some(login.1))?;
        }
    }
    Ok(())
}
