//! Account files of a host: `passwd`, `group` and `shadow`.
//!
//! The files are derived from those of the machine. Each login reads them again.

use std::fs;

use crate::protocol::{HostSettings, UserMapping};

/// The user ID and group ID of the login account.
pub(crate) const ACCOUNT_UID: u32 = 1000;
/// The first ID of regular users. Lower IDs belong to the system.
const FIRST_REGULAR_ID: u32 = 1000;
/// The ID of `nobody`. The account belongs to the system.
const NOBODY_ID: u32 = 65534;

/// An entry of `/etc/passwd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PasswdEntry {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) home: String,
    pub(crate) shell: String,
}

impl PasswdEntry {
    /// Finds an account by name, or by `#` and user ID as in `sudo -u '#33'`.
    pub(crate) fn find(name: &str) -> Option<Self> {
        let text = fs::read_to_string("/etc/passwd").ok()?;
        match name.strip_prefix('#') {
            Some(number) => Self::with_uid(&text, number.parse().ok()?),
            None => text.lines().filter_map(Self::parse).find(|account| account.name == name),
        }
    }

    /// Finds the account of the current user.
    pub(crate) fn current() -> Option<Self> {
        let text = fs::read_to_string("/etc/passwd").ok()?;
        Self::with_uid(&text, rustix::process::getuid().as_raw())
    }

    /// Returns the IDs of the account's groups, sorted and including the primary group.
    pub(crate) fn groups(&self) -> Vec<u32> {
        let text = fs::read_to_string("/etc/group").unwrap_or_default();
        let joined =
            text.lines().filter_map(GroupEntry::parse).filter(|group| group.members.contains(&self.name.as_str()));
        let mut ids: Vec<u32> = std::iter::once(self.gid).chain(joined.map(|group| group.gid)).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    fn with_uid(text: &str, uid: u32) -> Option<Self> {
        text.lines().filter_map(Self::parse).find(|account| account.uid == uid)
    }

    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, _, home, shell] = fields[..] else { return None };
        let shell = if shell.is_empty() { "/bin/sh" } else { shell };
        let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
        Some(Self { name: name.to_owned(), uid, gid, home: home.to_owned(), shell: shell.to_owned() })
    }
}

/// Finds a group ID by group name, or by `#` and group ID.
pub(crate) fn find_group_id(name: &str) -> Option<u32> {
    if let Some(number) = name.strip_prefix('#') {
        return number.parse().ok();
    }
    let text = fs::read_to_string("/etc/group").ok()?;
    text.lines().filter_map(GroupEntry::parse).find(|group| group.name == name).map(|group| group.gid)
}

struct GroupEntry<'a> {
    name: &'a str,
    gid: u32,
    members: Vec<&'a str>,
}

impl<'a> GroupEntry<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, gid, members] = fields[..] else { return None };
        Some(Self { name, gid: gid.parse().ok()?, members: members.split(',').collect() })
    }
}

/// The contents of the account files.
#[derive(Debug)]
pub(crate) struct AccountFiles {
    pub(crate) passwd: String,
    pub(crate) group: String,
    pub(crate) shadow: String,
}

impl AccountFiles {
    /// Derives the files from the machine's `passwd` and `group`. They contain root, the system
    /// accounts and `account`, but no regular users of the machine.
    pub(crate) fn new(passwd: &str, group: &str, account: &str, users: UserMapping, shell: &str) -> Self {
        let is_system = |name: &str, id: u32| {
            name != account && id != 0 && (id < FIRST_REGULAR_ID || id == NOBODY_ID) && users == UserMapping::AllUsers
        };
        let mut lines = vec![format!("root:x:0:0:root:/root:{shell}")];
        let mut groups = vec!["root:x:0:".to_owned()];
        match users {
            _ if account == "root" => {}
            UserMapping::AllUsers => {
                lines.push(format!("{account}:x:{ACCOUNT_UID}:{ACCOUNT_UID}:{account}:/home/{account}:{shell}"));
                groups.push(format!("{account}:x:{ACCOUNT_UID}:"));
            }
            // The account is a second name of root, the only user.
            UserMapping::RootOnly => lines.push(format!("{account}:x:0:0:root:/root:{shell}")),
        }
        lines.extend(passwd.lines().filter_map(|line| {
            let entry = PasswdEntry::parse(line)?;
            is_system(&entry.name, entry.uid).then(|| line.to_owned())
        }));
        groups.extend(group.lines().filter_map(|line| {
            let entry = GroupEntry::parse(line)?;
            is_system(entry.name, entry.gid).then(|| format!("{}:x:{}:", entry.name, entry.gid))
        }));
        let shadow =
            lines.iter().filter_map(|line| line.split(':').next()).map(|name| format!("{name}:*:19000::::::\n"));
        Self { shadow: shadow.collect(), passwd: lines.join("\n") + "\n", group: groups.join("\n") + "\n" }
    }
}

/// Returns `true` for names accepted by `useradd`. Such names cannot break the account files.
pub(crate) fn is_account_name(name: &str) -> bool {
    let has_valid_start = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
    has_valid_start && name.len() <= 32 && name.chars().all(is_allowed)
}

/// Returns the user ID of the login account, or `None` if root is the login account.
pub(crate) fn account_uid(settings: &HostSettings) -> Option<u32> {
    (settings.users == UserMapping::AllUsers && settings.account != "root").then_some(ACCOUNT_UID)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/zsh\nwww-data:x:33:33:www:/var/www:/usr/sbin/nologin\n\
                          ann:x:1000:1000:Ann:/home/ann:/bin/bash\nnobody:x:65534:65534:nobody:/:/bin/false\nodd\n";
    const GROUP: &str = "root:x:0:\nadm:x:4:ann\nann:x:1000:\n";

    #[test]
    fn system_accounts_are_kept_and_regular_users_omitted() {
        let files = AccountFiles::new(PASSWD, GROUP, "demo", UserMapping::AllUsers, "/bin/bash");
        let names: Vec<String> =
            files.passwd.lines().filter_map(PasswdEntry::parse).map(|account| account.name).collect();
        assert_eq!(names, ["root", "demo", "www-data", "nobody"]);
        assert_eq!(files.group, "root:x:0:\ndemo:x:1000:\nadm:x:4:\n");
        assert!(!files.shadow.contains("ann"), "{}", files.shadow);
    }

    #[test]
    fn with_root_only_the_account_is_a_name_of_root() {
        let files = AccountFiles::new(PASSWD, GROUP, "deploy", UserMapping::RootOnly, "/bin/sh");
        assert_eq!(files.passwd, "root:x:0:0:root:/root:/bin/sh\ndeploy:x:0:0:root:/root:/bin/sh\n");
        assert_eq!(files.group, "root:x:0:\n");
    }

    #[test]
    fn account_names_cannot_break_the_files() {
        for good in ["demo", "_x", "a-b_9"] {
            assert!(is_account_name(good), "{good}");
        }
        for bad in ["", "a:b", "a\nb", "A", "9a", "-a", "a b", "a/../b"] {
            assert!(!is_account_name(bad), "{bad}");
        }
    }
}
