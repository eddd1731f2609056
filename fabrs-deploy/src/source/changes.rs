//! The commits and migrations between two commits.

use fabrs::{Connection, Error, Hide, cmd};
use serde::Serialize;

/// The maximum number of listed commits. A line with the number of further commits replaces them.
const MAX_LISTED_COMMITS: usize = 200;

/// A commit in a list of changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Commit {
    /// The full commit id.
    pub id: String,
    /// The name of the author.
    pub author: String,
    /// The first line of the commit message.
    pub subject: String,
}

/// The commits and migrations between two commits, as in `git log OLD...NEW`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CommitChanges {
    /// The commits of the new revision, the latest first. At most 200.
    pub added: Vec<Commit>,
    /// The commits of the old revision that the new revision does not contain, for example after
    /// a rollback, or on another branch.
    pub removed: Vec<Commit>,
    /// The number of added commits, also of commits beyond the list.
    pub added_count: usize,
    /// The number of removed commits, also of commits beyond the list.
    pub removed_count: usize,
    /// The paths of the new files in directories named `migrations`.
    pub migrations: Vec<String>,
}

impl CommitChanges {
    /// Compares two commits in the repository of the connection's directory, which may be bare.
    /// Returns `None` if the repository lacks one of the commits.
    ///
    /// # Errors
    ///
    /// The errors of a command.
    pub(super) async fn between(connection: &Connection, old: &str, new: &str) -> Result<Option<Self>, Error> {
        let (range, max_count) = (format!("{old}...{new}"), format!("--max-count={MAX_LISTED_COMMITS}"));
        let compare = cmd!(
            "git cat-file -e {old}^{{commit}} 2> /dev/null && git cat-file -e {new}^{{commit}} 2> /dev/null || exit 0; echo known; \
             git rev-list --left-right --count {range}; \
             git log --left-right {max_count} --format='%m%x09%H%x09%an%x09%s' {range}; \
             git diff --name-only --diff-filter=A {old} {new} | sed -n 's/^/file\t/p'"
        );
        let output = connection.probe(compare).hide(Hide::Both).capture_all().await?;
        Ok(Self::parse(&output.stdout()?))
    }

    fn parse(output: &str) -> Option<Self> {
        let mut lines = output.lines();
        if lines.next() != Some("known") {
            return None;
        }
        let mut changes = Self::default();
        // The counts as two columns: removed and added commits.
        let counts = lines.next()?.split_once('\t')?;
        (changes.removed_count, changes.added_count) = (counts.0.parse().ok()?, counts.1.trim().parse().ok()?);
        for line in lines {
            let mut parts = line.splitn(4, '\t');
            match (parts.next(), parts.next(), parts.next(), parts.next()) {
                (Some("file"), Some(file), None, None) if is_migration(file) => {
                    changes.migrations.push(file.to_owned());
                }
                (Some(side), Some(id), Some(author), Some(subject)) => {
                    let [id, author, subject] = [id, author, subject].map(str::to_owned);
                    let commits = if side == ">" { &mut changes.added } else { &mut changes.removed };
                    commits.push(Commit { id, author, subject });
                }
                _ => {}
            }
        }
        Some(changes)
    }

    /// Returns `true` if no commit was added or removed.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }

    /// Returns the commits as lines for people: `+` for added and `-` for removed commits.
    pub(crate) fn lines(&self) -> Vec<String> {
        let list = |sign: &'static str, commits: &[Commit], count: usize| -> Vec<String> {
            let lines = commits.iter().map(|commit| {
                let id = commit.id.get(..10).unwrap_or(&commit.id);
                format!("  {sign} {id} {} ({})", commit.subject, commit.author)
            });
            let others = count.saturating_sub(commits.len());
            let more = (others > 0).then(|| format!("  {sign} and {others} more"));
            lines.chain(more).collect()
        };
        let mut lines = list("+", &self.added, self.added_count);
        lines.extend(list("-", &self.removed, self.removed_count));
        lines
    }
}

fn is_migration(file: &str) -> bool {
    let mut parts = file.rsplit('/');
    let name = parts.next().unwrap_or_default();
    parts.next() == Some("migrations") && !name.starts_with("__")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn added_and_removed_commits_are_separate() {
        let output = "known\n4\t1\n>\taaaaaaaaaaaaaaaa\tAnn\tFix: the\tbasket\n<\tbbbbbbbbbbbbbbbb\tBob\tTry\n\
                    file\torders/migrations/0002_comment.py\nfile\torders/migrations/__init__.py\nfile\tREADME.md\n";
        let changes = CommitChanges::parse(output).unwrap();
        assert_eq!(
            changes.lines(),
            ["  + aaaaaaaaaa Fix: the\tbasket (Ann)", "  - bbbbbbbbbb Try (Bob)", "  - and 3 more"]
        );
        assert_eq!(changes.migrations, ["orders/migrations/0002_comment.py"]);
    }

    #[test]
    fn a_repository_without_both_commits_has_no_changes() {
        assert_eq!(CommitChanges::parse(""), None);
        assert!(CommitChanges::parse("known\n0\t0\n").unwrap().is_empty());
    }
}
