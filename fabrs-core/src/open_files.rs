//! The limit of open files of this process, and the errors that it causes.

use std::error::Error as StdError;
use std::fs::File;
use std::io;

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

/// Returns how many files this process may open (`ulimit -n`), or `None` without a limit.
pub(crate) fn limit() -> Option<usize> {
    getrlimit(Resource::Nofile).current.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// Returns whether an error, or one of its causes, is the open file limit.
pub(crate) fn is_exhausted(error: &(dyn StdError + 'static)) -> bool {
    exceeded(error).is_some()
}

/// Returns the error of opening a file now, if the open file limit forbids it.
///
/// For functions that hide the reason of a failure: `getaddrinfo` reports an unknown name if it can't open `/etc/hosts`.
pub(crate) fn exhausted() -> Option<io::Error> {
    File::open("/dev/null").err().filter(|error| is_exhausted(error))
}

/// Returns a hint for an error that the open file limit has caused.
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

/// A limit of open files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    /// `ulimit -n`.
    Process,
    /// Linux: `fs.file-max`.
    System,
}

/// Returns the limit that caused an error.
///
/// The text is compared, and not the type: errors of russh are transparent, so that neither they nor their sources are
/// an [`io::Error`].
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
    fn a_limit_is_found_behind_other_errors() {
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
