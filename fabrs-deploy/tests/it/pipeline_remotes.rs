//! The records of a pipeline in a shared repository: contention, clones of CI, and access.

use std::fs;

use fabrs::prelude::*;
use fabrs_deploy::Git;
use fabrs_testing::GitServer;
use futures::future::join_all;

use crate::pipeline_fixture::{SharedRepository, Teammate, commit, head, write_hook};

fn source() -> Git {
    Git::at("https://git.example.com/shop.git")
}

/// Passes all stages up to `smoke`.
async fn pass_up_to_smoke(user: &Teammate) -> Result {
    for stage in ["unit", "functional", "staging", "smoke"] {
        user.stage(stage, "true").await?;
    }
    Ok(())
}

async fn mark_good(user: &Teammate) -> Result<String> {
    let smoke = user.pipeline().stage("smoke")?;
    Ok(user.task(smoke.mark_good(&source())).await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_recorders_lose_no_record() -> Result {
    const RECORDERS: usize = 8;
    let shared = SharedRepository::new();
    let clones: Vec<_> = (0..RECORDERS).map(|n| shared.clone_as(&format!("clone{n}"))).collect();
    let users: Vec<_> = clones.iter().map(|clone| Teammate::new(clone)).collect();
    // Two users share a clone.
    let shared_clone = Teammate::new(&clones[0]);
    let all = users.iter().chain([&shared_clone]).map(|user| user.stage("unit", "true"));
    for recorded in join_all(all).await {
        recorded?;
    }
    let records = shared.records(&head(&clones[0]));
    assert_eq!(records.len(), RECORDERS + 1, "{records:#?}");
    Ok(())
}

#[tokio::test]
async fn records_of_different_commits_do_not_replace_each_other() -> Result {
    let shared = SharedRepository::new();
    let (ann, bob) = (shared.clone_as("ann"), shared.clone_as("bob"));
    let next = commit(&bob, "Add orders");
    // Both have fetched nothing of the other.
    let (one, two) = (Teammate::new(&ann), Teammate::new(&bob));
    let (one, two) = tokio::join!(one.stage("unit", "true"), two.stage("unit", "true"));
    one.and(two)?;
    assert_eq!((shared.records(&head(&ann)).len(), shared.records(&next).len()), (1, 1));
    Ok(())
}

#[tokio::test]
async fn a_shallow_clone_records_and_checks_stages() -> Result {
    let shared = SharedRepository::new();
    Teammate::new(&shared.clone_as("ann")).stage("unit", "true").await?;
    let shallow = shared.clone_with("ci", &["--depth", "1"]);
    let ci = Teammate::new(&shallow);
    ci.stage("functional", "true").await?;
    assert_eq!(shared.records(&head(&shallow)).len(), 2);
    assert_eq!(GitServer::git(&shallow, &["rev-list", "--count", "HEAD"]), "1", "the clone is still shallow");
    let pipeline = ci.pipeline();
    assert_eq!(ci.task(pipeline.read_status()).await?.commits.len(), 1);
    ci.stage("staging", "true").await?;
    ci.stage("smoke", "true").await?;
    commit(&shared.clone_as("bob"), "Add orders");
    assert_eq!(mark_good(&ci).await?, "deployable-1");
    Ok(())
}

#[tokio::test]
async fn a_clone_without_an_identity_can_record() -> Result {
    let shared = SharedRepository::new();
    let clone = shared.clone_as("ci");
    GitServer::git(&clone, &["config", "user.useConfigOnly", "true"]);
    GitServer::git(&clone, &["config", "user.name", ""]);
    Teammate::new(&clone).stage("unit", "true").await?;
    let author = GitServer::git(&shared.path(), &["log", "-1", "--format=%an <%ae>", "refs/notes/fabrs"]);
    assert_eq!(author, "fabrs <fabrs@localhost>");
    Ok(())
}

#[tokio::test]
async fn a_pass_that_cannot_be_recorded_is_an_error() -> Result {
    let shared = SharedRepository::new();
    shared.hook("pre-receive", "echo 'read only for ci' >&2; exit 1");
    let ann = Teammate::new(&shared.clone_as("ann"));
    let error = ann.stage("unit", "true").await.expect_err("the push is declined").into_error();
    assert_eq!(error.kind(), ErrorKind::Task);
    let block = error.block().to_string();
    assert!(block.contains("could not record stage `unit` as passed for ") && block.contains("read only"), "{block}");
    assert!(block.contains("write access to `refs/notes/fabrs`"), "{block}");
    let failed = ann.stage("unit", "exit 3").await.expect_err("the work fails").into_error();
    assert_eq!(failed.kind(), ErrorKind::Exit, "the error of the work is unchanged");
    assert!(ann.messages().contains("could not record stage `unit` as failed"), "{}", ann.messages());
    Ok(())
}

#[tokio::test]
async fn a_folder_without_a_remote_is_refused_before_the_work() -> Result {
    let folder = tempfile::tempdir()?;
    let refused = Teammate::new(folder.path()).refused("unit").await;
    assert!(refused.contains("not a git repository") && refused.contains("remote `origin`"), "{refused}");
    GitServer::git(folder.path(), &["init", "--quiet"]);
    GitServer::git(folder.path(), &["commit", "--quiet", "--allow-empty", "--message", "first"]);
    let refused = Teammate::new(folder.path()).refused("unit").await;
    assert!(refused.contains("No such remote") && refused.contains("remote `origin`"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn an_unreachable_remote_is_an_error_before_the_work() -> Result {
    let shared = SharedRepository::new();
    let clone = shared.clone_as("ann");
    GitServer::git(&clone, &["remote", "set-url", "origin", "/nonexistent/shop.git"]);
    let refused = Teammate::new(&clone).refused("unit").await;
    assert!(refused.contains("could not read the pipeline records of `origin`"), "{refused}");
    assert!(refused.contains("check the access to the remote: `git ls-remote origin`"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn the_clone_of_the_user_stays_as_it_was() -> Result {
    let shared = SharedRepository::new();
    let clone = shared.clone_as("ann");
    let ann = Teammate::new(&clone);
    write_hook(&clone.join(".git/hooks/pre-push"), "exit 1");
    write_hook(&clone.join(".git/hooks/reference-transaction"), "exit 1");
    GitServer::git(&clone, &["-c", "core.hooksPath=/dev/null", "notes", "--ref", "fabrs", "add", "-m", "my own note"]);
    fs::write(clone.join(".git/FETCH_HEAD"), "mine\n")?;
    let refs = || GitServer::git(&clone, &["for-each-ref", "refs/heads", "refs/remotes", "refs/tags", "refs/notes"]);
    let before = refs();
    ann.stage("unit", "true").await?;
    ann.stage("functional", "true").await?;
    assert_eq!(refs(), before);
    assert_eq!(fs::read_to_string(clone.join(".git/FETCH_HEAD"))?, "mine\n");
    assert_eq!(GitServer::git(&clone, &["status", "--porcelain"]), "");
    assert_eq!(shared.records(&head(&clone)).len(), 2);
    Ok(())
}

#[tokio::test]
async fn notes_merged_by_git_keep_their_meaning() -> Result {
    let shared = SharedRepository::new();
    let clone = shared.clone_as("ann");
    let ann = Teammate::new(&clone);
    ann.stage("unit", "false").await.expect_err("the work fails");
    ann.stage("unit", "true").await?;
    let bare = shared.path();
    GitServer::git(&bare, &["notes", "--ref", "other", "add", "-m", "# reviewed", &head(&clone)]);
    GitServer::git(&bare, &["notes", "--ref", "fabrs", "merge", "--strategy", "cat_sort_uniq", "other"]);
    ann.stage("functional", "true").await
}

#[tokio::test]
async fn records_removed_by_a_forced_push_are_missed_by_a_clone_that_has_seen_them() -> Result {
    let shared = SharedRepository::new();
    let (clone, bare) = (shared.clone_as("ann"), shared.path());
    let ann = Teammate::new(&clone);
    ann.stage("unit", "true").await?;
    ann.stage("unit", "false").await.expect_err("the work fails");
    let known = || GitServer::git(&clone, &["rev-parse", "refs/fabrs/notes"]);
    let (last, notes) = (known(), "refs/notes/fabrs");
    GitServer::git(&clone, &["push", "--quiet", "--force", "origin", &format!("{last}~1:{notes}")]);
    for refused in [ann.refused("functional").await, ann.refused("unit").await] {
        assert!(refused.contains("refs/notes/fabrs was rewritten"), "{refused}");
        assert!(refused.contains("git update-ref -d refs/fabrs/notes"), "{refused}");
    }
    GitServer::git(&bare, &["update-ref", "-d", notes]);
    assert!(ann.refused("functional").await.contains("was rewritten"), "a deleted ref is rewritten as well");
    assert_eq!(known(), last);
    GitServer::git(&clone, &["update-ref", "-d", "refs/fabrs/notes"]);
    ann.stage("unit", "true").await?;
    ann.stage("functional", "true").await
}

#[tokio::test]
async fn a_good_build_needs_all_stages_and_counts_up() -> Result {
    let shared = SharedRepository::new();
    let clone = shared.clone_as("ann");
    let overriding = |settings: fabrs::config::Settings| settings.override_stages(Some("urgent".to_owned()));
    let ann = Teammate::with(&clone, overriding);
    GitServer::git(&shared.path(), &["tag", "deployable-9", "main~1"]);
    GitServer::git(&shared.path(), &["tag", "deployable-next", "main"]);
    ann.stage("smoke", "true").await?;
    let error = mark_good(&ann).await.expect_err("three stages are missing").into_error();
    assert!(error.message().contains("has not passed stage `unit`"), "the override does not apply: {error}");
    pass_up_to_smoke(&ann).await?;
    assert_eq!(mark_good(&ann).await?, "deployable-10");
    assert_eq!(mark_good(&ann).await?, "deployable-10", "the commit has a tag");
    assert_eq!(GitServer::git(&shared.path(), &["rev-parse", "deployable-10"]), head(&clone));
    commit(&clone, "Add orders");
    pass_up_to_smoke(&ann).await?;
    assert_eq!(mark_good(&ann).await?, "deployable-11");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn good_builds_of_concurrent_runs_have_different_numbers() -> Result {
    const RUNS: usize = 5;
    let shared = SharedRepository::new();
    let mut users = Vec::new();
    for n in 0..RUNS {
        let clone = shared.clone_as(&format!("clone{n}"));
        commit(&clone, &format!("Change {n}"));
        let user = Teammate::new(&clone);
        pass_up_to_smoke(&user).await?;
        users.push(user);
    }
    let mut tags = Vec::new();
    for tag in join_all(users.iter().map(mark_good)).await {
        tags.push(tag?);
    }
    tags.sort();
    let expected: Vec<_> = (1..=RUNS).map(|n| format!("deployable-{n}")).collect();
    assert_eq!(tags, expected);
    Ok(())
}
