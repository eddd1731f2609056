//! Uncommitted changes of a local work tree.

/// Lists up to 5 changed files below the current directory, as `git status --porcelain`.
/// Fails if git fails: a pipeline of commands would hide the exit status.
pub(crate) const CHANGED_FILES: &str = "\
    changed=$(git --no-optional-locks status --porcelain --untracked-files=normal .) || exit 1; \
    test -z \"$changed\" || printf '%s\\n' \"$changed\" | head -n 5";

/// Returns the reason to refuse a work tree with changed files, as listed by [`CHANGED_FILES`].
pub(crate) fn uncommitted_changes<S: AsRef<str>>(changed: &[S]) -> Option<String> {
    let (first, others) = changed.split_first()?;
    let first = first.as_ref();
    let path = first.get(3..).unwrap_or(first);
    Some(match others {
        [] => format!("`{path}` has uncommitted changes"),
        _ => format!("`{path}` and other files have uncommitted changes"),
    })
}
