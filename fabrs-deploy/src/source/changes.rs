//! What lies between two commits: what a person wants to know before, and everybody afterwards.

use fabrs::{Connection, Error, Hide, cmd};
use serde::Serialize;

/// How many commits are listed; of more, the number is told.
const MAX_LISTED_COMMITS: usize = 200;

/// A commit, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Commit {
    /// The commit, in full.
    pub id: String,
    /// Who wrote it.
    pub author: String,
    /// The first line of what was written about it.
    pub subject: String,
}

/// What lies between two commits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CommitChanges {
    /// The commits that come, the latest first.
    pub added: Vec<Commit>,
    /// The commits that go again, where it is an older one, or another branch.
    pub removed: Vec<Commit>,
    /// The files that come with it whose folder is called `migrations`.
    pub migrations: Vec<String>,
}

impl CommitChanges {
    /// Asks the repository that `connection` stands in, which may be a bare one; nothing where it does not have both commits.
    ///
    /// # Errors
    ///
    /// As any command.
    pub(super) async fn between(connection: &Connection, old: &str, new: &str) -> Result<Option<Self>, Error> {
        let (range, most) = (format!("{old}...{new}"), format!("--max-count={MAX_LISTED_COMMITS}"));
        let look = cmd!(
            "git cat-file -e {old}^{{commit}} 2> /dev/null && git cat-file -e {new}^{{commit}} 2> /dev/null || exit 0; echo known; \
             git log --left-right {most} --format='%m%x09%H%x09%an%x09%s' {range}; \
             git diff --name-only --diff-filter=A {old} {new} | sed -n 's/^/file\t/p'"
        );
        let said = connection.probe(look).hide(Hide::Both).capture_all().await?;
        Ok(Self::parse(&said.stdout()?))
    }

    fn parse(said: &str) -> Option<Self> {
        let mut lines = said.lines();
        if lines.next() != Some("known") {
            return None;
        }
        let mut changes = Self::default();
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

    /// Tells whether both commits have the same content, as far as commits go.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }

    /// Returns them as lines for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let list = |sign: &'static str, commits: &[Commit]| -> Vec<String> {
            let lines = commits.iter().map(|commit| {
                let id = commit.id.get(..10).unwrap_or(&commit.id);
                format!("  {sign} {id} {} ({})", commit.subject, commit.author)
            });
            let more = (commits.len() >= MAX_LISTED_COMMITS).then(|| format!("  {sign} and more"));
            lines.chain(more).collect()
        };
        let mut lines = list("+", &self.added);
        lines.extend(list("-", &self.removed));
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
    fn what_comes_and_what_goes_is_told_apart() {
        let said = "known\n>\taaaaaaaaaaaaaaaa\tAnn\tFix: the\tbasket\n<\tbbbbbbbbbbbbbbbb\tBob\tTry\n\
                    file\torders/migrations/0002_comment.py\nfile\torders/migrations/__init__.py\nfile\tREADME.md\n";
        let changes = CommitChanges::parse(said).unwrap();
        assert_eq!(changes.lines(), ["  + aaaaaaaaaa Fix: the\tbasket (Ann)", "  - bbbbbbbbbb Try (Bob)"]);
        assert_eq!(changes.migrations, ["orders/migrations/0002_comment.py"]);
    }

    #[test]
    fn a_repository_that_does_not_know_both_says_nothing() {
        assert_eq!(CommitChanges::parse(""), None);
        assert!(CommitChanges::parse("known\n").unwrap().is_empty());
    }
}
