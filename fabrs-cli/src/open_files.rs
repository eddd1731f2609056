//! The limit of open files of the tool.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The highest limits to try. Not simply the hard limit: it may be a billion (systemd, Docker), and the limit is inherited
/// by programs that close every descriptor below it at their start. Giving a child the old limit would take `unsafe` code.
/// The second is for macOS, which allows no more than `kern.maxfilesperproc` although its hard limit is infinite.
const HIGHEST: [u64; 2] = [65_536, 10_240];

/// Raises the soft limit of open files (`ulimit -Sn`) towards the hard limit. Local commands inherit the new limit.
///
/// A limit that can't be raised stays. Fewer hosts are then worked on at once.
pub(crate) fn raise_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    for highest in HIGHEST {
        let raised = maximum.map_or(highest, |maximum| maximum.min(highest));
        if current.is_none_or(|current| current >= raised)
            || setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }).is_ok()
        {
            return;
        }
    }
}
