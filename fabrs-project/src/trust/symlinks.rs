//! Resolution of a path, one symlink at a time.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// The maximum number of symlinks in one path, as in the Linux kernel.
const MAX_LINKS: usize = 40;

/// A component of a path.
enum PathPart {
    Root,
    Parent,
    Name(OsString),
}

/// Returns the symlinks in an absolute path, in order, and then the path of the final target.
///
/// In each returned path, only the last component can be a symlink.
pub(crate) fn resolve_steps(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut steps = Vec::new();
    let mut here = PathBuf::from("/");
    let mut rest: VecDeque<PathPart> = parts(path).collect();
    while let Some(part) = rest.pop_front() {
        match part {
            PathPart::Root => here = PathBuf::from("/"),
            PathPart::Parent => {
                here.pop();
            }
            PathPart::Name(name) => {
                let entry = here.join(name);
                if !fs::symlink_metadata(&entry)?.is_symlink() {
                    here = entry;
                    continue;
                }
                if steps.len() == MAX_LINKS {
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many levels of symbolic links"));
                }
                for part in parts(&fs::read_link(&entry)?).rev() {
                    rest.push_front(part);
                }
                steps.push(entry);
            }
        }
    }
    steps.push(here);
    Ok(steps)
}

fn parts(path: &Path) -> impl DoubleEndedIterator<Item = PathPart> {
    path.components().filter_map(|component| match component {
        Component::RootDir => Some(PathPart::Root),
        Component::ParentDir => Some(PathPart::Parent),
        Component::Normal(name) => Some(PathPart::Name(name.to_owned())),
        Component::CurDir | Component::Prefix(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn each_symlink_is_a_step() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/b/file"), "").unwrap();
        symlink("a/b", root.join("relative")).unwrap();
        symlink(root.join("relative/../b"), root.join("absolute")).unwrap();
        symlink("../../absolute/file", root.join("a/b/link")).unwrap();
        assert_eq!(resolve_steps(&root.join("a/./b/file")).unwrap(), [root.join("a/b/file")]);
        assert_eq!(
            resolve_steps(&root.join("relative/link")).unwrap(),
            ["relative", "a/b/link", "absolute", "relative", "a/b/file"].map(|path| root.join(path))
        );
        assert_eq!(resolve_steps(Path::new("/")).unwrap(), [Path::new("/")]);
    }

    #[test]
    fn a_loop_and_a_missing_target_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("loop");
        symlink("loop", &path).unwrap();
        assert_eq!(resolve_steps(&path).unwrap_err().to_string(), "too many levels of symbolic links");
        let path = folder.path().join("dangling");
        symlink("gone", &path).unwrap();
        assert_eq!(resolve_steps(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
