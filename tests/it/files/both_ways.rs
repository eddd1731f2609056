//! Promises that both file backends keep: the shell backend and the SFTP backend.

use std::fs;
use std::path::Path;

use fabrs::prelude::*;
use fabrs_testing::{Capability, QuotaDir, SmallDisk};

use super::{Lab, mode, text, walk};
use crate::support::{block, refused, soon};

/// Makes a test of each promise with one backend.
macro_rules! kept {
    ($way:ident = $lab:expr; $($promise:ident)*) => {
        mod $way {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() -> fabrs::prelude::Result {
                    super::$promise($lab).await
                }
            )*
        }
    };
}

macro_rules! kept_both_ways {
    ($($promise:ident)*) => {
        kept!(by_shell = super::Lab::new(); $($promise)*);
        kept!(by_sftp = super::super::without_a_shell::lab(); $($promise)*);
    };
}

kept_both_ways! {
    bytes_and_large_and_empty_files_are_put_as_they_are
    large_and_empty_and_odd_files_are_got_as_they_are
    a_disk_that_is_full_is_told_and_the_old_file_stays
    a_quota_that_is_used_up_is_told_and_the_old_file_stays
}

async fn bytes_and_large_and_empty_files_are_put_as_they_are(lab: Lab) -> Result {
    let large: Vec<u8> = (0..=250u8).cycle().take(5 << 20).collect();
    for (name, content) in [("large", large), ("empty", Vec::new()), ("odd", b"\0\xff\n\r\n".to_vec())] {
        let target = lab.there(name);
        lab.host.put(content.clone(), target.display().to_string()).await?;
        assert!(fs::read(&target)? == content, "{name}");
        assert!(!lab.host.put(content, target.display().to_string()).await?.any()?, "{name}");
        assert_eq!(mode(&target), 0o644);
    }
    Ok(())
}

async fn large_and_empty_and_odd_files_are_got_as_they_are(lab: Lab) -> Result {
    let large: Vec<u8> = (0..=250u8).cycle().take(5 << 20).collect();
    // The content contains the markers of the transfer script.
    let odd = b"\0\xff\n\r\nfabrs-here\nfabrs-same".to_vec();
    for (name, content) in [("large", large), ("empty", Vec::new()), ("odd", odd)] {
        fs::write(lab.there(name), &content)?;
        let here = lab.here.path().join(name);
        lab.host.get(lab.there(name).display().to_string(), here.display().to_string()).await?;
        assert!(fs::read(&here)? == content, "{name}");
    }
    Ok(())
}

async fn a_disk_that_is_full_is_told_and_the_old_file_stays(lab: Lab) -> Result {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    let small = lab.there("small");
    fs::create_dir(&small)?;
    let Some(disk) = SmallDisk::mount(&small) else { return Ok(()) };
    let shown = no_room(&lab, &small).await?;
    let is_the_cause = |line: &str| line.starts_with("  caused by: ") && line.ends_with("No space left on device");
    assert!(shown.lines().any(is_the_cause), "{shown}");
    // An open directory on the disk would prevent the unmount.
    lab.host.close().await;
    drop(disk);
    Ok(())
}

async fn a_quota_that_is_used_up_is_told_and_the_old_file_stays(lab: Lab) -> Result {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    let place = super::open_folder(&lab.sshd);
    let Some(disk) = QuotaDir::mount(&place) else { return Ok(()) };
    let shown = no_room(&lab, disk.path()).await?;
    // SFTP has no error code for an exceeded quota.
    assert!(shown.contains("quota exceeded") || shown.contains("caused by: the SFTP server"), "{shown}");
    lab.host.close().await;
    drop(disk);
    Ok(())
}

/// Puts more bytes than a directory has room for. Returns the error text.
async fn no_room(lab: &Lab, folder: &Path) -> fabrs::Result<String> {
    let target = folder.join("x");
    lab.host.put(b"old".to_vec(), target.display().to_string()).await?;
    // The first size is sent in parts, the second in one piece.
    let mut shown = String::new();
    for size in [12 << 20, 4 << 20] {
        let new = vec![b'n'; size];
        let error = refused(soon(lab.host.put(new, target.display().to_string())).await, ErrorKind::File);
        assert_eq!((text(&target).as_str(), walk(folder).len()), ("old", 1), "{size}: {error:?}");
        shown = block(&error);
    }
    Ok(shown)
}
