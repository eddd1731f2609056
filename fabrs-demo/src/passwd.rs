//! The accounts of a host: made from the machine's, and looked up as they are at each login.

use std::fs;

use crate::protocol::{Setup, Users};

/// The user id of the account that one logs in as, and its group's.
pub(crate) const UID: u32 = 1000;
/// The first id that is a person's and no part of the system.
const FIRST_PERSON: u32 = 1000;
/// The id of `nobody`, which is part of the system all the same.
const NOBODY: u32 = 65534;

/// One line of `passwd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) home: String,
    pub(crate) shell: String,
}

impl Account {
    /// Finds an account by its name, or by `#` and its number as sudo has it.
    pub(crate) fn find(name: &str) -> Option<Self> {
        let text = fs::read_to_string("/etc/passwd").ok()?;
        match name.strip_prefix('#') {
            Some(number) => Self::of_id(&text, number.parse().ok()?),
            None => text.lines().filter_map(Self::read).find(|account| account.name == name),
        }
    }

    /// Finds the account of the user who runs this process.
    pub(crate) fn own() -> Option<Self> {
        let text = fs::read_to_string("/etc/passwd").ok()?;
        Self::of_id(&text, rustix::process::getuid().as_raw())
    }

    /// Returns the ids of all groups that it is in.
    pub(crate) fn groups(&self) -> Vec<u32> {
        let text = fs::read_to_string("/etc/group").unwrap_or_default();
        let more = text.lines().filter_map(Group::read).filter(|group| group.members.contains(&self.name.as_str()));
        let mut ids: Vec<u32> = std::iter::once(self.gid).chain(more.map(|group| group.gid)).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    fn of_id(text: &str, uid: u32) -> Option<Self> {
        text.lines().filter_map(Self::read).find(|account| account.uid == uid)
    }

    fn read(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, _, home, shell] = fields[..] else { return None };
        let shell = if shell.is_empty() { "/bin/sh" } else { shell };
        let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
        Some(Self { name: name.to_owned(), uid, gid, home: home.to_owned(), shell: shell.to_owned() })
    }
}

/// Finds a group's id by its name, or by `#` and its number.
pub(crate) fn group_id(name: &str) -> Option<u32> {
    if let Some(number) = name.strip_prefix('#') {
        return number.parse().ok();
    }
    let text = fs::read_to_string("/etc/group").ok()?;
    text.lines().filter_map(Group::read).find(|group| group.name == name).map(|group| group.gid)
}

struct Group<'a> {
    name: &'a str,
    gid: u32,
    members: Vec<&'a str>,
}

impl<'a> Group<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, gid, members] = fields[..] else { return None };
        Some(Self { name, gid: gid.parse().ok()?, members: members.split(',').collect() })
    }
}

/// The files that say who is there.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) passwd: String,
    pub(crate) group: String,
    pub(crate) shadow: String,
}

impl Files {
    /// Makes them from the machine's: root, what belongs to the system, and the account; the machine's people stay out.
    pub(crate) fn new(passwd: &str, group: &str, account: &str, users: Users, shell: &str) -> Self {
        let of_system = |name: &str, id: u32| {
            name != account && id != 0 && (id < FIRST_PERSON || id == NOBODY) && users == Users::Many
        };
        let mut lines = vec![format!("root:x:0:0:root:/root:{shell}")];
        let mut groups = vec!["root:x:0:".to_owned()];
        match users {
            _ if account == "root" => {}
            Users::Many => {
                lines.push(format!("{account}:x:{UID}:{UID}:{account}:/home/{account}:{shell}"));
                groups.push(format!("{account}:x:{UID}:"));
            }
            // Another name for the only user there is.
            Users::RootOnly => lines.push(format!("{account}:x:0:0:root:/root:{shell}")),
        }
        lines.extend(passwd.lines().filter_map(|line| {
            let read = Account::read(line)?;
            of_system(&read.name, read.uid).then(|| line.to_owned())
        }));
        groups.extend(group.lines().filter_map(|line| {
            let read = Group::read(line)?;
            of_system(read.name, read.gid).then(|| format!("{}:x:{}:", read.name, read.gid))
        }));
        let shadow =
            lines.iter().filter_map(|line| line.split(':').next()).map(|name| format!("{name}:*:19000::::::\n"));
        Self { shadow: shadow.collect(), passwd: lines.join("\n") + "\n", group: groups.join("\n") + "\n" }
    }
}

/// Tells whether a name can be that of an account: as `useradd` has it, so that no file of names is torn by it.
pub(crate) fn is_name(name: &str) -> bool {
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let goes_on = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
    starts && name.len() <= 32 && name.chars().all(goes_on)
}

/// Returns the number of the account where it is one of its own, and not root under another name.
pub(crate) fn own_uid(setup: &Setup) -> Option<u32> {
    (setup.users == Users::Many && setup.account != "root").then_some(UID)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/zsh\nwww-data:x:33:33:www:/var/www:/usr/sbin/nologin\n\
                          ann:x:1000:1000:Ann:/home/ann:/bin/bash\nnobody:x:65534:65534:nobody:/:/bin/false\nodd\n";
    const GROUP: &str = "root:x:0:\nadm:x:4:ann\nann:x:1000:\n";

    #[test]
    fn the_people_of_the_machine_are_not_there_and_its_system_is() {
        let files = Files::new(PASSWD, GROUP, "demo", Users::Many, "/bin/bash");
        let names: Vec<String> = files.passwd.lines().filter_map(Account::read).map(|account| account.name).collect();
        assert_eq!(names, ["root", "demo", "www-data", "nobody"]);
        assert_eq!(files.group, "root:x:0:\ndemo:x:1000:\nadm:x:4:\n");
        assert!(!files.shadow.contains("ann"), "{}", files.shadow);
    }

    #[test]
    fn where_there_is_only_root_another_name_means_root() {
        let files = Files::new(PASSWD, GROUP, "deploy", Users::RootOnly, "/bin/sh");
        assert_eq!(files.passwd, "root:x:0:0:root:/root:/bin/sh\ndeploy:x:0:0:root:/root:/bin/sh\n");
        assert_eq!(files.group, "root:x:0:\n");
    }

    #[test]
    fn a_name_can_not_tear_the_files() {
        for good in ["demo", "_x", "a-b_9"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "a:b", "a\nb", "A", "9a", "-a", "a b", "a/../b"] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
