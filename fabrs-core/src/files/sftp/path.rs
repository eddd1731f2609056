//! Paths on a host, as its SFTP server takes them: `/` between names, and no `~`.

use std::ffi::OsStr;

use super::fault::Fault;
use super::session::Session;

/// Returns a path for the server, which begins relative ones where the login does: at home.
pub(super) fn sent(cwd: Option<&str>, path: &str) -> String {
    let path = match (below_home(path), cwd) {
        (Some(rest), _) => rest.to_owned(),
        (None, Some(cwd)) if !path.starts_with('/') => join(below_home(cwd).unwrap_or(cwd), path),
        _ => path.to_owned(),
    };
    if path.is_empty() { ".".to_owned() } else { path }
}

/// Returns what of a path is below the home, where it begins there.
pub(super) fn below_home(path: &str) -> Option<&str> {
    let rest = path.strip_prefix('~')?;
    (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_start_matches('/'))
}

/// Returns a name as the protocol's library takes it.
pub(super) fn text(name: &OsStr) -> Result<&str, Fault> {
    name.to_str().ok_or_else(|| Fault::said("a name that is not UTF-8 can't be sent by SFTP"))
}

/// Returns the path of a name in a folder.
pub(super) fn join(folder: &str, name: &str) -> String {
    match folder {
        "" | "." => name.to_owned(),
        folder if folder.ends_with('/') => format!("{folder}{name}"),
        folder => format!("{folder}/{name}"),
    }
}

/// Returns the folder that a path is in.
pub(super) fn parent(path: &str) -> &str {
    match path.trim_end_matches('/').rsplit_once('/') {
        Some(("", _)) => "/",
        Some((folder, _)) => folder,
        None if path.starts_with('/') => "/",
        None => ".",
    }
}

impl Session {
    /// Returns a path of the user's for the server.
    pub(super) fn path(&self, path: &str) -> String {
        sent(self.context.connection.directory(), path)
    }

    /// Returns a path of the user's with the home in the place of `~`, as a shell shows it.
    pub(super) async fn expanded(&self, path: &str) -> Result<String, Fault> {
        let Some(rest) = below_home(path) else { return Ok(path.to_owned()) };
        let name = self.ask(self.raw().realpath(".")).await?;
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
    fn a_path_begins_at_home_or_in_the_directory_or_at_the_root() {
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
    fn the_folder_of_a_path_is_what_is_before_its_last_name() {
        for (path, folder) in [("/a/b", "/a"), ("/a", "/"), ("a", "."), ("a/b", "a"), ("a/b/", "a"), ("/", "/")] {
            assert_eq!(parent(path), folder, "{path}");
        }
    }
}
