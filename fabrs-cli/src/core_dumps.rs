//! Disables core dumps of the process, because its memory contains secrets.

/// Disables core dumps of this process. Other processes of the same user can't read its memory
/// either.
///
/// On Linux, child processes are not affected: `execve` makes a process dumpable again. Lowering
/// `RLIMIT_CORE` instead would be inherited, and has no effect if `core_pattern` is a pipe, as
/// with systemd.
#[cfg(target_os = "linux")]
pub(crate) fn disable() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};

    // Fails only for an unknown value.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Disables core dumps of this process and its children. Children inherit the soft limit, and may
/// raise it again.
#[cfg(not(target_os = "linux"))]
pub(crate) fn disable() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let maximum = getrlimit(Resource::Core).maximum;
    // Lowering a soft limit is always allowed.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum });
}
