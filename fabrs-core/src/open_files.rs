//! The open file limit of this process, and errors caused by the limit.

use std::error::Error as StdError;
use std::fs::File;
use std::io;

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

/// Returns the open file limit of this process (`ulimit -n`), or `None` without a limit.
pub(crate) fn limit() -> Option<usize> {
    getrlimit(Resource::Nofile).current.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// Returns true if the open file limit caused an error.
pub(crate) fn is_exhausted(error: &(dyn StdError + 'static)) -> bool {
    exceeded(error).is_some()
}

/// Tries to open a file. Returns the error if the open file limit is reached.
///
/// For functions that hide the reason of a failure: `getaddrinfo` reports an unknown name if
/// `/etc/hosts` cannot be opened.
pub(crate) fn exhausted() -> Option<io::Error> {
    File::open("/dev/null").err().filter(|error| is_exhausted(error))
}

/// Returns a hint for an error caused by the open file limit.
pub(crate) fn hint(error: &(dyn StdError + 'static)) -> Option<String> {
    let fewer = "use fewer hosts at once with `-P`";
    Some(match (exceeded(error)?, limit()) {
        (Limit::Process, Some(limit)) => {
            format!("the open file limit is {limit}: raise it with `ulimit -n`, or {fewer}")
        }
        (Limit::Process, None) => format!("the open file limit of this process is reached: {fewer}"),
        (Limit::System, _) => format!("the open file limit of this machine is reached: {fewer}"),
    })
}

/// An open file limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    /// The limit of the process (`ulimit -n`).
    Process,
    /// The limit of the machine (Linux: `fs.file-max`).
    System,
}

/// Returns the limit that caused an error.
///
/// The comparison uses the text instead of the type. Errors of russh are transparent, so neither
/// these errors nor their sources are an [`io::Error`].
fn exceeded(error: &(dyn StdError + 'static)) -> Option<Limit> {
    let named = |errno: Errno| format!("(os error {})", errno.raw_os_error());
    let (process, system) = (named(Errno::MFILE), named(Errno::NFILE));
    std::iter::successors(Some(error), |error| (**error).source()).map(ToString::to_string).find_map(|text| {
        let is_system = text.contains(&system).then_some(Limit::System);
        text.contains(&process).then_some(Limit::Process).or(is_system)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn os(errno: Errno) -> io::Error {
        io::Error::from_raw_os_error(errno.raw_os_error())
    }

    #[test]
    fn the_limit_is_found_in_nested_errors() {
        #[derive(Debug, thiserror::Error)]
        #[error(transparent)]
        struct Transparent(#[from] io::Error);

        #[derive(Debug, thiserror::Error)]
        #[error("could not connect")]
        struct Outer(#[source] Transparent);

        assert_eq!(exceeded(&os(Errno::MFILE)), Some(Limit::Process));
        assert_eq!(exceeded(&os(Errno::NFILE)), Some(Limit::System));
        assert_eq!(exceeded(&Outer(os(Errno::MFILE).into())), Some(Limit::Process));
        assert_eq!(exceeded(&io::Error::other(os(Errno::MFILE))), Some(Limit::Process));
        assert_eq!(exceeded(&Outer(os(Errno::CONNREFUSED).into())), None);
    }

    #[test]
    fn the_hint_has_the_number_and_the_command() {
        let hint = hint(&os(Errno::MFILE)).unwrap();
        let limit = limit().unwrap();
        let expected = format!("the open file limit is {limit}: raise it with `ulimit -n`, or use fewer ");
        assert!(hint.starts_with(&expected), "{hint}");
    }
}
