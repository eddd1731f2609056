//! Walks a local source and lists its files, directories and symlinks.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use ignore::{DirEntry, WalkBuilder};

use super::content::{Generated, UploadContent};
use super::patterns::Patterns;
use super::source::Source;
use super::template_vars::TemplateVars;
use super::tilde::expand_tilde;
use crate::error::{Error, ErrorKind, Result};

/// An entry of a source.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) content: ItemKind,
    /// The path below the target, or `None` for a single file.
    pub(crate) below: Option<PathBuf>,
}

impl Item {
    /// Returns the file name for a target that is a directory. The name is empty for bytes, and for
    /// an entry with a path below the target.
    pub(crate) fn name(&self) -> OsString {
        match (&self.below, &self.content) {
            (None, ItemKind::File(UploadContent::Path(path))) => own_name(path),
            (None, ItemKind::File(UploadContent::Generated(name, _))) => template_name(name),
            _ => OsString::new(),
        }
    }

    /// Returns the entry for messages.
    pub(crate) fn shown(&self) -> String {
        match (&self.content, &self.below) {
            (ItemKind::File(source), _) => format!("{source:?}"),
            (_, Some(below)) => below.display().to_string(),
            (_, None) => String::new(),
        }
    }
}

/// The kind of an entry, with its content.
#[derive(Debug, Clone)]
pub(crate) enum ItemKind {
    /// A local regular file, or generated content.
    File(UploadContent),
    Directory,
    /// A symlink, with its target.
    Link(PathBuf),
}

/// The filter for the entries of a directory.
#[derive(Debug, Clone, Default)]
pub(crate) struct SourceFilter {
    /// The patterns of excluded files.
    pub(crate) excludes: Vec<String>,
    /// True if files listed in `.gitignore` and `.ignore` are excluded.
    pub(crate) uses_ignore_files: bool,
}

impl SourceFilter {
    /// Lists the entries of a source. Two entries with the same path are an error. This blocks.
    pub(crate) fn items(&self, source: &Source, vars: &TemplateVars) -> Result<Vec<Item>> {
        let items = self.list(source, vars)?;
        let mut targets = HashMap::new();
        let duplicate = items.iter().find(|item| {
            let is_directory = matches!(item.content, ItemKind::Directory);
            targets.insert(&item.below, is_directory).is_some_and(|was_directory| !(is_directory && was_directory))
        });
        if let Some(item) = duplicate {
            let text = format!("`{}` and another file of {source:?} have the same target", item.shown());
            return Err(Error::new(ErrorKind::Usage, text));
        }
        Ok(items)
    }

    fn list(&self, source: &Source, vars: &TemplateVars) -> Result<Vec<Item>> {
        let path = match source {
            Source::Bytes(bytes) => return Ok(vec![single_file(UploadContent::Bytes(bytes.clone()))]),
            Source::Secret(secret) => return Ok(vec![single_file(UploadContent::Secret(secret.clone()))]),
            Source::Reader(reader) => {
                let (file, size) = reader.file()?;
                return Ok(vec![single_file(UploadContent::Generated(
                    reader.to_string().into(),
                    Generated::File(file, size),
                ))]);
            }
            #[cfg(feature = "template")]
            Source::Template(template) => {
                let rendered = template.render(vars)?;
                return Ok(vec![single_file(UploadContent::Generated(
                    template.to_string().into(),
                    Generated::Bytes(rendered.into()),
                ))]);
            }
            Source::List(sources) => {
                let each =
                    sources.iter().map(|source| self.list_with_name(source, vars)).collect::<Result<Vec<_>>>()?;
                return Ok(each.into_iter().flatten().collect());
            }
            Source::Path(path) => expand_tilde(path),
        };
        if path.is_dir() {
            return self.list_directory(&path, Path::new(""));
        }
        if path.exists() || !is_pattern(&path.to_string_lossy()) {
            return Ok(vec![file(path)?]);
        }
        self.matches(&path)
    }

    /// Lists the entries of one source of a list. As with `cp`, each source keeps its own name.
    fn list_with_name(&self, source: &Source, vars: &TemplateVars) -> Result<Vec<Item>> {
        let mut items = self.list(source, vars)?;
        let name = match source {
            Source::Path(path) if expand_tilde(path).is_dir() => own_name(&expand_tilde(path)),
            _ => OsString::new(),
        };
        for item in &mut items {
            item.below = match &item.below {
                Some(below) => Some(Path::new(&name).join(below)),
                None if item.name().is_empty() => {
                    let text = format!("{source:?} in a list of sources has no file name");
                    return Err(Error::new(ErrorKind::Usage, text)
                        .hint("upload the source separately, with a file name in the target"));
                }
                None => Some(item.name().into()),
            };
        }
        if !name.is_empty() {
            items.insert(0, directory_entry(name.into()));
        }
        Ok(items)
    }

    /// Lists the matches of a pattern. The path of a match is relative to the last directory before
    /// the first wildcard.
    fn matches(&self, path: &Path) -> Result<Vec<Item>> {
        let shown = path.display().to_string();
        let none = || Error::new(ErrorKind::Local, format!("no such local file: `{shown}`"));
        let is_wild = |part: &Component<'_>| is_pattern(&part.as_os_str().to_string_lossy());
        let root: PathBuf = path.components().take_while(|part| !is_wild(part)).collect();
        let below: PathBuf = path.components().skip_while(|part| !is_wild(part)).collect();
        let pattern = below.to_string_lossy().into_owned();
        let matcher = matcher(&pattern).map_err(|source| none().caused_by(source))?;
        let mut walk = self.walk(if root.as_os_str().is_empty() { Path::new(".") } else { &root })?;
        // As in a shell, `*` does not match hidden files.
        walk.hidden(!pattern.split('/').any(|part| part.starts_with('.')));
        if !pattern.contains("**") {
            walk.max_depth(Some(below.components().count()));
        }
        let mut items = Vec::new();
        let mut found: Option<PathBuf> = None;
        for entry in walk.build() {
            let entry = entry.map_err(walk_error)?;
            let below = below_root(&entry, &root);
            // The entries below a matching directory are already listed.
            let is_listed = found.as_ref().is_some_and(|found| below.starts_with(found));
            if is_listed || below.as_os_str().is_empty() || !matcher.is_match(&below) {
                continue;
            }
            if entry.path().is_dir() {
                items.push(directory_entry(below.clone()));
                items.extend(self.list_directory(entry.path(), &below)?);
                found = Some(below);
            } else {
                items.push(Item { below: Some(below), ..file(entry.into_path())? });
            }
        }
        if items.is_empty() { Err(none()) } else { Ok(items) }
    }

    /// Lists the entries of a directory, with paths below `name`. Symlinks are not followed.
    fn list_directory(&self, root: &Path, name: &Path) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        for entry in self.walk(root)?.build() {
            let entry = entry.map_err(walk_error)?;
            let below = below_root(&entry, root);
            if below.as_os_str().is_empty() {
                continue;
            }
            let kind = entry.file_type();
            let path = entry.into_path();
            let content = match kind {
                Some(kind) if kind.is_dir() => ItemKind::Directory,
                Some(kind) if kind.is_symlink() => ItemKind::Link(std::fs::read_link(&path).map_err(|source| {
                    Error::new(ErrorKind::Local, format!("could not read `{}`", path.display())).caused_by(source)
                })?),
                Some(kind) if kind.is_file() => ItemKind::File(UploadContent::Path(path.clone())),
                _ => return Err(not_regular(&path)),
            };
            items.push(Item { content, below: Some(name.join(below)) });
        }
        Ok(items)
    }

    fn walk(&self, root: &Path) -> Result<WalkBuilder> {
        let mut walk = WalkBuilder::new(root);
        walk.standard_filters(false).follow_links(false).sort_by_file_name(Ord::cmp);
        if self.uses_ignore_files {
            // Ignore files also apply outside of a repository, such as in an unpacked archive.
            walk.ignore(true).git_ignore(true).parents(true).require_git(false);
        }
        if !self.excludes.is_empty() {
            let (root, excludes) = (root.to_owned(), Patterns::new(&self.excludes, "excluded")?);
            walk.filter_entry(move |entry| !excludes.matches(&below_root(entry, &root)));
        }
        Ok(walk)
    }
}

fn matcher(pattern: &str) -> std::result::Result<GlobMatcher, globset::Error> {
    Ok(GlobBuilder::new(pattern).literal_separator(true).build()?.compile_matcher())
}

/// Returns true if a path has a wildcard.
fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '[', '{'])
}

fn below_root(entry: &DirEntry, root: &Path) -> PathBuf {
    let path = entry.path();
    let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
    path.strip_prefix(root).unwrap_or(path).to_owned()
}

/// Returns the entry of a single file.
fn file(path: PathBuf) -> Result<Item> {
    let shown = path.display().to_string();
    match path.metadata() {
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
            let error = Error::new(ErrorKind::Local, format!("no such local file: `{shown}`"));
            let is_text = shown.contains(char::is_whitespace);
            Err(if is_text { error.hint("use `.write(target, text)` to upload a text") } else { error })
        }
        Err(source) => Err(Error::new(ErrorKind::Local, format!("could not read `{shown}`")).caused_by(source)),
        Ok(meta) if !meta.is_file() => Err(not_regular(&path)),
        Ok(_) => Ok(single_file(UploadContent::Path(path))),
    }
}

fn not_regular(path: &Path) -> Error {
    Error::new(ErrorKind::Local, format!("`{}` is not a regular file", path.display()))
}

fn single_file(content: UploadContent) -> Item {
    Item { content: ItemKind::File(content), below: None }
}

fn directory_entry(below: PathBuf) -> Item {
    Item { content: ItemKind::Directory, below: Some(below) }
}

/// Returns the last name of a path. For `.` and `..`, returns the real name of the directory.
fn own_name(path: &Path) -> OsString {
    let name = path.file_name().map(OsString::from);
    name.or_else(|| path.canonicalize().ok()?.file_name().map(OsString::from)).unwrap_or_default()
}

/// Returns the file name of a rendered template: `shop.conf` for `conf/shop.conf.j2`. The name is
/// empty for a template without such an extension.
fn template_name(shown: &str) -> OsString {
    let name = Path::new(shown).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let stem = [".j2", ".jinja2", ".jinja"].iter().find_map(|end| name.strip_suffix(end));
    stem.unwrap_or_default().into()
}

fn walk_error(source: ignore::Error) -> Error {
    Error::new(ErrorKind::Local, "could not read a directory").caused_by(source)
}
