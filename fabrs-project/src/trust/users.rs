//! The trusted users: root, the user of this process, and the caller of `sudo`.

use std::ffi::OsStr;

/// The ids of the trusted users.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TrustedUsers(Vec<u32>);

impl TrustedUsers {
    /// Returns the trusted users of this process, given the value of `SUDO_UID`.
    pub(crate) fn for_process(sudo_uid: Option<&OsStr>) -> Self {
        Self::for_user(rustix::process::geteuid().as_raw(), sudo_uid)
    }

    /// Uses `SUDO_UID` only if `effective` is root. Any other user could have set the variable to
    /// any number.
    fn for_user(effective: u32, sudo_uid: Option<&OsStr>) -> Self {
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
    fn only_root_trusts_the_caller_of_sudo() {
        let sudo_uid = Some(OsStr::new("1000"));
        assert_eq!(TrustedUsers::for_user(0, sudo_uid), TrustedUsers(vec![0, 0, 1000]));
        assert_eq!(TrustedUsers::for_user(1001, sudo_uid), TrustedUsers(vec![0, 1001]));
        assert_eq!(TrustedUsers::for_user(0, Some(OsStr::new("ann"))), TrustedUsers(vec![0, 0]));
        assert_eq!(TrustedUsers::for_user(0, None), TrustedUsers(vec![0, 0]));
    }
}
