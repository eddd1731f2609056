//! The work of a stage: its hosts, its result, and its work tree.

use std::fs;

use fabrs::prelude::*;
use fabrs::transport::Fake;
use fabrs::{Error, Group};
use fabrs_deploy::Git;

use crate::pipeline_fixture::{SharedRepository, Teammate, head};

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
