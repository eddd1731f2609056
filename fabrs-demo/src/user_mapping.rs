//! Which users a host has, mapped into its namespace from outside.

use std::fs;
use std::io;
use std::process::{Command, Stdio};

use fabrs_core::config::Variables;

use crate::passwd::ACCOUNT_UID;
use crate::protocol::UserMapping;

/// As many ids as a usual system has.
const MAX_MAPPED_IDS: u32 = 65536;
/// Where systemd keeps ids for containers ends; no account has one of the last of them.
const CONTAINER_IDS_END: u32 = 0x7000_0000;

/// Maps users into the namespace of a process of ours that waits for it.
///
/// They are nobody outside, wherever that can be: as root, and with `newuidmap` for a plain user who was subordinate ids for
/// it. Root inside is *not* root outside, who could do much by being root alone, without any capability.
pub(crate) fn map_users(pid: u32) -> io::Result<UserMapping> {
    if rustix::process::geteuid().is_root() {
        return map_as_root(pid);
    }
    if map_with_newuidmap(pid)?.is_some() {
        return Ok(UserMapping::Range);
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
            Ok(UserMapping::Range)
        }
        // Within a namespace such as ours, root may be somebody who is nothing outside.
        _ if !is_root_outside(&uids) => map_root_only(pid),
        _ => {
            let text = "there are no ids but root's to be given away";
            Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
        }
    }
}

/// Makes root inside of whoever this is.
fn map_root_only(pid: u32) -> io::Result<UserMapping> {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    write_proc(pid, "setgroups", "deny")?;
    write_proc(pid, "gid_map", &format!("0 {gid} 1"))?;
    write_proc(pid, "uid_map", &format!("0 {uid} 1"))?;
    Ok(UserMapping::RootOnly)
}

/// Tells whether root of this namespace may be root of the one around it.
fn is_root_outside(map: &str) -> bool {
    let root =
        map.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find(|line| line.first() == Some(&"0"));
    root.is_none_or(|line| line.get(1) == Some(&"0"))
}

/// Returns the ids that are subordinate away: 65,536 that are nobody's, or as many as there are besides root's, in a container.
fn free_ids(map: &str) -> Option<(u32, u32)> {
    let extents = map.lines().filter_map(|line| {
        let numbers: Vec<u32> = line.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        let [first, _, count] = numbers[..] else { return None };
        Some((first.max(1), first.saturating_add(count)))
    });
    let (first, end) = extents.max_by_key(|(first, end)| end.saturating_sub(*first))?;
    let end = if (first..end).contains(&CONTAINER_IDS_END) { CONTAINER_IDS_END } else { end };
    let count = end.saturating_sub(first).min(MAX_MAPPED_IDS);
    // Fewer could not hold the account that one logs in as.
    (count > ACCOUNT_UID).then_some((end - count, count))
}

/// Maps by the programs that may, with the ids that this user was subordinate; `None` where there is neither.
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
                .env_remove(Variables::SUDO_PASSWORD)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        });
        match (mapped, helper) {
            (true, _) => {}
            // Nothing is mapped yet, and the one user that needs no help still can be.
            (false, "newgidmap") => return Ok(None),
            (false, _) => return Err(io::Error::other("`newuidmap` failed where `newgidmap` did not")),
        }
    }
    Ok(Some(()))
}

/// Returns under what names this user is listed: his number, and those that the number has.
fn user_names() -> Vec<String> {
    let uid = rustix::process::geteuid().as_raw().to_string();
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = passwd.lines().filter(|line| line.split(':').nth(2) == Some(&uid));
    let named: Vec<String> = named.filter_map(|line| line.split(':').next()).map(str::to_owned).collect();
    [vec![uid], named].concat()
}

/// Returns the first ids that a file such as `/etc/subuid` gives to one of these names, enough for a system's users.
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
    fn ids_are_given_away_that_are_nobodys() {
        assert_eq!(free_ids("         0          0 4294967295\n"), Some((0x6fff_0000, 65536)));
    }

    #[test]
    fn in_a_container_they_are_what_there_is_besides_root() {
        assert_eq!(free_ids("0 1000 1\n1 100000 65536\n"), Some((1, 65536)));
        assert_eq!(free_ids("0 100000 65536\n"), Some((1, 65535)));
    }

    #[test]
    fn where_there_is_only_root_there_are_none() {
        assert_eq!(free_ids("0 1000 1\n"), None);
        assert_eq!(free_ids(""), None);
    }

    #[test]
    fn root_of_a_namespace_is_told_from_root() {
        assert!(is_root_outside("0 0 4294967295\n"));
        assert!(is_root_outside("0 0 1\n"));
        assert!(is_root_outside(""));
        assert!(!is_root_outside("         0       1000          1\n"));
    }

    #[test]
    fn a_user_is_listed_by_name_or_number() {
        let subordinate = "ann:100000:65536\n1001:165536:65536\nbob:1:10\n";
        let of = |name: &str| subordinate_ids(subordinate, &[name.to_owned()]);
        assert_eq!(of("ann"), Some((100_000, 65536)));
        assert_eq!(of("1001"), Some((165_536, 65536)));
        assert_eq!(of("bob"), None);
        assert_eq!(of("eve"), None);
    }
}
