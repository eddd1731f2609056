//! The work of a stage: its hosts, its result, and its work tree.

use std::fs;
use std::panic::AssertUnwindSafe;

use fabrs::prelude::*;
use fabrs::transport::Fake;
use fabrs::{Error, Group};
use fabrs_deploy::Git;
use fabrs_testing::GitServer;
use futures::FutureExt;

use crate::pipeline_fixture::{SharedRepository, Teammate, commit, head};

/// Returns the last record of HEAD as text: `unit passed`.
fn last_record(shared: &SharedRepository, commit: &str) -> String {
    let records = shared.records(commit);
    let last = records.last().expect("the commit has a record");
    let record: serde_json::Value = serde_json::from_str(last).expect("a record is JSON");
    [&record["stage"], &record["result"]].map(|field| field.as_str().unwrap_or_default()).join(" ")
}

#[tokio::test]
async fn a_task_for_hosts_cannot_record_the_result_of_its_last_host() -> Result {
    let shared = SharedRepository::new();
    let ann = Teammate::new(&shared.clone_as("ann"));
    let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    let stage = ann.pipeline().stage("unit")?;
    let work = async { panic!("the work must not start") };
    let refused = web.enter(stage.run::<_, (), Error>(work)).await.expect_err("web2 may differ").into_error();
    assert_eq!(refused.kind(), ErrorKind::Usage);
    let block = refused.block().to_string();
    assert!(block.contains("web1") && block.contains("cannot run in a task for hosts"), "{block}");
    assert!(block.contains("#[task(local)]") && block.contains("all_ok()"), "{block}");
    let git = Git::at("https://git.example.com/shop.git");
    let refused = web.enter(stage.mark_good(&git)).await.expect_err("web2 may differ");
    assert_eq!(refused.kind(), ErrorKind::Usage, "{refused}");
    assert!(!shared.has_records());
    Ok(())
}

#[tokio::test]
async fn a_failed_command_with_warn_is_recorded_as_failed() -> Result {
    let shared = SharedRepository::new();
    let clone = shared.clone_as("ann");
    let ann = Teammate::new(&clone);
    let unit = ann.pipeline().stage("unit")?;
    ann.task(async { unit.run(local("true").warn()).await }).await?;
    assert_eq!(last_record(&shared, &head(&clone)), "unit passed");
    let error = ann.task(async { unit.run(local("echo broken; exit 3").warn()).await }).await;
    let block = error.expect_err("the tests failed").into_error().block().to_string();
    assert!(block.contains("failed with exit status 3") && block.contains(".warn()"), "{block}");
    assert_eq!(last_record(&shared, &head(&clone)), "unit failed");
    let both = async {
        let commands = tokio::join!(local("true").warn(), local("false").warn());
        Ok::<_, Error>((commands.0?, Some(vec![commands.1?])))
    };
    ann.task(unit.run(both)).await.expect_err("the second command failed");
    assert_eq!(shared.records(&head(&clone)).len(), 3);
    Ok(())
}

#[tokio::test]
async fn a_group_with_a_failed_host_is_recorded_as_failed() -> Result {
    let shared = SharedRepository::new();
    let clone = shared.clone_as("ann");
    let ann = Teammate::new(&clone);
    let unit = ann.pipeline().stage("unit")?;
    let hosts = Client::builder().dial(Fake::new()).build();
    let web = Group::of(&hosts, ["web1", "web2"])?;
    let work = |failing: &'static str| {
        let web = web.clone();
        async move {
            let tested = web.each(|host| async move {
                ensure!(host.host().is_some_and(|host| host.name() != failing), "broken");
                Ok::<_, TaskError>(())
            });
            Ok::<_, Error>(tested.await)
        }
    };
    let block = ann.task(unit.run(work("web2"))).await.expect_err("web2 failed").into_error().block().to_string();
    assert!(block.contains("web2: the work failed: broken") && block.contains(".all_ok()"), "{block}");
    assert_eq!(last_record(&shared, &head(&clone)), "unit failed");
    ann.task(unit.run(work("none"))).await?.all_ok()?;
    assert_eq!(last_record(&shared, &head(&clone)), "unit passed");
    Ok(())
}

#[tokio::test]
async fn an_unreadable_work_tree_is_refused_before_the_work() -> Result {
    let shared = SharedRepository::new();
    let clone = shared.clone_as("ann");
    let ann = Teammate::new(&clone);
    fs::write(clone.join("draft.py"), "1")?;
    fs::write(clone.join(".git/index"), "damaged")?;
    let proof = clone.join("proof");
    let path = proof.display().to_string();
    let error = ann.stage("unit", cmd!("touch {path}")).await.expect_err("git cannot list changes").into_error();
    assert!(error.message().contains("index"), "{error}");
    assert!(!proof.exists() && !shared.has_records());
    Ok(())
}

#[tokio::test]
async fn a_panic_of_the_work_revokes_an_earlier_pass() -> Result {
    let shared = SharedRepository::new();
    let clone = shared.clone_as("ann");
    let ann = Teammate::new(&clone);
    ann.stage("unit", "true").await?;
    let unit = ann.pipeline().stage("unit")?;
    let work = async { panic!("index out of bounds") };
    let panic = AssertUnwindSafe(ann.task(unit.run::<_, (), Error>(work))).catch_unwind().await;
    let panic = panic.expect_err("the panic continues");
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"index out of bounds"));
    assert_eq!(last_record(&shared, &head(&clone)), "unit failed");
    Ok(())
}

#[tokio::test]
async fn a_changed_file_during_the_work_prevents_the_pass() -> Result {
    let shared = SharedRepository::new();
    let clone = shared.clone_as("ann");
    fs::write(clone.join("app.py"), "x=1")?;
    GitServer::git(&clone, &["add", "app.py"]);
    commit(&clone, "Add the application");
    fs::create_dir(clone.join("below"))?;
    let ann = Teammate::new(&clone);
    let unit = ann.pipeline().repository(clone.join("below").to_string_lossy()).stage("unit")?;
    let fix = async {
        fs::write(clone.join("app.py"), "x = 1")?;
        Ok::<_, TaskError>(())
    };
    let error = ann.task(unit.run(fix)).await.expect_err("the tests saw other files").into_error();
    assert!(error.message().contains("`app.py` has uncommitted changes since the start of the stage"), "{error}");
    assert!(!shared.has_records());
    GitServer::git(&clone, &["checkout", "--quiet", "app.py"]);
    // A report of the tests is no change.
    ann.task(unit.run(async { Ok::<_, TaskError>(fs::write(clone.join("junit.xml"), "<testsuite/>")?) })).await?;
    assert_eq!(last_record(&shared, &head(&clone)), "unit passed");
    Ok(())
}
