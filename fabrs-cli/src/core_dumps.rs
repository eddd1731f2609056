//! Core dumps of the tool, which would have its secrets in them.

/// Turns off core dumps of this process. Other processes of the same user can't read its memory either.
///
/// On Linux, programs that the tool starts are not affected: `execve` makes them dumpable again. `RLIMIT_CORE` is inherited,
/// and does not apply where `core_pattern` is a pipe, as with systemd.
#[cfg(target_os = "linux")]
pub(crate) fn disable() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};

    // Fails only for a value that does not exist.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Turns off core dumps of this process, and of the programs that it starts: they inherit the soft limit, and may raise it.
#[cfg(not(target_os = "linux"))]
pub(crate) fn disable() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let maximum = getrlimit(Resource::Core).maximum;
    // A soft limit may always be lowered.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum });
}
