//! Stages of local work: their order, records, override and dry run.

use std::fs;
use std::time::Duration;

use fabrs::config::{Mode, OnUnreachable, Settings};
use fabrs::prelude::*;
use fabrs::transport::StopLevel;
use fabrs::{Error, local};
use fabrs_deploy::StageResult;
use fabrs_testing::wait_until;

use crate::pipeline_fixture::{SharedRepository, Teammate, commit, head};

fn overriding(settings: Settings) -> Settings {
    settings.override_stages(Some("fixes the checkout".to_owned()))
}

#[tokio::test]
async fn a_stage_runs_only_after_all_earlier_stages_have_passed() -> Result {
    let shared = SharedRepository::new();
    let (ann, bob) = (Teammate::new(&shared.clone_as("ann")), Teammate::new(&shared.clone_as("bob")));
    let commit = head(&shared.clone_as("other"));
    let refused = ann.refused("functional").await;
    let text = format!("{} has not passed stage `unit`: the stage never ran", &commit[..10]);
    assert!(refused.contains(&text) && refused.contains("--override-stages REASON"), "{refused}");
    assert!(!shared.has_records(), "a refused stage has no record");

    ann.stage("unit", "true").await?;
    let recorded = format!("recorded: stage `unit` passed for {}", &commit[..10]);
    assert!(ann.messages().contains(&recorded), "{}", ann.messages());
    assert!(bob.refused("staging").await.contains("has not passed stage `functional`"));
    bob.stage("functional", "true").await?;
    ann.stage("staging", "true").await?;
    let records = shared.records(&commit);
    assert_eq!(records.len(), 3, "{records:?}");
    for (record, stage) in records.iter().zip(["unit", "functional", "staging"]) {
        assert!(record.starts_with("{\"at\":\"20"), "the time is first: {record}");
        let record: serde_json::Value = serde_json::from_str(record)?;
        assert_eq!((&record["stage"], &record["result"]), (&stage.into(), &"passed".into()));
        assert!(record["by"]["user"].is_string() && record["seconds"].is_f64() && record["run"].is_string());
    }
    Ok(())
}

#[tokio::test]
async fn a_failed_stage_refuses_the_next_stage_until_a_rerun_passes() -> Result {
    let shared = SharedRepository::new();
    let ann = Teammate::new(&shared.clone_as("ann"));
    let failed = ann.stage("unit", "echo broken >&2; exit 3").await.expect_err("the work fails").into_error();
    assert_eq!(failed.kind(), ErrorKind::Exit, "the error of the work is unchanged");
    let refused = ann.refused("functional").await;
    assert!(refused.contains("has not passed stage `unit`: failed at 20") && refused.contains(", by "), "{refused}");
    ann.stage("unit", "true").await?;
    ann.stage("functional", "true").await
}

#[tokio::test]
async fn a_later_failure_of_an_early_stage_revokes_the_pass() -> Result {
    let shared = SharedRepository::new();
    let ann = Teammate::new(&shared.clone_as("ann"));
    ann.stage("unit", "true").await?;
    ann.stage("functional", "true").await?;
    ann.stage("unit", "false").await.expect_err("the work fails");
    assert!(ann.refused("staging").await.contains("has not passed stage `unit`: failed"));
    Ok(())
}

#[tokio::test]
async fn a_pass_is_valid_for_its_commit_only() -> Result {
    let shared = SharedRepository::new();
    let clone = shared.clone_as("ann");
    let ann = Teammate::new(&clone);
    ann.stage("unit", "true").await?;
    let next = commit(&clone, "Add orders");
    assert!(ann.refused("functional").await.contains(&format!("{} has not passed stage `unit`", &next[..10])));
    let parent = shared.clone_as("parent");
    fabrs_testing::GitServer::git(&parent, &["checkout", "--quiet", "HEAD~1"]);
    Teammate::new(&parent).stage("functional", "true").await
}

#[tokio::test]
async fn an_override_needs_a_reason_and_is_recorded() -> Result {
    let shared = SharedRepository::new();
    let clone = shared.clone_as("ann");
    let blank = Teammate::with(&clone, |settings| settings.override_stages(Some(" ".to_owned())));
    assert!(blank.refused("functional").await.contains("has not passed stage `unit`"));
    let ann = Teammate::with(&clone, overriding);
    ann.stage("functional", "true").await?;
    assert!(ann.messages().contains("stages overridden: fixes the checkout"), "{}", ann.messages());
    let records = shared.records(&head(&clone));
    assert!(records[0].contains(r#""override_reason":"fixes the checkout""#), "{records:?}");
    ann.stage("unit", "true").await?;
    let records = shared.records(&head(&clone));
    assert!(!records[1].contains("override_reason"), "no stage was missing: {records:?}");
    assert!(Teammate::new(&clone).stage("staging", "true").await.is_ok(), "both stages have passed");
    Ok(())
}

#[tokio::test]
async fn uncommitted_changes_are_refused_before_the_work() -> Result {
    let shared = SharedRepository::new();
    let clone = shared.clone_as("ann");
    let ann = Teammate::new(&clone);
    fs::create_dir(clone.join("below"))?;
    fs::write(clone.join("draft.py"), "1")?;
    let stage = ann.pipeline().repository(clone.join("below").to_string_lossy()).stage("unit")?;
    let work = async { panic!("the work must not start") };
    let error = ann.task(stage.run::<_, (), Error>(work)).await.expect_err("the work tree has changes").into_error();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.message().contains("`draft.py` has uncommitted changes"), "{error}");
    assert!(!shared.has_records());
    Ok(())
}

#[tokio::test]
async fn a_commit_during_the_work_prevents_the_record() -> Result {
    let shared = SharedRepository::new();
    let clone = shared.clone_as("ann");
    let ann = Teammate::new(&clone);
    let stage = ann.pipeline().stage("unit")?;
    let work = async {
        commit(&clone, "Add orders");
        Ok::<_, Error>(())
    };
    let error = ann.task(stage.run(work)).await.expect_err("the pass has no commit").into_error();
    assert!(error.message().contains("HEAD changed during the stage"), "{error}");
    assert!(!shared.has_records());
    Ok(())
}

#[tokio::test]
async fn a_given_commit_is_recorded_without_a_look_at_the_work_tree() -> Result {
    let shared = SharedRepository::new();
    let clone = shared.clone_as("ann");
    let deployed = head(&clone);
    commit(&clone, "Add orders");
    fs::write(clone.join("draft.py"), "1")?;
    let ann = Teammate::new(&clone);
    let stage = ann.pipeline().stage("unit")?;
    ann.task(async { stage.clone().commit(&deployed).run(local("true")).await }).await?;
    assert_eq!(shared.records(&deployed).len(), 1);
    let error = ann.task(async { stage.commit("HEAD").run(local("true")).await }).await;
    let error = error.expect_err("no full id").into_error();
    assert_eq!(error.kind(), ErrorKind::Usage);
    Ok(())
}

#[tokio::test]
async fn a_dry_run_plans_the_work_and_the_record_and_writes_nothing() -> Result {
    let shared = SharedRepository::new();
    let clone = shared.clone_as("ann");
    let ann = Teammate::with(&clone, |settings| settings.mode(Mode::DryRun));
    let proof = clone.join("proof");
    let path = proof.display().to_string();
    ann.stage("functional", cmd!("touch {path}")).await?;
    let planned: Vec<_> = ann.capture.of_kind("planned").iter().map(ToString::to_string).collect();
    assert!(planned[0].contains("touch ") && planned.len() == 2, "{planned:?}");
    assert!(planned[1].contains("record stage `functional` as passed for "), "{planned:?}");
    assert!(ann.messages().contains("has not passed stage `unit`"), "{}", ann.messages());
    assert!(!proof.exists() && !shared.has_records());
    Ok(())
}

#[tokio::test]
async fn a_stopped_stage_has_no_record() -> Result {
    let shared = SharedRepository::new();
    let clone = shared.clone_as("bob");
    for (case, command) in ["sleep 600", "trap 'exit 0' TERM; sleep 600 & wait", "sleep 600 || true"].iter().enumerate()
    {
        for is_ignored in [false, true] {
            let bob = Teammate::new(&clone);
            let stage = bob.pipeline().stage("unit")?;
            let started = clone.join(format!(".git/started-{case}-{is_ignored}"));
            let line = format!("{{ touch {}; {command}; }}", started.display());
            let work = async {
                let worked = local(ShellLine::raw(line)).await.map(drop);
                if is_ignored { Ok(()) } else { worked }
            };
            let stop = async {
                let reached = move || wait_until("the work has started", Duration::from_mins(1), || started.exists());
                tokio::task::spawn_blocking(reached).await?;
                bob.client.stop().raise(StopLevel::Stop);
                Result::<()>::Ok(())
            };
            let (stopped, raised) = tokio::join!(bob.task(stage.run(work)), stop);
            raised?;
            let error = stopped.expect_err("the work was stopped").into_error();
            assert_eq!(error.kind(), ErrorKind::Cancelled, "`{command}`: {}", error.block());
            assert!(!shared.has_records(), "`{command}`");
        }
    }
    Ok(())
}

#[tokio::test]
async fn options_that_hide_failures_are_refused() -> Result {
    let shared = SharedRepository::new();
    let clone = shared.clone_as("ann");
    let warn_only = Teammate::with(&clone, |settings| settings.warn_only(true));
    assert!(warn_only.refused("unit").await.contains("cannot run with `-w`"));
    let skipping = Teammate::with(&clone, |settings| settings.on_unreachable(OnUnreachable::Skip));
    assert!(skipping.refused("unit").await.contains("cannot run with `--skip-bad-hosts`"));
    assert!(!shared.has_records());
    Ok(())
}

#[tokio::test]
async fn malformed_lines_are_no_records_and_cause_a_warning() -> Result {
    let shared = SharedRepository::new();
    let clone = shared.clone_as("ann");
    let ann = Teammate::new(&clone);
    shared.forge(&head(&clone), "{\"stage\":\"unit\",\"result\":\"passed\"}\nnot json");
    assert!(ann.refused("functional").await.contains("has not passed stage `unit`: the stage never ran"));
    assert!(ann.messages().contains("2 malformed lines in the pipeline records"), "{}", ann.messages());
    ann.stage("unit", "true").await?;
    ann.stage("functional", "true").await
}

#[tokio::test]
async fn a_pass_before_a_malformed_line_does_not_count_until_a_rerun() -> Result {
    let shared = SharedRepository::new();
    let clone = shared.clone_as("ann");
    let ann = Teammate::new(&clone);
    ann.stage("unit", "true").await?;
    shared.forge(&head(&clone), r#"{"stage":"unit","result":"failed"}"#);
    let refused = ann.refused("functional").await;
    assert!(refused.contains("stage `unit`: an unreadable record follows the pass of 20"), "{refused}");
    ann.stage("unit", "true").await?;
    ann.stage("functional", "true").await
}

#[tokio::test]
async fn text_of_a_forged_record_cannot_control_the_terminal() -> Result {
    let shared = SharedRepository::new();
    let clone = shared.clone_as("ann");
    let ann = Teammate::new(&clone);
    let forged = r#"{"at":"2026-12-01T08:15:00Z","stage":"unit","result":"failed","by":{"user":"\u001b[2Kann\nok","machine":"m"},"seconds":1.0,"run":"0"}"#;
    shared.forge(&head(&clone), forged);
    let refused = ann.refused("functional").await;
    assert!(refused.contains(r"by \u{1b}[2Kann\nok@m") && !refused.contains('\u{1b}'), "{refused}");
    Ok(())
}

#[tokio::test]
async fn the_status_has_the_last_results_of_each_commit_as_table_and_json() -> Result {
    let shared = SharedRepository::new();
    let clone = shared.clone_as("ann");
    let ann = Teammate::new(&clone);
    ann.stage("unit", "true").await?;
    ann.stage("functional", "false").await.expect_err("the work fails");
    let pipeline = ann.pipeline();
    let status = ann.task(pipeline.read_status()).await?;
    let [latest, first] = &status.commits[..] else { panic!("two commits: {status:?}") };
    assert_eq!((latest.commit.id.as_str(), latest.commit.subject.as_str()), (head(&clone).as_str(), "Add notes"));
    let results: Vec<_> = latest.records.iter().map(|record| (record.stage.as_str(), record.result)).collect();
    assert_eq!(results, [("unit", StageResult::Passed), ("functional", StageResult::Failed)]);
    assert!(first.records.is_empty());

    ann.task(pipeline.status()).await?;
    let table = ann.messages();
    let mut rows = table.lines().skip_while(|line| line.starts_with("recorded: "));
    let header: Vec<_> = rows.next().unwrap_or_default().split_whitespace().collect();
    assert_eq!(header, ["commit", "unit", "functional", "staging", "smoke", "production", "subject"]);
    let row = rows.next().unwrap_or_default();
    assert!(row.contains("passed ") && row.contains("failed ") && row.ends_with("Add notes"), "{table}");
    assert!(table.contains(" functional: failed at 20"), "{table}");

    let json = Teammate::new(&clone);
    json.task(pipeline.status_json()).await?;
    let document: serde_json::Value = serde_json::from_str(&json.messages())?;
    assert_eq!(document["commits"][0]["id"], head(&clone).as_str());
    assert_eq!(document["commits"][0]["records"][1]["result"], "failed");
    Ok(())
}
