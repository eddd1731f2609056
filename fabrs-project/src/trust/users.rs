//! The users whose files are trusted: root, the user of this process, and the user who called `sudo`.

use std::ffi::OsStr;

/// User ids.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TrustedUsers(Vec<u32>);

impl TrustedUsers {
    /// Returns those that this process trusts, given the value of `SUDO_UID`.
    pub(crate) fn of_process(sudo_uid: Option<&OsStr>) -> Self {
        Self::of(rustix::process::geteuid().as_raw(), sudo_uid)
    }

    /// `SUDO_UID` counts for root alone: anybody else could have set it to any number.
    fn of(effective: u32, sudo_uid: Option<&OsStr>) -> Self {
        let caller = sudo_uid.and_then(OsStr::to_str).and_then(|uid| uid.parse().ok()).filter(|_| effective == 0);
        Self([0, effective].into_iter().chain(caller).collect())
    }

    pub(crate) fn contains(&self, uid: u32) -> bool {
        self.0.contains(&uid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_of_sudo_is_trusted_by_root_alone() {
        let sudo_uid = Some(OsStr::new("1000"));
        assert_eq!(TrustedUsers::of(0, sudo_uid), TrustedUsers(vec![0, 0, 1000]));
        assert_eq!(TrustedUsers::of(1001, sudo_uid), TrustedUsers(vec![0, 1001]));
        assert_eq!(TrustedUsers::of(0, Some(OsStr::new("ann"))), TrustedUsers(vec![0, 0]));
        assert_eq!(TrustedUsers::of(0, None), TrustedUsers(vec![0, 0]));
    }
}
