//! Hosts that give no shell: files go by SFTP.

use fabrs::prelude::*;
use fabrs_testing::Sshd;

use super::{Lab, text};
use crate::support::soon;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_put_where_there_is_only_sftp() -> Result {
    let lab = Lab::of(Sshd::builder().option("ForceCommand", "internal-sftp").start());
    let target = lab.there("x");
    soon(lab.host.put(b"content".to_vec(), target.display().to_string())).await?;
    assert_eq!(text(target), "content");
    Ok(())
}
