//! Paths for an SFTP server, which separates names by `/` and does not expand `~`.

use std::ffi::OsStr;

use super::request_error::RequestError;
use super::session::SftpSession;

/// Returns a path for the server. The server resolves a relative path against the home directory.
pub(crate) fn sent(cwd: Option<&str>, path: &str) -> String {
    let path = match (below_home(path), cwd) {
        (Some(rest), _) => rest.to_owned(),
        (None, Some(cwd)) if !path.starts_with('/') => join(below_home(cwd).unwrap_or(cwd), path),
        _ => path.to_owned(),
    };
    if path.is_empty() { ".".to_owned() } else { path }
}

/// Returns the part of a path below the home directory, or `None` for a path without `~`.
pub(crate) fn below_home(path: &str) -> Option<&str> {
    let rest = path.strip_prefix('~')?;
    (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_start_matches('/'))
}

/// Returns a file name as text, which the `russh-sftp` crate requires.
pub(crate) fn text(name: &OsStr) -> Result<&str, RequestError> {
    name.to_str().ok_or_else(|| RequestError::message("SFTP cannot send a name that is not UTF-8"))
}

/// Returns the path of a name in a directory.
pub(crate) fn join(folder: &str, name: &str) -> String {
    match folder {
        "" | "." => name.to_owned(),
        folder if folder.ends_with('/') => format!("{folder}{name}"),
        folder => format!("{folder}/{name}"),
    }
}

/// Returns the parent directory of a path.
pub(crate) fn parent(path: &str) -> &str {
    match path.trim_end_matches('/').rsplit_once('/') {
        Some(("", _)) => "/",
        Some((folder, _)) => folder,
        None if path.starts_with('/') => "/",
        None => ".",
    }
}

impl SftpSession {
    /// Converts a path of the user into a path for the server.
    pub(crate) fn path(&self, path: &str) -> String {
        sent(self.context.connection.directory(), path)
    }

    /// Replaces `~` in a path by the home directory, as a shell does.
    pub(crate) async fn expanded(&self, path: &str) -> Result<String, RequestError> {
        let Some(rest) = below_home(path) else { return Ok(path.to_owned()) };
        let name = self.request(self.raw().realpath(".")).await?;
        let home = name.files.first().map(|file| file.filename.as_str()).unwrap_or_default();
        Ok(if rest.is_empty() { home.to_owned() } else { join(home, rest) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn case(cwd: Option<&str>, path: &str, expected: &str) {
        assert_eq!(sent(cwd, path), expected);
    }

    #[test]
    fn relative_paths_start_in_the_directory_or_at_home() {
        case(None, "x", "x");
        case(None, "~/x", "x");
        case(None, "~", ".");
        case(None, "~other", "~other");
        case(None, "./", "./");
        case(Some("/srv"), "x/y", "/srv/x/y");
        case(Some("/srv/"), "/etc/x", "/etc/x");
        case(Some("/srv"), "~/x", "x");
        case(Some("~/app"), "x", "app/x");
        case(Some("~"), "x", "x");
        case(Some("app"), "./", "app/./");
    }

    #[test]
    fn the_parent_is_the_path_without_the_last_name() {
        for (path, folder) in [("/a/b", "/a"), ("/a", "/"), ("a", "."), ("a/b", "a"), ("a/b/", "a"), ("/", "/")] {
            assert_eq!(parent(path), folder, "{path}");
        }
    }
}
