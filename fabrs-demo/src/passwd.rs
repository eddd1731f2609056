//! The accounts of a host: made from the machine's, and looked up as they are at each login.

use std::fs;

use crate::protocol::{HostSettings, UserMapping};

/// The user id of the account that one logs in as, and its group's.
pub(crate) const ACCOUNT_UID: u32 = 1000;
/// The first id that is a person's and no part of the system.
const FIRST_REGULAR_ID: u32 = 1000;
/// The id of `nobody`, which is part of the system all the same.
const NOBODY_ID: u32 = 65534;

/// One line of `passwd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PasswdEntry {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) home: String,
    pub(crate) shell: String,
}

impl PasswdEntry {
    /// Finds an account by its name, or by `#` and its number as sudo has it.
    pub(crate) fn find(name: &str) -> Option<Self> {
        let text = fs::read_to_string("/etc/passwd").ok()?;
        match name.strip_prefix('#') {
            Some(number) => Self::with_uid(&text, number.parse().ok()?),
            None => text.lines().filter_map(Self::parse).find(|account| account.name == name),
        }
    }

    /// Finds the account of the user who runs this process.
    pub(crate) fn current() -> Option<Self> {
        let text = fs::read_to_string("/etc/passwd").ok()?;
        Self::with_uid(&text, rustix::process::getuid().as_raw())
    }

    /// Returns the ids of all groups that it is in.
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

/// Finds a group's id by its name, or by `#` and its number.
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

/// The files that say who is there.
#[derive(Debug)]
pub(crate) struct AccountFiles {
    pub(crate) passwd: String,
    pub(crate) group: String,
    pub(crate) shadow: String,
}

impl AccountFiles {
    /// Makes them from the machine's: root, what belongs to the system, and the account; the machine's people stay out.
    pub(crate) fn new(passwd: &str, group: &str, account: &str, users: UserMapping, shell: &str) -> Self {
        let is_system = |name: &str, id: u32| {
            name != account && id != 0 && (id < FIRST_REGULAR_ID || id == NOBODY_ID) && users == UserMapping::Range
        };
        let mut lines = vec![format!("root:x:0:0:root:/root:{shell}")];
        let mut groups = vec!["root:x:0:".to_owned()];
        match users {
            _ if account == "root" => {}
            UserMapping::Range => {
                lines.push(format!("{account}:x:{ACCOUNT_UID}:{ACCOUNT_UID}:{account}:/home/{account}:{shell}"));
                groups.push(format!("{account}:x:{ACCOUNT_UID}:"));
            }
            // Another name for the only user there is.
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

/// Tells whether a name can be that of an account: as `useradd` has it, so that no file of names is torn by it.
pub(crate) fn is_account_name(name: &str) -> bool {
    let has_valid_start = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
    has_valid_start && name.len() <= 32 && name.chars().all(is_allowed)
}

/// Returns the number of the account where it is one of its own, and not root under another name.
pub(crate) fn account_uid(setup: &HostSettings) -> Option<u32> {
    (setup.users == UserMapping::Range && setup.account != "root").then_some(ACCOUNT_UID)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/zsh\nwww-data:x:33:33:www:/var/www:/usr/sbin/nologin\n\
                          ann:x:1000:1000:Ann:/home/ann:/bin/bash\nnobody:x:65534:65534:nobody:/:/bin/false\nodd\n";
    const GROUP: &str = "root:x:0:\nadm:x:4:ann\nann:x:1000:\n";

    #[test]
    fn the_people_of_the_machine_are_not_there_and_its_system_is() {
        let files = AccountFiles::new(PASSWD, GROUP, "demo", UserMapping::Range, "/bin/bash");
        let names: Vec<String> =
            files.passwd.lines().filter_map(PasswdEntry::parse).map(|account| account.name).collect();
        assert_eq!(names, ["root", "demo", "www-data", "nobody"]);
        assert_eq!(files.group, "root:x:0:\ndemo:x:1000:\nadm:x:4:\n");
        assert!(!files.shadow.contains("ann"), "{}", files.shadow);
    }

    #[test]
    fn where_there_is_only_root_another_name_means_root() {
        let files = AccountFiles::new(PASSWD, GROUP, "deploy", UserMapping::RootOnly, "/bin/sh");
        assert_eq!(files.passwd, "root:x:0:0:root:/root:/bin/sh\ndeploy:x:0:0:root:/root:/bin/sh\n");
        assert_eq!(files.group, "root:x:0:\n");
    }

    #[test]
    fn a_name_can_not_tear_the_files() {
        for good in ["demo", "_x", "a-b_9"] {
            assert!(is_account_name(good), "{good}");
        }
        for bad in ["", "a:b", "a\nb", "A", "9a", "-a", "a b", "a/../b"] {
            assert!(!is_account_name(bad), "{bad}");
        }
    }
}
