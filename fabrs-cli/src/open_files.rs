//! Raises the open file limit (`ulimit -n`) of the tool.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The soft limits to try, highest first.
///
/// The hard limit may be a billion (systemd, Docker), and some child programs close every
/// descriptor below the limit they inherit. Resetting the limit for a child would need `unsafe`
/// code. macOS rejects more than `kern.maxfilesperproc` even if the hard limit is infinite, hence
/// the second value.
const SOFT_LIMITS: [u64; 2] = [65_536, 10_240];

/// Raises the soft open file limit (`ulimit -Sn`) towards the hard limit. Local commands inherit
/// the new limit.
///
/// If the limit can't be raised, the old limit remains and fewer hosts run at once.
pub(crate) fn raise_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    for highest in SOFT_LIMITS {
        let raised = maximum.map_or(highest, |maximum| maximum.min(highest));
        if current.is_none_or(|current| current >= raised)
            || setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }).is_ok()
        {
            return;
        }
    }
}
