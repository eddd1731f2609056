//! User mapping of a host, written from outside its user namespace.

use std::fs;
use std::io;
use std::process::{Command, Stdio};

use fabrs_core::config::ProcessEnv;

use crate::passwd::ACCOUNT_UID;
use crate::protocol::UserMapping;

/// The number of IDs of a typical system.
const MAX_MAPPED_IDS: u32 = 65536;
/// The end of systemd's ID range for containers. Accounts do not use the last IDs of this range.
const CONTAINER_IDS_END: u32 = 0x7000_0000;

/// Maps users into the namespace of a waiting child process.
///
/// The mapped IDs are unused on the machine, if possible. Root can map such IDs directly. A plain
/// user with subordinate IDs maps these IDs through `newuidmap`. Root of the host is never mapped
/// to root of the machine, because user ID 0 alone has many rights, even without capabilities.
pub(crate) fn map_users(pid: u32) -> io::Result<UserMapping> {
    if rustix::process::geteuid().is_root() {
        return map_as_root(pid);
    }
    if map_with_newuidmap(pid)?.is_some() {
        return Ok(UserMapping::AllUsers);
    }
    map_root_only(pid)
}

fn map_as_root(pid: u32) -> io::Result<UserMapping> {
    let [gids, uids] = ["gid_map", "uid_map"].map(|kind| fs::read_to_string(format!("/proc/self/{kind}")));
    let (gids, uids) = (gids?, uids?);
    match (free_ids(&gids), free_ids(&uids)) {
        (Some(gids), Some(uids)) => {
            for (kind, (first, count)) in [("gid_map", gids), ("uid_map", uids)] {
                write_proc(pid, kind, &format!("0 {first} {count}"))?;
            }
            Ok(UserMapping::AllUsers)
        }
        // Root of a user namespace may be a plain user outside of the namespace.
        _ if !is_root_outside(&uids) => map_root_only(pid),
        _ => {
            let text = "no user IDs except that of root are available";
            Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
        }
    }
}

/// Maps only root, to the current user.
fn map_root_only(pid: u32) -> io::Result<UserMapping> {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    write_proc(pid, "setgroups", "deny")?;
    write_proc(pid, "gid_map", &format!("0 {gid} 1"))?;
    write_proc(pid, "uid_map", &format!("0 {uid} 1"))?;
    Ok(UserMapping::RootOnly)
}

/// Returns `true` if root of this namespace may be root of the parent namespace.
fn is_root_outside(map: &str) -> bool {
    let root =
        map.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find(|line| line.first() == Some(&"0"));
    root.is_none_or(|line| line.get(1) == Some(&"0"))
}

/// Returns the first ID and the number of IDs to map: 65,536 unused IDs. In a container with fewer
/// IDs, returns all IDs except that of root.
fn free_ids(map: &str) -> Option<(u32, u32)> {
    let extents = map.lines().filter_map(|line| {
        let numbers: Vec<u32> = line.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        let [first, _, count] = numbers[..] else { return None };
        Some((first.max(1), first.saturating_add(count)))
    });
    let (first, end) = extents.max_by_key(|(first, end)| end.saturating_sub(*first))?;
    let end = if (first..end).contains(&CONTAINER_IDS_END) { CONTAINER_IDS_END } else { end };
    let count = end.saturating_sub(first).min(MAX_MAPPED_IDS);
    // A smaller range could not hold the login account.
    (count > ACCOUNT_UID).then_some((end - count, count))
}

/// Maps the subordinate IDs of the user with `newgidmap` and `newuidmap`. Returns `None` if the
/// programs or the IDs are missing.
fn map_with_newuidmap(pid: u32) -> io::Result<Option<()>> {
    let names = user_names();
    for (helper, file) in [("newgidmap", "/etc/subgid"), ("newuidmap", "/etc/subuid")] {
        let subordinate = fs::read_to_string(file).unwrap_or_default();
        let ids = subordinate_ids(&subordinate, &names);
        let mapped = ids.is_some_and(|(first, count)| {
            let words = [pid, 0, first, count.min(MAX_MAPPED_IDS)].map(|number| number.to_string());
            let mut command = Command::new(helper);
            command
                .args(words)
                .env_remove(ProcessEnv::SUDO_PASSWORD)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        });
        match (mapped, helper) {
            (true, _) => {}
            // No ID is mapped yet, so the caller can still map root only.
            (false, "newgidmap") => return Ok(None),
            (false, _) => return Err(io::Error::other("`newuidmap` failed after `newgidmap` succeeded")),
        }
    }
    Ok(Some(()))
}

/// Returns the names of the current user in `/etc/subuid`: the user ID and all its account names.
fn user_names() -> Vec<String> {
    let uid = rustix::process::geteuid().as_raw().to_string();
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = passwd.lines().filter(|line| line.split(':').nth(2) == Some(&uid));
    let named: Vec<String> = named.filter_map(|line| line.split(':').next()).map(str::to_owned).collect();
    [vec![uid], named].concat()
}

/// Returns the first large enough range of subordinate IDs for one of `names`.
fn subordinate_ids(subordinate: &str, names: &[String]) -> Option<(u32, u32)> {
    subordinate.lines().find_map(|line| {
        let (name, ids) = line.split_once(':')?;
        let (first, count) = ids.split_once(':')?;
        let (first, count) = (first.trim().parse().ok()?, count.trim().parse().ok()?);
        (names.iter().any(|known| known == name) && count > ACCOUNT_UID).then_some((first, count))
    })
}

fn write_proc(pid: u32, file: &str, text: &str) -> io::Result<()> {
    fs::write(format!("/proc/{pid}/{file}"), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_ids_are_unused_outside() {
        assert_eq!(free_ids("         0          0 4294967295\n"), Some((0x6fff_0000, 65536)));
    }

    #[test]
    fn in_a_container_all_ids_but_root_are_mapped() {
        assert_eq!(free_ids("0 1000 1\n1 100000 65536\n"), Some((1, 65536)));
        assert_eq!(free_ids("0 100000 65536\n"), Some((1, 65535)));
    }

    #[test]
    fn with_root_only_no_ids_are_free() {
        assert_eq!(free_ids("0 1000 1\n"), None);
        assert_eq!(free_ids(""), None);
    }

    #[test]
    fn root_of_a_namespace_is_distinguished_from_root_outside() {
        assert!(is_root_outside("0 0 4294967295\n"));
        assert!(is_root_outside("0 0 1\n"));
        assert!(is_root_outside(""));
        assert!(!is_root_outside("         0       1000          1\n"));
    }

    #[test]
    fn subordinate_ids_are_listed_by_name_or_user_id() {
        let subordinate = "ann:100000:65536\n1001:165536:65536\nbob:1:10\n";
        let of = |name: &str| subordinate_ids(subordinate, &[name.to_owned()]);
        assert_eq!(of("ann"), Some((100_000, 65536)));
        assert_eq!(of("1001"), Some((165_536, 65536)));
        assert_eq!(of("bob"), None);
        assert_eq!(of("eve"), None);
    }
}
