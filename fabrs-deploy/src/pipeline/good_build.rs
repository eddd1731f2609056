//! The tag of a good build: a commit that has passed a stage and all earlier stages.

use std::time::Instant;

use fabrs::{Error, ErrorKind, Hide};

use crate::pipeline::notes::{PUSH_LIMIT, REMOTE_TIMEOUT, StageNotes, git_error};
use crate::pipeline::stage::PipelineStage;
use crate::pipeline::stages::local_task_client;
use crate::source::git::Git;
use crate::source::refs::Refs;

/// The maximum number of attempts. Another run may push a tag with the same number first.
const MAX_TAG_ATTEMPTS: u32 = 30;

impl PipelineStage {
    /// Tags the commit as a good build in the remote `origin`, and returns the tag. The commit must
    /// have passed this stage and all earlier stages. `--override-stages` does not apply.
    ///
    /// The tag has the next free number after the prefix of
    /// [`Git::good_tag_prefix`](crate::Git::good_tag_prefix): `deployable-315` after
    /// `deployable-314`. Tags without a number are ignored. A commit with a tag keeps it: the tag
    /// with the highest number is returned.
    ///
    /// ```
    /// use fabrs::prelude::*;
    /// use fabrs_deploy::{Git, Pipeline};
    ///
    /// /// Tags a build with passed smoke tests.
    /// #[task(local)]
    /// async fn mark_good() -> Result {
    ///     let stages = Pipeline::new(["unit", "staging", "smoke", "production"]);
    ///     let git = Git::at("https://git.example.com/shop.git");
    ///     println!("{}", stages.stage("smoke")?.mark_good(&git).await?); // deployable-315
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Task`] if the commit has not passed the stages, or if the tag cannot be
    ///   pushed.
    /// - [`ErrorKind::Usage`] for uncommitted changes, outside a clone with the remote `origin`,
    ///   and outside a task.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the commands. The tag may exist already.
    pub async fn mark_good(&self, source: &Git) -> Result<String, Error> {
        let client = local_task_client(self.name())?;
        let notes = StageNotes::new(&self.pipeline().local_clone(&client)?);
        let commit = self.recorded_commit(&notes).await?;
        self.check_passed(&client, commit.id()).await?;
        let start = Instant::now();
        for attempt in 0..MAX_TAG_ATTEMPTS {
            if attempt > 0 && start.elapsed() > PUSH_LIMIT {
                break;
            }
            let list = notes.clone_connection().probe("git ls-remote --tags -- origin").hide(Hide::Both).capture_all();
            let list = list
                .timeout(REMOTE_TIMEOUT)
                .await
                .map_err(|error| git_error("could not list the tags of `origin`", error))?;
            let next = match next_build(&Refs::parse(&list.stdout()?)?, &source.good_tag(""), commit.id()) {
                NextBuild::Tagged(tag) => return Ok(tag),
                NextBuild::Number(number) => source.good_tag(&number.to_string()),
            };
            if notes.push_tag(commit.id(), &next).await? {
                return Ok(next);
            }
        }
        let text = "could not tag a good build: other runs took the next numbers";
        Err(Error::new(ErrorKind::Task, text).hint("run the task again"))
    }
}

/// The next good build for a commit.
#[derive(Debug, PartialEq, Eq)]
enum NextBuild {
    /// The commit has this tag.
    Tagged(String),
    /// The commit has no tag. This number is free.
    Number(u64),
}

fn next_build(refs: &Refs, prefix: &str, commit: &str) -> NextBuild {
    let number = |tag: &str| -> Option<u64> {
        let digits = tag.strip_prefix(prefix)?;
        // A pipeline never creates a tag with `+5` or `007`.
        digits.parse().ok().filter(|number: &u64| number.to_string() == digits)
    };
    let builds: Vec<(u64, &str, &str)> =
        refs.tags(prefix).filter_map(|(tag, commit)| Some((number(tag)?, tag, commit))).collect();
    let own = builds.iter().filter(|(_, _, tagged)| *tagged == commit).max();
    match own {
        Some((_, tag, _)) => NextBuild::Tagged((*tag).to_owned()),
        None => {
            let last = builds.iter().map(|(number, ..)| *number).max().unwrap_or(0);
            NextBuild::Number(last.saturating_add(1))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(tags: &[(&str, char)]) -> NextBuild {
        let lines = tags.iter().map(|(tag, digit)| format!("{}\trefs/tags/{tag}\n", digit.to_string().repeat(40)));
        next_build(&Refs::parse(&lines.collect::<Vec<_>>().concat()).unwrap(), "deployable-", &"a".repeat(40))
    }

    #[test]
    fn the_number_follows_the_highest_number() {
        assert_eq!(next(&[]), NextBuild::Number(1));
        assert_eq!(next(&[("deployable-9", 'b'), ("deployable-10", 'c'), ("deployed-99", 'b')]), NextBuild::Number(11));
        let others =
            [("deployable-x", 'b'), ("deployable-007", 'b'), ("deployable-+8", 'a'), ("deployable-2026.1", 'b')];
        assert_eq!(next(&others), NextBuild::Number(1));
    }

    #[test]
    fn a_tagged_commit_keeps_its_last_tag() {
        let tagged = next(&[("deployable-1", 'a'), ("deployable-3", 'a'), ("deployable-4", 'b')]);
        assert_eq!(tagged, NextBuild::Tagged("deployable-3".to_owned()));
    }
}
