//! Files of a commit that is checked out nowhere.

use fabrs::{Connection, Error, Hide, ShellLine, cmd};

/// A file of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommitFile {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Prints the migrations of a commit: for each the size and the path, and the content.
const PRINT_MIGRATIONS: &str = r#"git ls-tree -r --full-tree $commit | awk -F '\t' '$2 ~ /migrations\/[^\/]*\.py$/ { split($1, head, " "); if (head[2] == "blob") print head[3], $2 }' | git cat-file --batch='%(objectsize) %(rest)'"#;

/// Asks the repository that `connection` stands in, which may be a bare one; nothing where it does not have the commit.
///
/// # Errors
///
/// As any command.
pub(super) async fn migration_files(connection: &Connection, commit: &str) -> Result<Option<Vec<CommitFile>>, Error> {
    let look = cmd!("commit={commit}; git cat-file -e $commit^{{commit}} 2> /dev/null || exit 0; echo known");
    let look = ShellLine::raw(format!("{}; {PRINT_MIGRATIONS}", look.as_str()));
    let said = connection.probe(look).hide(Hide::Both).capture_all().await?;
    Ok(parse(said.stdout_bytes()?))
}

/// Asks the repository at an address for one commit, in a temporary folder of the host; nothing where that is refused.
///
/// # Errors
///
/// As any command.
pub(super) async fn fetch_migration_files(
    host: &Connection,
    url: &str,
    commit: &str,
) -> Result<Option<Vec<CommitFile>>, Error> {
    let fetch = cmd!(
        "commit={commit}; folder=$(mktemp -d) || exit 0; trap 'rm -rf \"$folder\"' EXIT; export GIT_DIR=\"$folder\"; \
         git init --quiet --bare && git fetch --quiet --depth=1 -- {url} $commit 2> /dev/null || exit 0; echo known"
    );
    let fetch = ShellLine::raw(format!("{}; {PRINT_MIGRATIONS}", fetch.as_str()));
    let said = host.probe(fetch).hide(Hide::Both).capture_all().await?;
    Ok(parse(said.stdout_bytes()?))
}

fn parse(said: &[u8]) -> Option<Vec<CommitFile>> {
    let mut rest = said.strip_prefix(b"known\n")?;
    let mut files = Vec::new();
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let (head, behind) = rest.split_at(end);
        let head = String::from_utf8_lossy(head).into_owned();
        let (size, path) = head.split_once(' ')?;
        let content = behind.get(1..)?;
        let size: usize = size.parse().ok()?;
        let text = String::from_utf8_lossy(content.get(..size)?).into_owned();
        files.push(CommitFile { path: path.to_owned(), text });
        // A line end stands behind the content.
        rest = content.get(size + 1..).unwrap_or_default();
    }
    Some(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_by_their_sizes() {
        let said = b"known\n5 a/migrations/0001.py\na\nb c\n0 b/migrations/__init__.py\n\n";
        let files = parse(said).unwrap();
        let files: Vec<_> = files.iter().map(|file| (file.path.as_str(), file.text.as_str())).collect();
        assert_eq!(files, [("a/migrations/0001.py", "a\nb c"), ("b/migrations/__init__.py", "")]);
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"known\n"), Some(Vec::new()));
    }
}
