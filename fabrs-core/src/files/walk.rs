//! The files, folders and symlinks of this machine that a source means.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use ignore::{DirEntry, WalkBuilder};

use super::content::{Content, Generated};
use super::patterns::Patterns;
use super::source::Source;
use super::template_vars::TemplateVars;
use super::tilde::expand_tilde;
use crate::error::{Error, ErrorKind, Result};

/// One entry to put, and below which name.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) content: ItemKind,
    /// Its path below the target, where several or a folder are put.
    pub(super) below: Option<PathBuf>,
}

impl Item {
    /// Returns its own name, for a target that is a folder; none of bytes, and of what has its place below the target.
    pub(super) fn name(&self) -> OsString {
        match (&self.below, &self.content) {
            (None, ItemKind::File(Content::Path(path))) => own_name(path),
            (None, ItemKind::File(Content::Generated(name, _))) => template_name(name),
            _ => OsString::new(),
        }
    }

    /// Returns what it is called in messages.
    pub(super) fn shown(&self) -> String {
        match (&self.content, &self.below) {
            (ItemKind::File(source), _) => format!("{source:?}"),
            (_, Some(below)) => below.display().to_string(),
            (_, None) => String::new(),
        }
    }
}

/// What an entry is.
#[derive(Debug, Clone)]
pub(super) enum ItemKind {
    /// A regular file of this machine, or bytes.
    File(Content),
    Folder,
    /// A symlink, and what is in it.
    Link(PathBuf),
}

/// Which entries of a folder are meant.
#[derive(Debug, Clone, Default)]
pub(super) struct Selection {
    /// Patterns of what is left out.
    pub(super) excludes: Vec<String>,
    /// Whether what `.gitignore` and `.ignore` name is left out too.
    pub(super) honours_ignore_files: bool,
}

impl Selection {
    /// Returns all that a source means, each place once; reads folders, so it belongs on a blocking thread.
    pub(super) fn items(&self, source: &Source, vars: &TemplateVars) -> Result<Vec<Item>> {
        let items = self.all(source, vars)?;
        let mut places = HashMap::new();
        let twice = items.iter().find(|item| {
            let is_folder = matches!(item.content, ItemKind::Folder);
            places.insert(&item.below, is_folder).is_some_and(|was_folder| !(is_folder && was_folder))
        });
        if let Some(item) = twice {
            let text = format!("`{}` and another file of {source:?} would have the same place", item.shown());
            return Err(Error::new(ErrorKind::Usage, text));
        }
        Ok(items)
    }

    fn all(&self, source: &Source, vars: &TemplateVars) -> Result<Vec<Item>> {
        let path = match source {
            Source::Bytes(bytes) => return Ok(vec![alone(Content::Bytes(bytes.clone()))]),
            Source::Secret(secret) => return Ok(vec![alone(Content::Secret(secret.clone()))]),
            Source::Reader(reader) => {
                let (file, size) = reader.file()?;
                return Ok(vec![alone(Content::Generated(reader.to_string().into(), Generated::File(file, size)))]);
            }
            #[cfg(feature = "template")]
            Source::Template(template) => {
                let filled = template.filled(vars)?;
                return Ok(vec![alone(Content::Generated(
                    template.to_string().into(),
                    Generated::Bytes(filled.into()),
                ))]);
            }
            Source::Several(sources) => {
                let each =
                    sources.iter().map(|source| self.one_of_several(source, vars)).collect::<Result<Vec<_>>>()?;
                return Ok(each.into_iter().flatten().collect());
            }
            Source::Path(path) => expand_tilde(path),
        };
        if path.is_dir() {
            return self.folder(&path, Path::new(""));
        }
        if path.exists() || !is_pattern(&path.to_string_lossy()) {
            return Ok(vec![file(path)?]);
        }
        self.matches(&path)
    }

    /// Returns what one of several sources means: as with `cp`, each under its own name.
    fn one_of_several(&self, source: &Source, vars: &TemplateVars) -> Result<Vec<Item>> {
        let mut items = self.all(source, vars)?;
        let name = match source {
            Source::Path(path) if expand_tilde(path).is_dir() => own_name(&expand_tilde(path)),
            _ => OsString::new(),
        };
        for item in &mut items {
            item.below = match &item.below {
                Some(below) => Some(Path::new(&name).join(below)),
                None if item.name().is_empty() => {
                    let text = format!("{source:?} of several sources have no name of their own");
                    return Err(Error::new(ErrorKind::Usage, text).hint("put them alone, and name the file"));
                }
                None => Some(item.name().into()),
            };
        }
        if !name.is_empty() {
            items.insert(0, folder_at(name.into()));
        }
        Ok(items)
    }

    /// Returns what a pattern means: each by its path below the folder that has no sign of a pattern in its name.
    fn matches(&self, path: &Path) -> Result<Vec<Item>> {
        let shown = path.display().to_string();
        let none = || Error::new(ErrorKind::Local, format!("no file of this machine is `{shown}`"));
        let is_wild = |part: &Component<'_>| is_pattern(&part.as_os_str().to_string_lossy());
        let root: PathBuf = path.components().take_while(|part| !is_wild(part)).collect();
        let below: PathBuf = path.components().skip_while(|part| !is_wild(part)).collect();
        let pattern = below.to_string_lossy().into_owned();
        let matcher = matcher(&pattern).map_err(|source| none().caused_by(source))?;
        let mut walk = self.walk(if root.as_os_str().is_empty() { Path::new(".") } else { &root })?;
        // As in a shell, a star does not mean what is hidden.
        walk.hidden(!pattern.split('/').any(|part| part.starts_with('.')));
        if !pattern.contains("**") {
            walk.max_depth(Some(below.components().count()));
        }
        let mut items = Vec::new();
        let mut found: Option<PathBuf> = None;
        for entry in walk.build() {
            let entry = entry.map_err(unreadable)?;
            let below = below_root(&entry, &root);
            // What is in a folder that matches has come with it.
            let has_come = found.as_ref().is_some_and(|found| below.starts_with(found));
            if has_come || below.as_os_str().is_empty() || !matcher.is_match(&below) {
                continue;
            }
            if entry.path().is_dir() {
                items.push(folder_at(below.clone()));
                items.extend(self.folder(entry.path(), &below)?);
                found = Some(below);
            } else {
                items.push(Item { below: Some(below), ..file(entry.into_path())? });
            }
        }
        if items.is_empty() { Err(none()) } else { Ok(items) }
    }

    /// Returns all that is in a folder, below `name`; a symlink is itself, and not what it leads to.
    fn folder(&self, root: &Path, name: &Path) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        for entry in self.walk(root)?.build() {
            let entry = entry.map_err(unreadable)?;
            let below = below_root(&entry, root);
            if below.as_os_str().is_empty() {
                continue;
            }
            let kind = entry.file_type();
            let path = entry.into_path();
            let content = match kind {
                Some(kind) if kind.is_dir() => ItemKind::Folder,
                Some(kind) if kind.is_symlink() => ItemKind::Link(std::fs::read_link(&path).map_err(|source| {
                    Error::new(ErrorKind::Local, format!("could not read `{}`", path.display())).caused_by(source)
                })?),
                Some(kind) if kind.is_file() => ItemKind::File(Content::Path(path.clone())),
                _ => return Err(no_file(&path)),
            };
            items.push(Item { content, below: Some(name.join(below)) });
        }
        Ok(items)
    }

    fn walk(&self, root: &Path) -> Result<WalkBuilder> {
        let mut walk = WalkBuilder::new(root);
        walk.standard_filters(false).follow_links(false).sort_by_file_name(Ord::cmp);
        if self.honours_ignore_files {
            // Also outside of a repository: a folder that was unpacked means what it says.
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

/// Tells whether a path has a sign of a pattern in it.
fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '[', '{'])
}

fn below_root(entry: &DirEntry, root: &Path) -> PathBuf {
    let path = entry.path();
    let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
    path.strip_prefix(root).unwrap_or(path).to_owned()
}

/// Returns a file that is put alone.
fn file(path: PathBuf) -> Result<Item> {
    let shown = path.display().to_string();
    match path.metadata() {
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
            let error = Error::new(ErrorKind::Local, format!("no file of this machine is `{shown}`"));
            let is_text = shown.contains(char::is_whitespace);
            Err(if is_text { error.hint("a text itself is put by `.write(target, text)`") } else { error })
        }
        Err(source) => Err(Error::new(ErrorKind::Local, format!("could not read `{shown}`")).caused_by(source)),
        Ok(meta) if !meta.is_file() => Err(no_file(&path)),
        Ok(_) => Ok(alone(Content::Path(path))),
    }
}

fn no_file(path: &Path) -> Error {
    Error::new(ErrorKind::Local, format!("`{}` is no file that can be put", path.display()))
}

fn alone(content: Content) -> Item {
    Item { content: ItemKind::File(content), below: None }
}

fn folder_at(below: PathBuf) -> Item {
    Item { content: ItemKind::Folder, below: Some(below) }
}

/// Returns the last name of a path; of `.` and `..` the name of the folder that they are.
fn own_name(path: &Path) -> OsString {
    let name = path.file_name().map(OsString::from);
    name.or_else(|| path.canonicalize().ok()?.file_name().map(OsString::from)).unwrap_or_default()
}

/// Returns the name of what becomes of a template's file: `shop.conf` of `conf/shop.conf.j2`; none of what has no such name.
fn template_name(shown: &str) -> OsString {
    let name = Path::new(shown).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let stem = [".j2", ".jinja2", ".jinja"].iter().find_map(|end| name.strip_suffix(end));
    stem.unwrap_or_default().into()
}

fn unreadable(source: ignore::Error) -> Error {
    Error::new(ErrorKind::Local, "could not read a folder").caused_by(source)
}
