//! Reads `ssh_config` files and their `Include`s.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::Error;
use crate::location::Location;

use super::criteria::Criterion;
use super::directive::{self, Directive, HostPattern, Setting};
use super::{keyword, line};

/// The files to read, and the base directories for `~` and relative `Include`s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFiles {
    home: PathBuf,
    user: Option<PathBuf>,
    system: Option<PathBuf>,
    is_explicit: bool,
}

impl ConfigFiles {
    /// Selects the files of `ssh`: `.ssh/config` in the home directory, then `/etc/ssh/ssh_config`.
    ///
    /// Either file may be missing. Other users must not be able to write to the file of the user.
    pub fn standard(home: impl Into<PathBuf>) -> Self {
        let home = home.into();
        let user = home.join(".ssh/config");
        Self { home, user: Some(user), system: Some(PathBuf::from("/etc/ssh/ssh_config")), is_explicit: false }
    }

    /// Selects a single file instead of the standard files (`ssh -F`). The file must exist.
    ///
    /// ```
    /// use fabrs_openssh::config::{ConfigFiles, Query, SshConfig};
    ///
    /// let home = tempfile::tempdir()?;
    /// let path = home.path().join("config");
    /// std::fs::write(&path, "Port 2222\n")?;
    /// let config = SshConfig::load(&ConfigFiles::only(&path, home.path()))?;
    /// assert_eq!(config.resolve(&Query::new("web1", "alice", home.path()))?.port, Some(2222));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn only(path: impl Into<PathBuf>, home: impl Into<PathBuf>) -> Self {
        Self { home: home.into(), user: Some(path.into()), system: None, is_explicit: true }
    }

    /// Replaces the system-wide file. Its directory is the base of its relative `Include`s.
    ///
    /// ```
    /// use fabrs_openssh::config::{ConfigFiles, Query, SshConfig};
    ///
    /// let home = tempfile::tempdir()?;
    /// let path = home.path().join("ssh_config");
    /// std::fs::write(&path, "Port 2222\n")?;
    /// let files = ConfigFiles::standard(home.path()).system(&path);
    /// let config = SshConfig::load(&files)?;
    /// assert_eq!(config.resolve(&Query::new("web1", "alice", home.path()))?.port, Some(2222));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "returns the changed files"]
    pub fn system(mut self, path: impl Into<PathBuf>) -> Self {
        self.system = Some(path.into());
        self
    }
}

/// The parsed client configuration, independent of a host. Earlier files take precedence.
#[derive(Clone, Debug, Default)]
pub struct SshConfig {
    pub(super) files: Vec<ParsedFile>,
}

#[derive(Clone, Debug)]
pub(super) struct ParsedFile {
    pub(super) origin: Origin,
    pub(super) lines: Vec<ParsedLine>,
}

#[derive(Clone, Debug)]
pub(super) struct ParsedLine {
    pub(super) at: Location,
    pub(super) content: Content,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Host(Vec<HostPattern>),
    Match(Vec<Criterion>),
    Included(Vec<ParsedFile>),
    Set(Setting),
    /// An unknown keyword. For each host, the effect depends on `IgnoreUnknown`.
    Unknown(String),
    /// A line ignored for every host, with the text of the warning.
    Ignored(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    User,
    System,
}

/// The maximum depth of nested `Include`s, as in `ssh`.
const MAX_INCLUDE_DEPTH: usize = 16;

impl SshConfig {
    /// Reads the files and all included files.
    ///
    /// # Errors
    ///
    /// - [`Error::Syntax`] for a malformed line, as in `ssh`.
    /// - [`Error::IncludeDepth`] for files that include each other.
    /// - [`Error::Permissions`] if other users can write to the standard file of the user, or to an
    ///   included file.
    /// - [`Error::Read`] if a file cannot be read.
    pub fn load(files: &ConfigFiles) -> Result<Self, Error> {
        let mut config = Self::default();
        let are_standard = !files.is_explicit;
        let of_user = files.user.iter().map(|path| (path, Origin::User, are_standard));
        let of_system = files.system.iter().map(|path| (path, Origin::System, false));
        for (path, origin, must_be_private) in of_user.chain(of_system) {
            let reader = FileReader { files, origin };
            match read_file(path, must_be_private) {
                Ok(text) => config.files.push(reader.parse(&text, path, 0)?),
                Err(Error::Read { source, .. }) if are_standard && source.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(config)
    }

    /// Parses the text of a configuration, as if read from the file of the user. `path` is the file
    /// name in errors and warnings.
    ///
    /// This function opens no files. An `Include` is ignored with a warning.
    ///
    /// # Errors
    ///
    /// [`Error::Syntax`] for a malformed line, as in `ssh`.
    pub fn parse(text: &str, path: impl AsRef<Path>) -> Result<Self, Error> {
        let file = parse_lines(text, path.as_ref(), Origin::User, &mut |_, _| {
            Ok(Content::Ignored("`Include` is ignored: the configuration was not read from a file".to_owned()))
        })?;
        Ok(Self { files: vec![file] })
    }

    /// Parses a configuration printed by another program, such as `vagrant ssh-config`, and reads
    /// its included files.
    ///
    /// The text is the only configuration, as with `ssh -F`. `name` is the file name in errors and
    /// warnings. Relative `Include`s are resolved against `.ssh` in the home directory.
    ///
    /// ```
    /// use fabrs_openssh::config::{Query, SshConfig};
    ///
    /// let config = SshConfig::parse_with_includes("Port 2222\n", "vagrant ssh-config", "/home/alice")?;
    /// assert_eq!(config.resolve(&Query::new("default", "alice", "/home/alice"))?.port, Some(2222));
    /// # Ok::<(), fabrs_openssh::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`SshConfig::load`].
    pub fn parse_with_includes(text: &str, name: impl AsRef<Path>, home: impl Into<PathBuf>) -> Result<Self, Error> {
        let files = ConfigFiles::only(name.as_ref(), home);
        let reader = FileReader { files: &files, origin: Origin::User };
        Ok(Self { files: vec![reader.parse(text, name.as_ref(), 0)?] })
    }

    /// Returns the plain names in `Host` lines, in order and without duplicates. Skips patterns and
    /// included files.
    ///
    /// ```
    /// use fabrs_openssh::config::SshConfig;
    ///
    /// let config = SshConfig::parse("Host web db\n  Port 2222\nHost *.example.com !db web\n", "config")?;
    /// assert_eq!(config.host_names(), ["web", "db"]);
    /// # Ok::<(), fabrs_openssh::Error>(())
    /// ```
    pub fn host_names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for line in self.files.iter().flat_map(|file| &file.lines) {
            let Content::Host(patterns) = &line.content else { continue };
            for HostPattern { is_negated, pattern } in patterns {
                if !is_negated && !pattern.contains(['*', '?']) && !names.contains(&pattern.as_str()) {
                    names.push(pattern.as_str());
                }
            }
        }
        names
    }
}

struct FileReader<'a> {
    files: &'a ConfigFiles,
    origin: Origin,
}

impl FileReader<'_> {
    fn parse(&self, text: &str, path: &Path, depth: usize) -> Result<ParsedFile, Error> {
        parse_lines(text, path, self.origin, &mut |patterns, at| self.include(patterns, at, depth + 1))
    }

    fn include(&self, patterns: &[String], at: &Location, depth: usize) -> Result<Content, Error> {
        if depth > MAX_INCLUDE_DEPTH {
            return Err(Error::IncludeDepth { at: at.clone(), limit: MAX_INCLUDE_DEPTH });
        }
        let mut included = Vec::new();
        for pattern in patterns {
            if pattern.contains("${") || pattern.contains('%') {
                let text = format!("`Include {pattern}` is ignored: tokens are not expanded");
                let lines = vec![ParsedLine { at: at.clone(), content: Content::Ignored(text) }];
                included.push(ParsedFile { origin: self.origin, lines });
                continue;
            }
            let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
            let paths = glob::glob_with(&self.absolute_pattern(pattern, at)?, options)
                .map_err(|error| Error::syntax(at, format!("`Include {pattern}`: {error}")))?;
            // Like `ssh`, treat a directory that cannot be listed as empty.
            for path in paths.flatten() {
                match read_file(&path, true) {
                    Ok(text) => included.push(self.parse(&text, &path, depth)?),
                    // Like `ssh`, read nothing from a dangling symlink or a directory.
                    Err(Error::Read { .. }) if !path.is_file() => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(Content::Included(included))
    }

    /// Makes a pattern absolute. Wildcard characters in the base directory are escaped.
    fn absolute_pattern(&self, pattern: &str, at: &Location) -> Result<String, Error> {
        let literal = |directory: &Path| glob::Pattern::escape(&directory.to_string_lossy());
        match (pattern.strip_prefix('~'), self.origin) {
            (Some(_), Origin::System) => {
                Err(Error::syntax(at, format!("`Include {pattern}`: `~` is not allowed in the system-wide file")))
            }
            (Some(rest), Origin::User) if rest.is_empty() || rest.starts_with('/') => {
                Ok(format!("{}{rest}", literal(&self.files.home)))
            }
            (Some(_), Origin::User) => Err(Error::syntax(
                at,
                format!("`Include {pattern}`: the home directory of another user is not supported"),
            )),
            (None, _) if pattern.starts_with('/') => Ok(pattern.to_owned()),
            (None, Origin::User) => Ok(format!("{}/{pattern}", literal(&self.files.home.join(".ssh")))),
            (None, Origin::System) => {
                let directory = self.files.system.as_deref().and_then(Path::parent).unwrap_or(Path::new("/etc/ssh"));
                Ok(format!("{}/{pattern}", literal(directory)))
            }
        }
    }
}

type OnInclude<'a> = dyn FnMut(&[String], &Location) -> Result<Content, Error> + 'a;

fn parse_lines(text: &str, path: &Path, origin: Origin, include: &mut OnInclude<'_>) -> Result<ParsedFile, Error> {
    let file: Arc<Path> = Arc::from(path);
    let mut lines = Vec::new();
    if text.starts_with('\u{feff}') {
        let at = Location { file, line: 1 };
        return Err(Error::syntax(&at, "the file starts with a byte order mark (BOM): save it as UTF-8 without a BOM"));
    }
    for (index, text) in text.split('\n').enumerate() {
        let Some((name, rest)) = line::split_keyword(text) else { continue };
        let at = Location { file: Arc::clone(&file), line: index + 1 };
        let content = match keyword::find(&name) {
            None => Content::Unknown(name),
            Some(keyword) => {
                match directive::parse(keyword, &name, rest, &at).map_err(|problem| Error::syntax(&at, problem))? {
                    Directive::Host(patterns) => Content::Host(patterns),
                    Directive::Match(criteria) => Content::Match(criteria),
                    Directive::Include(patterns) => include(&patterns, &at)?,
                    Directive::Set(setting) => Content::Set(setting),
                }
            }
        };
        lines.push(ParsedLine { at, content });
    }
    Ok(ParsedFile { origin, lines })
}

fn read_file(path: &Path, must_be_private: bool) -> Result<String, Error> {
    let bytes = fs::read(path).map_err(|source| Error::read(path, source))?;
    if must_be_private && !has_safe_permissions(path)? {
        return Err(Error::Permissions { path: path.to_owned() });
    }
    // A name that is not UTF-8 matches no host. The other lines are still valid.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns true if only the user and root can write to the file. A configuration can run commands.
#[cfg(unix)]
fn has_safe_permissions(path: &Path) -> Result<bool, Error> {
    use std::os::unix::fs::MetadataExt as _;

    let metadata = fs::metadata(path).map_err(|source| Error::read(path, source))?;
    let owner = metadata.uid();
    Ok((owner == 0 || owner == rustix::process::getuid().as_raw()) && metadata.mode() & 0o022 == 0)
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the Unix version can fail")]
fn has_safe_permissions(_path: &Path) -> Result<bool, Error> {
    Ok(true)
}
