//! Detection of private groups: groups with the owner of a file as their only member.
//!
//! Many systems create a private group for each user and set the umask 002. Files are then writable
//! by the private group of their owner.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Gid, Group, Uid, User};

/// The file with the local accounts. Each line has the form `NAME:PASSWORD:UID:GID:..`.
const PASSWD_FILE: &str = "/etc/passwd";

/// Returns true if the owner of a file is the only member of its group, and the file has no ACL.
pub(crate) fn is_private(path: &Path, metadata: &Metadata) -> bool {
    let (Ok(Some(owner)), Ok(Some(group))) =
        (User::from_uid(Uid::from_raw(metadata.uid())), Group::from_gid(Gid::from_raw(metadata.gid())))
    else {
        return false;
    };
    // A directory service may not list the users of a primary group such as "domain users". So the
    // group must also have the name of its user.
    owner.gid == group.gid
        && owner.name == group.name
        && group.mem.iter().all(|member| *member == owner.name)
        && fs::read_to_string(PASSWD_FILE)
            .is_ok_and(|accounts| !has_other_account(&accounts, metadata.uid(), metadata.gid()))
        && !has_access_list(path)
}

/// Returns true if an account with another user id has this primary group.
fn has_other_account(accounts: &str, uid: u32, gid: u32) -> bool {
    accounts.lines().any(|line| {
        let mut fields = line.split(':').skip(2).map(str::parse::<u32>);
        matches!((fields.next(), fields.next()), (Some(Ok(user)), Some(Ok(group))) if group == gid && user != uid)
    })
}

/// Returns true if a file has an ACL. The group bits of the file mode are then the mask of the ACL,
/// not the permissions of the group.
fn has_access_list(path: &Path) -> bool {
    rustix::fs::lgetxattr_query(path, "system.posix_acl_access").is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_account_with_the_same_primary_group_is_found() {
        let accounts = "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/home/ann:\n\nbroken\nbob:x:1001:1001::/:\n";
        assert!(!has_other_account(accounts, 1000, 1000));
        assert!(has_other_account(accounts, 1000, 1001));
        assert!(has_other_account(&format!("{accounts}eve:x:1002:1000::/:"), 1000, 1000));
    }

    #[test]
    fn the_group_root_is_private_to_root_and_a_system_group_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "").unwrap();
        let is_private = |owner, group| {
            std::os::unix::fs::chown(&path, Some(owner), Some(group)).unwrap();
            is_private(&path, &fs::metadata(&path).unwrap())
        };
        assert!(is_private(0, 0));
        assert!(!is_private(0, 1), "a group of another user");
        assert!(!is_private(54321, 54321), "no account");
    }
}
