//! Directory trees, on hosts with different sets of programs.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use fabrs::prelude::*;
use fabrs_testing::{Account, Sshd};

use super::{FileFixture, text, walk};
use crate::support::{error_text, expect_error, within_limit};

/// The programs of every host.
const REQUIRED_PROGRAMS: [&str; 24] = [
    "sh", "awk", "cat", "chmod", "chown", "cmp", "cut", "false", "find", "head", "id", "ln", "ls", "mkdir", "mktemp",
    "mv", "readlink", "rm", "sleep", "stat", "tr", "true", "wc", "xargs",
];
/// Optional programs for faster tree transfers.
const FAST_PROGRAMS: [&str; 3] = ["tar", "sha256sum", "perl"];

/// Returns a host with these programs only. The programs are those of busybox if `is_small`.
pub(super) fn fixture_with_programs(programs: &[&str], is_small: bool) -> FileFixture {
    let place = tempfile::tempdir().expect("a temporary directory").keep();
    fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).expect("the directory is ours");
    for program in REQUIRED_PROGRAMS.iter().chain(programs) {
        let found = if is_small { "/usr/bin/busybox".into() } else { which(program) };
        symlink(found, place.join(program)).expect("the directory is ours");
    }
    FileFixture {
        programs: Some(place.clone()),
        ..FileFixture::of(Sshd::builder().option("SetEnv", format!("PATH={}", place.display())).start())
    }
}

/// Returns a host with a defective checksum program.
fn fixture_with_defective_checksum() -> FileFixture {
    let fixture = fixture_with_programs(&["tar", "perl", "dd", "grep"], false);
    let place = fixture.programs.clone().expect("the fixture has a program directory");
    let script = "#!/bin/sh\n[ \"$1\" != -c ] || exit 1\ncat >/dev/null\nprintf '%064d  -\\n' 7\n";
    fs::write(place.join("sha256sum"), script).expect("the directory is ours");
    fs::set_permissions(place.join("sha256sum"), fs::Permissions::from_mode(0o755)).expect("the directory is ours");
    fixture
}

pub(super) fn which(program: &str) -> PathBuf {
    let places = ["/usr/bin", "/bin", "/usr/local/bin"];
    let found = places.iter().map(|place| Path::new(place).join(program)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("`{program}` is not here"))
}

/// Makes a test of each promise on each kind of host.
macro_rules! host_tests {
    ({ $($host:ident = $fixture:expr;)* } $promises:tt) => {
        $(host_tests!(one $host, $fixture, $promises);)*
    };
    (one $host:ident, $fixture:expr, [$($promise:ident)*]) => {
        mod $host {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() -> fabrs::prelude::Result {
                    super::$promise($fixture).await
                }
            )*
        }
    };
}

host_tests! {
    {
        with_tar = super::super::FileFixture::new();
        with_sftp = super::super::sftp::fixture();
        with_busybox = super::fixture_with_programs(&["tar", "sha256sum"], true);
        without_tar = super::fixture_with_programs(&["sha256sum"], false);
        without_perl = super::fixture_with_programs(&["tar", "sha256sum"], false);
        without_a_checksum = super::fixture_with_programs(&["tar", "perl"], false);
        with_few_programs = super::fixture_with_programs(&super::FAST_PROGRAMS, false);
    }
    [
        a_tree_is_uploaded_completely_and_only_once
        only_differing_entries_are_written
        an_upload_follows_remote_symlinks
        a_blocking_entry_is_named_and_no_file_is_put
        an_unreadable_local_file_fails_the_upload_of_its_tree
        a_tree_is_downloaded_completely_and_only_once
        a_failed_download_keeps_the_local_files
    ]
}

/// Writes a tree with every kind of entry.
fn odd_tree(fixture: &FileFixture) -> PathBuf {
    for name in ["a", "b c", "quo'te", "dollar$x", "-rf", "*", "deep/er/x", ".hidden/.x", "line\nend", "back\\slash"] {
        fixture.file(&format!("tree/{name}"), name);
    }
    let tree = fixture.local.path().join("tree");
    fs::write(tree.join("empty"), "").expect("the directory is ours");
    fs::create_dir_all(tree.join("none/in/it")).expect("the directory is ours");
    for (link, to) in [("to a", "a"), ("up", ".."), ("nowhere", "no/where"), ("deep/abs", "/etc"), ("odd", "./a//b")] {
        symlink(to, tree.join(link)).expect("the directory is ours");
    }
    tree
}

/// Returns all entries below a directory, with their kind and content.
fn entries(root: &Path) -> Vec<(PathBuf, String)> {
    fn all(root: &Path, folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).expect("the entry is readable").flatten() {
            let (path, kind) = (entry.path(), entry.file_type().expect("the file exists"));
            let what = if kind.is_symlink() {
                format!("-> {}", fs::read_link(&path).expect("the entry is a symlink").display())
            } else if kind.is_dir() {
                all(root, &path, found);
                "folder".to_owned()
            } else {
                String::from_utf8_lossy(&fs::read(&path).expect("the entry is readable")).into_owned()
            };
            found.push((path.strip_prefix(root).expect("the path has a parent").to_owned(), what));
        }
    }
    let mut found = Vec::new();
    all(root, root, &mut found);
    found.sort();
    found
}

async fn a_tree_is_uploaded_completely_and_only_once(fixture: FileFixture) -> Result {
    let (tree, target) = (odd_tree(&fixture), fixture.remote("tree"));
    let changes = within_limit(fixture.host.put(&tree, target.display().to_string())).await?;
    assert_eq!(entries(&target), entries(&tree));
    // The count covers files, symlinks and the empty directory.
    assert_eq!(changes.changed()?.len(), 17, "{changes:?}");
    let again = within_limit(fixture.host.put(&tree, target.display().to_string())).await?;
    assert_eq!((again.changed()?, again.files()?.len()), (vec![], 16));
    fixture.assert_no_leftovers();
    Ok(())
}

async fn only_differing_entries_are_written(fixture: FileFixture) -> Result {
    let target = fixture.remote("tree");
    for n in 0..40 {
        fixture.file(&format!("tree/{}/{n}", n % 4), "old");
    }
    let tree = fixture.local.path().join("tree");
    let put = || fixture.host.put(&tree, target.display().to_string());
    within_limit(put()).await?;
    fs::set_permissions(target.join("1/1"), fs::Permissions::from_mode(0o600))?;
    let untouched = fs::metadata(target.join("0/0"))?.ino();
    fixture.file("tree/1/1", "new");
    fixture.file("tree/2/2", "longer");
    symlink("1", tree.join("link"))?;
    let changes = within_limit(put()).await?;
    let expected = ["1/1", "2/2", "link"].map(|name| target.join(name).display().to_string());
    let mut written = changes.changed()?;
    written.sort_unstable();
    assert_eq!((written, changes.files()?.len()), (expected.iter().map(String::as_str).collect(), 41));
    assert_eq!(entries(&target), entries(&tree));
    assert_eq!(super::mode(&target.join("1/1")), 0o600, "a replaced file keeps its mode");
    assert_eq!(fs::metadata(target.join("0/0"))?.ino(), untouched);

    let changes = within_limit(put().mode(0o640)).await?;
    assert_eq!(changes.changed()?.len(), 40, "a mode is a change");
    assert!(walk(&target).iter().filter(|path| !path.is_symlink()).all(|path| super::mode(path) == 0o640));
    assert!(!within_limit(put().mode(0o640)).await?.any()?);
    fs::remove_file(tree.join("link"))?;
    symlink("2", tree.join("link"))?;
    assert_eq!(within_limit(put()).await?.changed()?, [target.join("link").display().to_string()]);
    assert_eq!(fs::read_link(target.join("link"))?, Path::new("2"));
    fixture.assert_no_leftovers();
    Ok(())
}

async fn an_upload_follows_remote_symlinks(fixture: FileFixture) -> Result {
    let target = fixture.open_folder().join("tree");
    for folder in ["real/folder", "tree"] {
        fs::create_dir_all(target.with_file_name(folder))?;
        fs::set_permissions(target.with_file_name(folder), fs::Permissions::from_mode(0o777))?;
    }
    fs::set_permissions(target.with_file_name("real"), fs::Permissions::from_mode(0o777))?;
    fs::write(target.with_file_name("real").join("file"), "old")?;
    fs::set_permissions(target.with_file_name("real").join("file"), fs::Permissions::from_mode(0o666))?;
    symlink("../real/folder", target.join("folder"))?;
    symlink("../real/file", target.join("file"))?;
    for name in ["folder/in/x", "file", "plain"] {
        fixture.file(&format!("tree/{name}"), "new");
    }
    let changes =
        within_limit(fixture.host.put(fixture.local.path().join("tree"), target.display().to_string())).await?;
    assert_eq!(changes.changed()?.len(), 3);
    assert!(target.join("folder").is_symlink() && target.join("file").is_symlink());
    for name in ["real/folder/in/x", "real/file", "tree/plain"] {
        assert_eq!(text(target.with_file_name(name)), "new", "{name}");
    }
    fixture.assert_no_leftovers();
    Ok(())
}

async fn a_blocking_entry_is_named_and_no_file_is_put(fixture: FileFixture) -> Result {
    let target = fixture.open_folder();
    fixture.file("tree/a", "a");
    fixture.file("tree/x", "x");
    fs::create_dir_all(target.join("x"))?;
    let tree = fixture.local.path().join("tree");
    let error =
        expect_error(within_limit(fixture.host.put(&tree, target.display().to_string())).await, ErrorKind::File);
    assert!(
        error_text(&error).contains(&format!("{} is a directory", target.join("x").display())),
        "{}",
        error_text(&error)
    );
    fs::remove_dir(target.join("x"))?;
    fs::write(target.join("in"), "the way")?;
    fixture.file("tree/in/x", "x");
    let error =
        expect_error(within_limit(fixture.host.put(&tree, target.display().to_string())).await, ErrorKind::File);
    assert_eq!(text(target.join("in")), "the way", "{error:?}");
    assert!(!target.join("a").exists(), "{}", error_text(&error));
    fixture.assert_no_leftovers();
    Ok(())
}

async fn an_unreadable_local_file_fails_the_upload_of_its_tree(fixture: FileFixture) -> Result {
    let target = fixture.remote("tree");
    fixture.file("tree/a", "a");
    // Even root cannot read this file.
    let tree = fixture.local.path().join("tree");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        tree.join("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )?;
    let error =
        expect_error(within_limit(fixture.host.put(&tree, target.display().to_string())).await, ErrorKind::Local);
    assert!(error_text(&error).contains("fifo") && !target.exists(), "{}", error_text(&error));
    Ok(())
}

async fn a_tree_is_downloaded_completely_and_only_once(fixture: FileFixture) -> Result {
    let (tree, target) = (odd_tree(&fixture), fixture.remote("tree"));
    within_limit(fixture.host.put(&tree, target.display().to_string())).await?;
    let copy = fixture.local.path().join("copy/tree");
    let get = || fixture.host.get(target.display().to_string(), format!("{}/copy/", fixture.local.path().display()));
    assert_eq!(within_limit(get()).await?.changed()?.len(), 17);
    assert_eq!(entries(&copy), entries(&tree));
    assert!(!within_limit(get()).await?.any()?);
    fs::write(copy.join("a"), "A")?;
    fs::write(copy.join("deep/er/x"), "another size")?;
    fs::remove_file(copy.join("up"))?;
    symlink("elsewhere", copy.join("up"))?;
    let expected = ["a", "deep/er/x", "up"].map(|name| copy.join(name).display().to_string());
    let changes = within_limit(get()).await?;
    let mut written = changes.changed()?;
    written.sort_unstable();
    assert_eq!(written, expected);
    assert_eq!(entries(&copy), entries(&tree));
    fixture.assert_no_leftovers();
    Ok(())
}

async fn a_failed_download_keeps_the_local_files(fixture: FileFixture) -> Result {
    let there = fixture.remote("tree");
    for name in ["a", "b", "private", "c"] {
        fs::create_dir_all(&there)?;
        fs::write(there.join(name), "new")?;
        fixture.file(&format!("copy/{name}"), "old, and longer");
    }
    fs::set_permissions(there.join("private"), fs::Permissions::from_mode(0o000))?;
    if fs::metadata(&there)?.uid() != 0 {
        // The test's user is also the server's user, and can read the file.
        return Ok(());
    }
    let copy = fixture.local.path().join("copy");
    let error = expect_error(
        within_limit(fixture.host.get(there.display().to_string(), copy.display().to_string())).await,
        ErrorKind::File,
    );
    assert!(
        error_text(&error).contains("private") && error_text(&error).contains("Permission denied"),
        "{}",
        error_text(&error)
    );
    assert_eq!(text(copy.join("private")), "old, and longer");
    fixture.assert_no_leftovers();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_without_utf8_are_transferred_unchanged() -> Result {
    for fixture in [FileFixture::new(), fixture_with_programs(&["sha256sum"], false)] {
        let (tree, target) = (fixture.local.path().join("tree"), fixture.remote("tree"));
        let odd = OsStr::from_bytes(b"caf\xe9 'x'\n\xff");
        fs::create_dir_all(tree.join(odd))?;
        fs::write(tree.join(odd).join(OsStr::from_bytes(b"\xfe")), "x")?;
        symlink(OsStr::from_bytes(b"\xfd"), tree.join(OsStr::from_bytes(b"link\xfc")))?;
        assert!(within_limit(fixture.host.put(&tree, target.display().to_string())).await?.any()?);
        assert_eq!(entries(&target), entries(&tree));
        assert!(!within_limit(fixture.host.put(&tree, target.display().to_string())).await?.any()?);
        within_limit(fixture.host.put(tree.join(odd).join(OsStr::from_bytes(b"\xfe")), target.display().to_string()))
            .await?;
        assert_eq!(fs::read(target.join(OsStr::from_bytes(b"\xfe")))?, b"x");
        fs::remove_file(target.join(OsStr::from_bytes(b"\xfe")))?;
        let copy = fixture.local.path().join("copy");
        within_limit(fixture.host.get(target.display().to_string(), copy.display().to_string())).await?;
        assert_eq!(entries(&copy), entries(&tree));
    }
    Ok(())
}

/// Uploads with verification: a small file, a large file and a tree.
async fn put_verified(fixture: &FileFixture) -> Vec<Result<Changes>> {
    fixture.file("tree/a", "new");
    fixture.file("tree/b", "new");
    let put = |from: &str, to: &str| {
        fixture.host.put(fixture.local.path().join(from), fixture.remote(to).display().to_string())
    };
    let large = fixture.host.put(vec![b'x'; 9 << 20], fixture.remote("large").display().to_string());
    vec![
        within_limit(put("tree/a", "small").verify().fsync()).await.map_err(Into::into),
        within_limit(large.verify().fsync()).await.map_err(Into::into),
        within_limit(put("tree", "tree").verify().fsync()).await.map_err(Into::into),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verified_upload_is_read_back_before_its_rename() -> Result {
    let whole =
        [FileFixture::new(), fixture_with_programs(&["tar", "sha256sum", "dd", "sync"], false), super::sftp::fixture()];
    for fixture in whole {
        for put in put_verified(&fixture).await {
            assert!(put?.any()?);
        }
        assert_eq!((text(fixture.remote("small")), text(fixture.remote("tree/b"))), ("new".into(), "new".into()));
        // The stream of this upload contains no file content.
        fs::create_dir(fixture.local.path().join("tree/only"))?;
        let again =
            fixture.host.put(fixture.local.path().join("tree"), fixture.remote("tree").display().to_string()).verify();
        assert_eq!(within_limit(again).await?.changed()?.len(), 1);
        assert_eq!(fs::metadata(fixture.remote("large"))?.len(), 9 << 20);
        fixture.assert_no_leftovers();
    }
    let fixture = fixture_with_defective_checksum();
    for (number, put) in put_verified(&fixture).await.into_iter().enumerate() {
        let error = put.expect_err("the content differs").to_string();
        let shown = format!("{error:?}");
        assert!(
            !fixture.remote("tree/a").exists()
                && !fixture.remote("small").exists()
                && !fixture.remote("large").exists(),
            "{number}: {shown}"
        );
    }
    fixture.assert_no_leftovers();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_in_place_keeps_hard_links_and_needs_no_writable_directory() -> Result {
    let fixture = FileFixture::new();
    let folder = fixture.remote("folder");
    fs::create_dir(&folder)?;
    fs::write(folder.join("x"), "old, and longer")?;
    fs::set_permissions(folder.join("x"), fs::Permissions::from_mode(0o666))?;
    fs::hard_link(folder.join("x"), folder.join("y"))?;
    let put = || fixture.host.put(b"new".to_vec(), folder.join("x").display().to_string());
    if fs::metadata(&folder)?.uid() == 0 && fabrs_testing::Capability::Accounts.is_available() {
        expect_error(within_limit(put()).await, ErrorKind::File);
    }
    assert!(within_limit(put().in_place()).await?.any()?);
    assert_eq!((text(folder.join("y")), super::mode(&folder.join("x"))), ("new".to_owned(), 0o666));
    assert!(!within_limit(put().in_place()).await?.any()?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_put_under_sudo_keeps_its_owners() -> Result {
    let Some(fixture) = crate::sudo::SudoFixture::with_password(Account::Sudo) else { return Ok(()) };
    let (here, there) = (tempfile::tempdir()?, tempfile::tempdir()?);
    fs::set_permissions(there.path(), fs::Permissions::from_mode(0o755))?;
    for name in ["kept", "new", "same", "in/x"] {
        let path = here.path().join(name);
        fs::create_dir_all(path.parent().expect("the path has a parent"))?;
        fs::write(path, name)?;
    }
    for (name, content, owner) in [("kept", "old", 65534), ("same", "same", 0)] {
        fs::write(there.path().join(name), content)?;
        std::os::unix::fs::chown(there.path().join(name), Some(owner), Some(1))?;
    }
    let host = fixture.host();
    let put = || host.put(here.path(), there.path().display().to_string()).sudo();
    assert_eq!(within_limit(put()).await?.changed()?.len(), 3);
    let owner = |name: &str| fs::metadata(there.path().join(name)).map(|meta| (meta.uid(), meta.gid()));
    assert_eq!((owner("kept")?, owner("new")?, owner("same")?, owner("in/x")?), ((65534, 1), (0, 0), (0, 1), (0, 0)));
    assert_eq!(text(there.path().join("kept")), "kept");
    let changes = within_limit(put().owner("nobody").group("daemon")).await?;
    // Of the existing files, only `same` belongs to another owner.
    assert_eq!(changes.changed()?.len(), 3, "{changes:?}");
    assert!(["kept", "new", "same", "in/x"].iter().all(|name| owner(name).is_ok_and(|owner| owner == (65534, 1))));
    assert!(!within_limit(put().owner("nobody").group("daemon")).await?.any()?);
    let error = expect_error(within_limit(put().owner("no-such-user-here")).await, ErrorKind::File);
    assert!(error_text(&error).contains("no-such-user-here"), "{}", error_text(&error));
    host.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_grow_or_shrink_during_a_download_do_not_fail_the_tree() -> Result {
    for (printed, commands) in [("file changed as we read it", 2), ("File shrank by 3 bytes; padding with zeros", 4)] {
        let fixture = fixture_with_programs(&["sha256sum", "sed"], false);
        // GNU tar prints this message and exits with status 1.
        let tar = format!("#!/bin/sh\n{} \"$@\"\necho 'tar: x: {printed}' >&2\nexit 1\n", which("tar").display());
        let place = fixture.programs.clone().expect("the fixture has a program directory").join("tar");
        fs::write(&place, tar)?;
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755))?;
        fs::create_dir(fixture.remote("tree"))?;
        for name in ["x", "y"] {
            fs::write(fixture.remote("tree").join(name), name)?;
        }
        let (seen, sink) = crate::support::capture();
        let host = crate::support::client_of(&fixture.sshd, "").sink(sink).build();
        let host = host.connect(fixture.sshd.alias())?;
        let got = within_limit(
            host.get(fixture.remote("tree").display().to_string(), format!("{}/", fixture.local.path().display())),
        );
        assert_eq!(got.await?.changed()?.len(), 2);
        assert_eq!(text(fixture.local.path().join("tree/x")), "x");
        assert_eq!(seen.of_kind("command_started").len(), commands, "{printed}");
    }
    Ok(())
}
