//! Files of a commit, read from a repository without a checkout.

use fabrs::{Connection, Error, Hide, ShellLine, cmd};

/// A file of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommitFile {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Prints the size, the path and the content of each migration in the commit `$commit`.
const PRINT_MIGRATIONS: &str = r#"git ls-tree -r --full-tree $commit | awk -F '\t' '$2 ~ /migrations\/[^\/]*\.py$/ { split($1, head, " "); if (head[2] == "blob") print head[3], $2 }' | git cat-file --batch='%(objectsize) %(rest)'"#;

/// Reads the migrations of a commit from the repository of the connection's directory, which may
/// be bare. Returns `None` if the repository lacks the commit.
///
/// # Errors
///
/// The errors of a command.
pub(super) async fn migration_files(connection: &Connection, commit: &str) -> Result<Option<Vec<CommitFile>>, Error> {
    let find = cmd!("commit={commit}; git cat-file -e $commit^{{commit}} 2> /dev/null || exit 0; echo known");
    let print = ShellLine::raw(format!("{}; {PRINT_MIGRATIONS}", find.as_str()));
    let output = connection.probe(print).hide(Hide::Both).capture_all().await?;
    Ok(parse(output.stdout_bytes()?))
}

/// Reads the migrations of a commit from a repository by URL. The host fetches the commit alone
/// into a temporary directory. Returns `None` if the fetch fails: some servers refuse to serve a
/// single commit.
///
/// # Errors
///
/// The errors of a command.
pub(super) async fn fetch_migration_files(
    host: &Connection,
    url: &str,
    commit: &str,
) -> Result<Option<Vec<CommitFile>>, Error> {
    let fetch = cmd!(
        "commit={commit}; folder=$(mktemp -d) || exit 0; trap 'rm -rf \"$folder\"' EXIT; export GIT_DIR=\"$folder\"; \
         git init --quiet --bare && git fetch --quiet --depth=1 -- {url} $commit 2> /dev/null || exit 0; echo known"
    );
    let print = ShellLine::raw(format!("{}; {PRINT_MIGRATIONS}", fetch.as_str()));
    let output = host.probe(print).hide(Hide::Both).capture_all().await?;
    Ok(parse(output.stdout_bytes()?))
}

/// Parses the line `known` and the output of `git cat-file --batch='%(objectsize) %(rest)'`. The
/// rest of each line is the path.
pub(crate) fn parse(output: &[u8]) -> Option<Vec<CommitFile>> {
    let mut rest = output.strip_prefix(b"known\n")?;
    let mut files = Vec::new();
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let (head, behind) = rest.split_at(end);
        let head = String::from_utf8_lossy(head).into_owned();
        let (size, path) = head.split_once(' ')?;
        let content = behind.get(1..)?;
        let size: usize = size.parse().ok()?;
        let text = String::from_utf8_lossy(content.get(..size)?).into_owned();
        files.push(CommitFile { path: path.to_owned(), text });
        // `git cat-file --batch` prints a line feed after each content.
        rest = content.get(size + 1..).unwrap_or_default();
    }
    Some(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_split_by_their_sizes() {
        let output = b"known\n5 a/migrations/0001.py\na\nb c\n0 b/migrations/__init__.py\n\n";
        let files = parse(output).unwrap();
        let files: Vec<_> = files.iter().map(|file| (file.path.as_str(), file.text.as_str())).collect();
        assert_eq!(files, [("a/migrations/0001.py", "a\nb c"), ("b/migrations/__init__.py", "")]);
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"known\n"), Some(Vec::new()));
    }
}
