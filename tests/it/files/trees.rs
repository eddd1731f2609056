//! Directory trees, on hosts with different sets of programs.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use fabrs::prelude::*;
use fabrs_testing::{Account, Sshd};

use super::{Lab, text, walk};
use crate::support::{block, refused, soon};

/// Programs that every host has.
const NEEDED: [&str; 24] = [
    "sh", "awk", "cat", "chmod", "chown", "cmp", "cut", "false", "find", "head", "id", "ln", "ls", "mkdir", "mktemp",
    "mv", "readlink", "rm", "sleep", "stat", "tr", "true", "wc", "xargs",
];
/// Programs that speed up tree transfers.
const QUICK: [&str; 3] = ["tar", "sha256sum", "perl"];

/// Returns a host with these programs only. The programs are those of busybox if `is_small`.
pub(super) fn lab_with(programs: &[&str], is_small: bool) -> Lab {
    let place = tempfile::tempdir().expect("a temporary directory").keep();
    fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).expect("it is ours");
    for program in NEEDED.iter().chain(programs) {
        let found = if is_small { "/usr/bin/busybox".into() } else { which(program) };
        symlink(found, place.join(program)).expect("it is ours");
    }
    Lab {
        programs: Some(place.clone()),
        ..Lab::of(Sshd::builder().option("SetEnv", format!("PATH={}", place.display())).start())
    }
}

/// Returns a host with a defective checksum program.
fn lab_with_broken_memory() -> Lab {
    let lab = lab_with(&["tar", "perl", "dd", "grep"], false);
    let place = lab.programs.clone().expect("it has a folder of its own for them");
    let script = "#!/bin/sh\n[ \"$1\" != -c ] || exit 1\ncat >/dev/null\nprintf '%064d  -\\n' 7\n";
    fs::write(place.join("sha256sum"), script).expect("it is ours");
    fs::set_permissions(place.join("sha256sum"), fs::Permissions::from_mode(0o755)).expect("it is ours");
    lab
}

pub(super) fn which(program: &str) -> PathBuf {
    let places = ["/usr/bin", "/bin", "/usr/local/bin"];
    let found = places.iter().map(|place| Path::new(place).join(program)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("`{program}` is not here"))
}

/// Makes a test of each promise on each kind of host.
macro_rules! kept {
    ({ $($host:ident = $lab:expr;)* } $promises:tt) => {
        $(kept!(one $host, $lab, $promises);)*
    };
    (one $host:ident, $lab:expr, [$($promise:ident)*]) => {
        mod $host {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() -> fabrs::prelude::Result {
                    super::$promise($lab).await
                }
            )*
        }
    };
}

kept! {
    {
        by_stream = super::super::Lab::new();
        by_sftp = super::super::without_a_shell::lab();
        by_busybox = super::lab_with(&["tar", "sha256sum"], true);
        without_tar = super::lab_with(&["sha256sum"], false);
        without_perl = super::lab_with(&["tar", "sha256sum"], false);
        without_a_checksum = super::lab_with(&["tar", "perl"], false);
        with_few_programs = super::lab_with(&super::QUICK, false);
    }
    [
        all_of_a_tree_arrives_and_nothing_of_it_twice
        only_what_differs_is_written
        what_is_reached_through_a_symlink_is_written_there
        what_stands_in_the_way_is_named_and_nothing_is_put
        a_tree_of_which_a_file_can_not_be_read_leaves_all_as_it_was
        all_of_a_tree_is_got_and_nothing_of_it_twice
        what_can_not_be_got_leaves_the_old_files_here
    ]
}

/// Writes a tree with every kind of entry.
fn odd_tree(lab: &Lab) -> PathBuf {
    for name in ["a", "b c", "quo'te", "dollar$x", "-rf", "*", "deep/er/x", ".hidden/.x", "line\nend", "back\\slash"] {
        lab.file(&format!("tree/{name}"), name);
    }
    let tree = lab.here.path().join("tree");
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
        for entry in fs::read_dir(folder).expect("it can be read").flatten() {
            let (path, kind) = (entry.path(), entry.file_type().expect("it is there"));
            let what = if kind.is_symlink() {
                format!("-> {}", fs::read_link(&path).expect("it is one").display())
            } else if kind.is_dir() {
                all(root, &path, found);
                "folder".to_owned()
            } else {
                String::from_utf8_lossy(&fs::read(&path).expect("it can be read")).into_owned()
            };
            found.push((path.strip_prefix(root).expect("it is below").to_owned(), what));
        }
    }
    let mut found = Vec::new();
    all(root, root, &mut found);
    found.sort();
    found
}

async fn all_of_a_tree_arrives_and_nothing_of_it_twice(lab: Lab) -> Result {
    let (tree, target) = (odd_tree(&lab), lab.there("tree"));
    let changes = soon(lab.host.put(&tree, target.display().to_string())).await?;
    assert_eq!(entries(&target), entries(&tree));
    // The count covers files, symlinks and the empty directory.
    assert_eq!(changes.changed()?.len(), 17, "{changes:?}");
    let again = soon(lab.host.put(&tree, target.display().to_string())).await?;
    assert_eq!((again.changed()?, again.files()?.len()), (vec![], 16));
    lab.assert_nothing_is_left();
    Ok(())
}

async fn only_what_differs_is_written(lab: Lab) -> Result {
    let target = lab.there("tree");
    for n in 0..40 {
        lab.file(&format!("tree/{}/{n}", n % 4), "old");
    }
    let tree = lab.here.path().join("tree");
    let put = || lab.host.put(&tree, target.display().to_string());
    soon(put()).await?;
    fs::set_permissions(target.join("1/1"), fs::Permissions::from_mode(0o600))?;
    let untouched = fs::metadata(target.join("0/0"))?.ino();
    lab.file("tree/1/1", "new");
    lab.file("tree/2/2", "longer");
    symlink("1", tree.join("link"))?;
    let changes = soon(put()).await?;
    let expected = ["1/1", "2/2", "link"].map(|name| target.join(name).display().to_string());
    let mut written = changes.changed()?;
    written.sort_unstable();
    assert_eq!((written, changes.files()?.len()), (expected.iter().map(String::as_str).collect(), 41));
    assert_eq!(entries(&target), entries(&tree));
    assert_eq!(super::mode(&target.join("1/1")), 0o600, "what is replaced keeps its mode");
    assert_eq!(fs::metadata(target.join("0/0"))?.ino(), untouched);

    let changes = soon(put().mode(0o640)).await?;
    assert_eq!(changes.changed()?.len(), 40, "a mode is a change");
    assert!(walk(&target).iter().filter(|path| !path.is_symlink()).all(|path| super::mode(path) == 0o640));
    assert!(!soon(put().mode(0o640)).await?.any()?);
    fs::remove_file(tree.join("link"))?;
    symlink("2", tree.join("link"))?;
    assert_eq!(soon(put()).await?.changed()?, [target.join("link").display().to_string()]);
    assert_eq!(fs::read_link(target.join("link"))?, Path::new("2"));
    lab.assert_nothing_is_left();
    Ok(())
}

async fn what_is_reached_through_a_symlink_is_written_there(lab: Lab) -> Result {
    let target = lab.open_folder().join("tree");
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
        lab.file(&format!("tree/{name}"), "new");
    }
    let changes = soon(lab.host.put(lab.here.path().join("tree"), target.display().to_string())).await?;
    assert_eq!(changes.changed()?.len(), 3);
    assert!(target.join("folder").is_symlink() && target.join("file").is_symlink());
    for name in ["real/folder/in/x", "real/file", "tree/plain"] {
        assert_eq!(text(target.with_file_name(name)), "new", "{name}");
    }
    lab.assert_nothing_is_left();
    Ok(())
}

async fn what_stands_in_the_way_is_named_and_nothing_is_put(lab: Lab) -> Result {
    let target = lab.open_folder();
    lab.file("tree/a", "a");
    lab.file("tree/x", "x");
    fs::create_dir_all(target.join("x"))?;
    let tree = lab.here.path().join("tree");
    let error = refused(soon(lab.host.put(&tree, target.display().to_string())).await, ErrorKind::File);
    assert!(block(&error).contains(&format!("{} is a directory", target.join("x").display())), "{}", block(&error));
    fs::remove_dir(target.join("x"))?;
    fs::write(target.join("in"), "the way")?;
    lab.file("tree/in/x", "x");
    let error = refused(soon(lab.host.put(&tree, target.display().to_string())).await, ErrorKind::File);
    assert_eq!(text(target.join("in")), "the way", "{error:?}");
    assert!(!target.join("a").exists(), "{}", block(&error));
    lab.assert_nothing_is_left();
    Ok(())
}

async fn a_tree_of_which_a_file_can_not_be_read_leaves_all_as_it_was(lab: Lab) -> Result {
    let target = lab.there("tree");
    lab.file("tree/a", "a");
    // Even root cannot read this file.
    let tree = lab.here.path().join("tree");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        tree.join("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )?;
    let error = refused(soon(lab.host.put(&tree, target.display().to_string())).await, ErrorKind::Local);
    assert!(block(&error).contains("fifo") && !target.exists(), "{}", block(&error));
    Ok(())
}

async fn all_of_a_tree_is_got_and_nothing_of_it_twice(lab: Lab) -> Result {
    let (tree, target) = (odd_tree(&lab), lab.there("tree"));
    soon(lab.host.put(&tree, target.display().to_string())).await?;
    let copy = lab.here.path().join("copy/tree");
    let get = || lab.host.get(target.display().to_string(), format!("{}/copy/", lab.here.path().display()));
    assert_eq!(soon(get()).await?.changed()?.len(), 17);
    assert_eq!(entries(&copy), entries(&tree));
    assert!(!soon(get()).await?.any()?);
    fs::write(copy.join("a"), "A")?;
    fs::write(copy.join("deep/er/x"), "another size")?;
    fs::remove_file(copy.join("up"))?;
    symlink("elsewhere", copy.join("up"))?;
    let expected = ["a", "deep/er/x", "up"].map(|name| copy.join(name).display().to_string());
    let changes = soon(get()).await?;
    let mut written = changes.changed()?;
    written.sort_unstable();
    assert_eq!(written, expected);
    assert_eq!(entries(&copy), entries(&tree));
    lab.assert_nothing_is_left();
    Ok(())
}

async fn what_can_not_be_got_leaves_the_old_files_here(lab: Lab) -> Result {
    let there = lab.there("tree");
    for name in ["a", "b", "private", "c"] {
        fs::create_dir_all(&there)?;
        fs::write(there.join(name), "new")?;
        lab.file(&format!("copy/{name}"), "old, and longer");
    }
    fs::set_permissions(there.join("private"), fs::Permissions::from_mode(0o000))?;
    if fs::metadata(&there)?.uid() != 0 {
        // The test's user is also the server's user, and can read the file.
        return Ok(());
    }
    let copy = lab.here.path().join("copy");
    let error =
        refused(soon(lab.host.get(there.display().to_string(), copy.display().to_string())).await, ErrorKind::File);
    assert!(block(&error).contains("private") && block(&error).contains("Permission denied"), "{}", block(&error));
    assert_eq!(text(copy.join("private")), "old, and longer");
    lab.assert_nothing_is_left();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_are_no_utf8_arrive_as_they_are() -> Result {
    for lab in [Lab::new(), lab_with(&["sha256sum"], false)] {
        let (tree, target) = (lab.here.path().join("tree"), lab.there("tree"));
        let odd = OsStr::from_bytes(b"caf\xe9 'x'\n\xff");
        fs::create_dir_all(tree.join(odd))?;
        fs::write(tree.join(odd).join(OsStr::from_bytes(b"\xfe")), "x")?;
        symlink(OsStr::from_bytes(b"\xfd"), tree.join(OsStr::from_bytes(b"link\xfc")))?;
        assert!(soon(lab.host.put(&tree, target.display().to_string())).await?.any()?);
        assert_eq!(entries(&target), entries(&tree));
        assert!(!soon(lab.host.put(&tree, target.display().to_string())).await?.any()?);
        soon(lab.host.put(tree.join(odd).join(OsStr::from_bytes(b"\xfe")), target.display().to_string())).await?;
        assert_eq!(fs::read(target.join(OsStr::from_bytes(b"\xfe")))?, b"x");
        fs::remove_file(target.join(OsStr::from_bytes(b"\xfe")))?;
        let copy = lab.here.path().join("copy");
        soon(lab.host.get(target.display().to_string(), copy.display().to_string())).await?;
        assert_eq!(entries(&copy), entries(&tree));
    }
    Ok(())
}

/// Uploads with verification: a small file, a large file and a tree.
async fn put_verified(lab: &Lab) -> Vec<Result<Changes>> {
    lab.file("tree/a", "new");
    lab.file("tree/b", "new");
    let put = |from: &str, to: &str| lab.host.put(lab.here.path().join(from), lab.there(to).display().to_string());
    let large = lab.host.put(vec![b'x'; 9 << 20], lab.there("large").display().to_string());
    vec![
        soon(put("tree/a", "small").verify().fsync()).await.map_err(Into::into),
        soon(large.verify().fsync()).await.map_err(Into::into),
        soon(put("tree", "tree").verify().fsync()).await.map_err(Into::into),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_verified_is_read_back_before_it_takes_its_place() -> Result {
    let whole = [Lab::new(), lab_with(&["tar", "sha256sum", "dd", "sync"], false), super::without_a_shell::lab()];
    for lab in whole {
        for put in put_verified(&lab).await {
            assert!(put?.any()?);
        }
        assert_eq!((text(lab.there("small")), text(lab.there("tree/b"))), ("new".into(), "new".into()));
        // The stream of this upload contains no file content.
        fs::create_dir(lab.here.path().join("tree/only"))?;
        let again = lab.host.put(lab.here.path().join("tree"), lab.there("tree").display().to_string()).verify();
        assert_eq!(soon(again).await?.changed()?.len(), 1);
        assert_eq!(fs::metadata(lab.there("large"))?.len(), 9 << 20);
        lab.assert_nothing_is_left();
    }
    let lab = lab_with_broken_memory();
    for (number, put) in put_verified(&lab).await.into_iter().enumerate() {
        let error = put.expect_err("it is another content").to_string();
        let shown = format!("{error:?}");
        assert!(
            !lab.there("tree/a").exists() && !lab.there("small").exists() && !lab.there("large").exists(),
            "{number}: {shown}"
        );
    }
    lab.assert_nothing_is_left();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_place_a_file_stays_the_same_to_its_links_and_needs_no_folder_to_write_in() -> Result {
    let lab = Lab::new();
    let folder = lab.there("folder");
    fs::create_dir(&folder)?;
    fs::write(folder.join("x"), "old, and longer")?;
    fs::set_permissions(folder.join("x"), fs::Permissions::from_mode(0o666))?;
    fs::hard_link(folder.join("x"), folder.join("y"))?;
    let put = || lab.host.put(b"new".to_vec(), folder.join("x").display().to_string());
    if fs::metadata(&folder)?.uid() == 0 && fabrs_testing::Capability::Accounts.is_available() {
        refused(soon(put()).await, ErrorKind::File);
    }
    assert!(soon(put().in_place()).await?.any()?);
    assert_eq!((text(folder.join("y")), super::mode(&folder.join("x"))), ("new".to_owned(), 0o666));
    assert!(!soon(put().in_place()).await?.any()?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_sources_go_each_under_its_own_name() -> Result {
    let lab = Lab::new();
    let file = lab.file("one.txt", "one");
    lab.file("folder/two.txt", "two");
    let target = lab.there("into");
    lab.host.put([file, lab.here.path().join("folder")], target.display().to_string()).await?;
    assert_eq!((text(target.join("one.txt")), text(target.join("folder/two.txt"))), ("one".into(), "two".into()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_excluded_or_ignored_stays_here() -> Result {
    let lab = Lab::new();
    for name in ["src/app.py", "src/app.pyc", "src/lib/x.pyc", "src/tests/data/big", "src/tests/t.py", "src/build/out"]
    {
        lab.file(name, "x");
    }
    lab.file("src/.gitignore", "/build\n");
    let put = |target: &str| lab.host.put(lab.here.path().join("src"), lab.there(target).display().to_string());
    put("one").exclude("*.pyc").exclude("tests/data").ignore_files().await?;
    let names = |target: &str| {
        let root = lab.there(target);
        walk(&root).iter().map(|path| path.strip_prefix(&root).unwrap().display().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names("one"), [".gitignore", "app.py", "tests/t.py"]);
    let error = refused(put("two").exclude("[").await, ErrorKind::Usage);
    assert!(block(&error).contains("invalid pattern"), "{}", block(&error));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pattern_means_paths_below_what_it_begins_with() -> Result {
    let lab = Lab::new();
    for name in ["static/a.css", "static/x/b.css", "static/x/c.js", "static/.hidden.css", "static/y/z/d.css"] {
        lab.file(name, name);
    }
    let names = |target: &str| {
        let root = lab.there(target);
        walk(&root).iter().map(|path| path.strip_prefix(&root).unwrap().display().to_string()).collect::<Vec<_>>()
    };
    let put = |pattern: &str, target: &str| {
        lab.host.put(lab.here.path().join(pattern), lab.there(target).display().to_string())
    };
    put("static/**/*.css", "all").await?;
    assert_eq!(names("all"), ["a.css", "x/b.css", "y/z/d.css"]);
    put("static/*.{css,js}", "flat").await?;
    assert_eq!(names("flat"), ["a.css"]);
    put("static/?", "folders").await?;
    assert_eq!(names("folders"), ["x/b.css", "x/c.js", "y/z/d.css"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_of_another_user_s_is_put_by_sudo_and_keeps_its_owners() -> Result {
    let Some(lab) = crate::sudo::Lab::with_password(Account::Sudo) else { return Ok(()) };
    let (here, there) = (tempfile::tempdir()?, tempfile::tempdir()?);
    fs::set_permissions(there.path(), fs::Permissions::from_mode(0o755))?;
    for name in ["kept", "new", "same", "in/x"] {
        let path = here.path().join(name);
        fs::create_dir_all(path.parent().expect("it is below"))?;
        fs::write(path, name)?;
    }
    for (name, content, owner) in [("kept", "old", 65534), ("same", "same", 0)] {
        fs::write(there.path().join(name), content)?;
        std::os::unix::fs::chown(there.path().join(name), Some(owner), Some(1))?;
    }
    let host = lab.host();
    let put = || host.put(here.path(), there.path().display().to_string()).sudo();
    assert_eq!(soon(put()).await?.changed()?.len(), 3);
    let owner = |name: &str| fs::metadata(there.path().join(name)).map(|meta| (meta.uid(), meta.gid()));
    assert_eq!((owner("kept")?, owner("new")?, owner("same")?, owner("in/x")?), ((65534, 1), (0, 0), (0, 1), (0, 0)));
    assert_eq!(text(there.path().join("kept")), "kept");
    let changes = soon(put().owner("nobody").group("daemon")).await?;
    // Of the existing files, only one belongs to another owner.
    assert_eq!(changes.changed()?.len(), 3, "{changes:?}");
    assert!(["kept", "new", "same", "in/x"].iter().all(|name| owner(name).is_ok_and(|owner| owner == (65534, 1))));
    assert!(!soon(put().owner("nobody").group("daemon")).await?.any()?);
    let error = refused(soon(put().owner("no-such-user-here")).await, ErrorKind::File);
    assert!(block(&error).contains("no-such-user-here"), "{}", block(&error));
    host.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_grows_keeps_no_tree_from_coming_as_one_and_one_that_shrinks_comes_as_it_is() -> Result {
    for (said, commands) in [("file changed as we read it", 2), ("File shrank by 3 bytes; padding with zeros", 4)] {
        let lab = lab_with(&["sha256sum", "sed"], false);
        // GNU tar prints this message and exits with status 1.
        let tar = format!("#!/bin/sh\n{} \"$@\"\necho 'tar: x: {said}' >&2\nexit 1\n", which("tar").display());
        let place = lab.programs.clone().expect("it has a folder of its own for them").join("tar");
        fs::write(&place, tar)?;
        fs::set_permissions(&place, fs::Permissions::from_mode(0o755))?;
        fs::create_dir(lab.there("tree"))?;
        for name in ["x", "y"] {
            fs::write(lab.there("tree").join(name), name)?;
        }
        let (seen, sink) = crate::support::capture();
        let host = crate::support::client_of(&lab.sshd, "").sink(sink).build();
        let host = host.connect(lab.sshd.alias())?;
        let got = soon(host.get(lab.there("tree").display().to_string(), format!("{}/", lab.here.path().display())));
        assert_eq!(got.await?.changed()?.len(), 2);
        assert_eq!(text(lab.here.path().join("tree/x")), "x");
        assert_eq!(seen.of_kind("command_started").len(), commands, "{said}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_with_nothing_in_it_is_put_too() -> Result {
    for lab in [Lab::new(), super::without_a_shell::lab()] {
        fs::create_dir(lab.here.path().join("tree"))?;
        soon(lab.host.put(lab.here.path().join("tree"), lab.there("tree").display().to_string())).await?;
        assert!(lab.there("tree").is_dir());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_and_a_folder_of_one_name_are_not_put_to_one_place() -> Result {
    let lab = Lab::new();
    let (file, folder) = (lab.file("a/x", "x"), lab.file("b/x/y", "y"));
    let sources = [file, folder.parent().expect("it is below").to_owned()];
    let error = refused(soon(lab.host.put(sources, lab.there("t").display().to_string())).await, ErrorKind::Usage);
    assert!(block(&error).contains("have the same target"), "{}", block(&error));
    Ok(())
}
