//! The git notes with the records of all commits, in the remote `origin` of the local clone.
//!
//! A record is appended to the newest notes of the remote, and pushed without force. If another run
//! pushed first, the record is appended to the notes of that run, and pushed again. No record is
//! lost.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use fabrs::event::escape_controls;
use fabrs::{Connection, Error, ErrorKind, ExitStatus, Hide, ShellLine};

use crate::pipeline::record::{CommitRecords, StageRecord};
use crate::remote_script;
use crate::run_id::RunId;
use crate::source::commit_files;
use crate::source::git::without_prompts;
use crate::source::work_tree::uncommitted_changes;

/// The ref of the notes in the remote.
pub(super) const NOTES_REF: &str = "refs/notes/fabrs";

/// The local ref of the last fetched notes, apart from the user's branches, tags and notes.
const KNOWN_REF: &str = "refs/fabrs/notes";

/// The exit status of a script if the notes of the remote lack records known to this clone.
const REWRITTEN_STATUS: u32 = 65;

/// The remote with the notes.
const REMOTE: &str = "origin";

/// The maximum number of pushes for a record. Of several pushes at the same time, one succeeds.
const MAX_PUSH_ATTEMPTS: u32 = 30;

/// The time limit of a command that contacts the remote. A deploy holds the lock of its site
/// meanwhile.
pub(super) const REMOTE_TIMEOUT: Duration = Duration::from_secs(30);

/// The time limit of all attempts of a push. The last attempt may exceed the limit.
pub(super) const PUSH_LIMIT: Duration = Duration::from_mins(1);

/// The base of the random wait between two pushes. The maximum wait is twice the base before the
/// second push, and doubles before each further push, up to [`MAX_BACK_OFF`].
const FIRST_BACK_OFF: Duration = Duration::from_millis(50);
const MAX_BACK_OFF: Duration = Duration::from_secs(1);

const COMMON_SCRIPT: &str = include_str!("stage_notes.sh");
const READ_SCRIPT: &str = include_str!("read_notes.sh");
const APPEND_SCRIPT: &str = include_str!("append_note.sh");
const TAG_SCRIPT: &str = include_str!("push_good_tag.sh");

/// The commit of a record: given by its id, or HEAD of the work tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RecordedCommit {
    /// A commit, independent of the work tree.
    Given(String),
    /// HEAD at the start of the stage. If HEAD has changed at the end, nothing is recorded.
    Head(String),
}

impl RecordedCommit {
    pub(super) fn id(&self) -> &str {
        match self {
            Self::Given(id) | Self::Head(id) => id,
        }
    }
}

/// The notes of a local clone and its remote.
#[derive(Debug, Clone)]
pub(super) struct StageNotes {
    clone: Connection,
}

impl StageNotes {
    /// Creates the notes of the clone in the connection's directory.
    pub(super) fn new(clone: &Connection) -> Self {
        Self { clone: without_prompts(clone) }
    }

    /// Returns the connection for other git commands in the clone.
    pub(super) fn clone_connection(&self) -> &Connection {
        &self.clone
    }

    /// Reads the records of some commits, from the remote. Commits without records are left out.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Task`] if git cannot read the remote.
    pub(super) async fn read(&self, commits: &[String]) -> Result<HashMap<String, CommitRecords>, Error> {
        let script = script(READ_SCRIPT, commits);
        let read = self.clone.probe(script).named("read the pipeline records").hide(Hide::Both).capture_all();
        let read = read.timeout(REMOTE_TIMEOUT).await;
        let output = read.map_err(|error| {
            let hint = rewritten_hint(&error)
                .unwrap_or_else(|| "check the access to the remote: `git ls-remote origin`".to_owned());
            git_error("could not read the pipeline records of `origin`", error).hint(hint)
        })?;
        let malformed = || Error::new(ErrorKind::Format, "could not parse the pipeline records of `origin`");
        let notes = commit_files::parse(output.stdout_bytes()?).ok_or_else(malformed)?;
        let records: HashMap<_, _> =
            notes.into_iter().map(|note| (note.path, CommitRecords::parse(&note.text))).collect();
        let lines: usize = records.values().map(|records| records.malformed).sum();
        if let (1.., Some(client)) = (lines, self.clone.client()) {
            client.warn(
                None,
                format!("{lines} malformed lines in the pipeline records ({NOTES_REF}): earlier passes do not count"),
            );
        }
        Ok(records)
    }

    /// Appends a record to the notes of a commit, and pushes the notes. A dry run plans the push.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Task`] if the push fails, for example without write access, if HEAD has moved,
    /// and for a pass with changes of tracked files.
    pub(super) async fn append(&self, commit: &RecordedCommit, record: &StageRecord) -> Result<(), Error> {
        let (stage, short) = (&record.stage, short(commit.id()));
        let purpose = format!("record stage `{stage}` as {} for {short}", record.result.as_str());
        let expected_head = match commit {
            RecordedCommit::Given(_) => "",
            RecordedCommit::Head(id) => id,
        };
        let attempt = || {
            // Two runs in one clone must not share a ref.
            let own = format!("refs/notes/fabrs-{}", RunId::new());
            script(APPEND_SCRIPT, &[&own, commit.id(), &record.to_json_line(), expected_head, record.result.as_str()])
        };
        match self.push(&purpose, attempt).await? {
            PushResult::Planned => Ok(()),
            PushResult::Done => {
                if let Some(client) = self.clone.client() {
                    client.note(None, format!("recorded: stage `{stage}` {} for {short}", record.result.as_str()));
                }
                Ok(())
            }
            PushResult::Moved => {
                let text = format!("could not {purpose}: HEAD changed during the stage");
                Err(Error::new(ErrorKind::Task, text).hint("keep HEAD unchanged, and run the stage again"))
            }
            PushResult::Changed(file) => {
                let reason = uncommitted_changes(&[file]).unwrap_or_default();
                let text = format!("could not {purpose}: {reason} since the start of the stage");
                Err(Error::new(ErrorKind::Task, text).hint("commit the changes, and run the stage again"))
            }
            PushResult::Rejected => {
                let text = format!("could not {purpose}: `origin` rejected all pushes");
                Err(Error::new(ErrorKind::Task, text).hint("run the stage again"))
            }
        }
    }

    /// Pushes a tag to the remote. Returns `false` if the remote has the tag at another commit.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Task`] if the push fails for another reason.
    pub(super) async fn push_tag(&self, commit: &str, tag: &str) -> Result<bool, Error> {
        let line = script(TAG_SCRIPT, &[commit, tag]);
        let pushed = self.push_once(&format!("push the tag `{tag}` of {}", short(commit)), line).await?;
        Ok(pushed != PushResult::Rejected)
    }

    /// Pushes again if another run pushed first, up to [`MAX_PUSH_ATTEMPTS`] times and
    /// [`PUSH_LIMIT`].
    async fn push(&self, purpose: &str, attempt: impl Fn() -> ShellLine) -> Result<PushResult, Error> {
        let start = Instant::now();
        for count in 1..MAX_PUSH_ATTEMPTS {
            match self.push_once(purpose, attempt()).await? {
                PushResult::Rejected if start.elapsed() < PUSH_LIMIT => back_off(count).await,
                result => return Ok(result),
            }
        }
        self.push_once(purpose, attempt()).await
    }

    async fn push_once(&self, purpose: &str, line: ShellLine) -> Result<PushResult, Error> {
        let pushed = self.clone.run(line).named(purpose).hide(Hide::Both).timeout(REMOTE_TIMEOUT).await;
        let output = pushed.map_err(|error| {
            if error.kind() == ErrorKind::Timeout {
                return git_error(&format!("could not {purpose}"), error).hint("run `git ls-remote origin`");
            }
            let hint = rewritten_hint(&error).unwrap_or_else(|| {
                format!("this user needs write access to `{NOTES_REF}` and to the tags of `origin`")
            });
            git_error(&format!("could not {purpose}"), error).hint(hint)
        })?;
        if !output.was_run() {
            return Ok(PushResult::Planned);
        }
        match output.stdout()?.lines().collect::<Vec<_>>()[..] {
            [.., "done"] => Ok(PushResult::Done),
            [.., "moved"] => Ok(PushResult::Moved),
            [.., file, "changed"] => Ok(PushResult::Changed(file.to_owned())),
            [.., "rejected"] => Ok(PushResult::Rejected),
            _ => Err(Error::new(ErrorKind::Format, format!("could not {purpose}: unexpected output of git"))),
        }
    }
}

/// The result of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
enum PushResult {
    Done,
    /// A dry run has planned the push.
    Planned,
    /// HEAD of the work tree is another commit than expected.
    Moved,
    /// A tracked file has uncommitted changes: a line of `git status --porcelain`.
    Changed(String),
    /// Another run pushed first.
    Rejected,
}

/// Returns the hint for notes of the remote that lack records known to this clone.
fn rewritten_hint(error: &Error) -> Option<String> {
    let output = error.output()?;
    matches!(output.status(), Ok(ExitStatus::Code(REWRITTEN_STATUS))).then(|| {
        format!("find the cause of the rewrite. To accept the records of `origin`: `git update-ref -d {KNOWN_REF}`")
    })
}

/// Returns the first 10 digits of a commit id.
pub(super) fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

/// Returns an error with the messages of git. Errors other than a failed command stay unchanged.
pub(super) fn git_error(text: &str, error: Error) -> Error {
    if error.kind() == ErrorKind::Timeout {
        let text = format!("{text}: git timed out after {} s", REMOTE_TIMEOUT.as_secs());
        return Error::new(ErrorKind::Task, text);
    }
    if error.kind() != ErrorKind::Exit {
        return error;
    }
    let stderr = error.output().and_then(|output| output.stderr_tail(5).ok()).unwrap_or_default();
    Error::new(ErrorKind::Task, format!("{text}: {}", without_credentials(&escape_controls(stderr.trim()))))
}

/// Masks the user and the password of each URL: the URL of a remote may have a token.
fn without_credentials(text: &str) -> String {
    let mut parts = text.split("://");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |masked, rest| {
        let end = rest.find(|c: char| c == '/' || c.is_whitespace() || c == '\'').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        match authority.rsplit_once('@') {
            Some((_, host)) => format!("{masked}://***@{host}{path}"),
            None => format!("{masked}://{rest}"),
        }
    })
}

fn script<S: AsRef<str>>(script: &str, arguments: &[S]) -> ShellLine {
    let all = [REMOTE, NOTES_REF, KNOWN_REF].into_iter().chain(arguments.iter().map(AsRef::as_ref));
    remote_script::with_arguments(all, &format!("{COMMON_SCRIPT}\n{script}"))
}

/// Waits for a random time, so that several runs do not push at the same time again.
async fn back_off(attempt: u32) {
    let limit = FIRST_BACK_OFF.saturating_mul(1 << attempt.min(10)).min(MAX_BACK_OFF);
    let mut random = [u8::MAX; 1];
    // Without random bytes, the wait is the maximum.
    let _ = getrandom::fill(&mut random);
    tokio::time::sleep(limit.mul_f64(f64::from(random[0]) / 255.0)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_credentials_of_a_url_are_masked() {
        for (text, masked) in [
            (
                "unable to access 'https://ci:s3cret@git.example.com/shop.git/': 403",
                "unable to access 'https://***@git.example.com/shop.git/': 403",
            ),
            ("ssh://git@a/b and https://c/d@e", "ssh://***@a/b and https://c/d@e"),
            ("no url @ all", "no url @ all"),
        ] {
            assert_eq!(without_credentials(text), masked);
        }
    }
}
