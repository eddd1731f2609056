//! Promises of both file backends: the shell backend and the SFTP backend.

use std::fs;
use std::path::Path;

use fabrs::prelude::*;
use fabrs_testing::{Capability, QuotaDir, SmallDisk};

use super::{FileFixture, mode, text, walk};
use crate::support::{error_text, expect_error, within_limit};

/// Makes a test of each promise with a backend.
macro_rules! backend_tests {
    ($backend:ident = $fixture:expr; $($promise:ident)*) => {
        mod $backend {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() -> fabrs::prelude::Result {
                    super::$promise($fixture).await
                }
            )*
        }
    };
}

macro_rules! both_backend_tests {
    ($($promise:ident)*) => {
        backend_tests!(shell = super::FileFixture::new(); $($promise)*);
        backend_tests!(sftp = super::super::sftp::fixture(); $($promise)*);
    };
}

both_backend_tests! {
    uploads_of_any_content_are_byte_exact
    downloads_of_any_content_are_byte_exact
    a_full_disk_is_an_error_and_keeps_the_old_file
    an_exceeded_quota_is_an_error_and_keeps_the_old_file
}

async fn uploads_of_any_content_are_byte_exact(fixture: FileFixture) -> Result {
    let large: Vec<u8> = (0..=250u8).cycle().take(5 << 20).collect();
    for (name, content) in [("large", large), ("empty", Vec::new()), ("odd", b"\0\xff\n\r\n".to_vec())] {
        let target = fixture.remote(name);
        fixture.host.put(content.clone(), target.display().to_string()).await?;
        assert!(fs::read(&target)? == content, "{name}");
        assert!(!fixture.host.put(content, target.display().to_string()).await?.any()?, "{name}");
        assert_eq!(mode(&target), 0o644);
    }
    Ok(())
}

async fn downloads_of_any_content_are_byte_exact(fixture: FileFixture) -> Result {
    let large: Vec<u8> = (0..=250u8).cycle().take(5 << 20).collect();
    // The content contains the markers of the transfer script.
    let odd = b"\0\xff\n\r\nfabrs-here\nfabrs-same".to_vec();
    for (name, content) in [("large", large), ("empty", Vec::new()), ("odd", odd)] {
        fs::write(fixture.remote(name), &content)?;
        let here = fixture.local.path().join(name);
        fixture.host.get(fixture.remote(name).display().to_string(), here.display().to_string()).await?;
        assert!(fs::read(&here)? == content, "{name}");
    }
    Ok(())
}

async fn a_full_disk_is_an_error_and_keeps_the_old_file(fixture: FileFixture) -> Result {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    let small = fixture.remote("small");
    fs::create_dir(&small)?;
    let Some(disk) = SmallDisk::mount(&small) else { return Ok(()) };
    let shown = error_of_full_directory(&fixture, &small).await?;
    let is_the_cause = |line: &str| line.starts_with("  caused by: ") && line.ends_with("No space left on device");
    assert!(shown.lines().any(is_the_cause), "{shown}");
    // An open directory on the disk would prevent the unmount.
    fixture.host.close().await;
    drop(disk);
    Ok(())
}

async fn an_exceeded_quota_is_an_error_and_keeps_the_old_file(fixture: FileFixture) -> Result {
    if !Capability::Accounts.is_available() {
        return Ok(());
    }
    let place = super::open_folder(&fixture.sshd);
    let Some(disk) = QuotaDir::mount(&place) else { return Ok(()) };
    let shown = error_of_full_directory(&fixture, disk.path()).await?;
    // SFTP has no error code for an exceeded quota.
    assert!(shown.contains("quota exceeded") || shown.contains("caused by: the SFTP server"), "{shown}");
    fixture.host.close().await;
    drop(disk);
    Ok(())
}

/// Puts more bytes than a directory has room for. Returns the error text.
async fn error_of_full_directory(fixture: &FileFixture, folder: &Path) -> fabrs::Result<String> {
    let target = folder.join("x");
    fixture.host.put(b"old".to_vec(), target.display().to_string()).await?;
    // The first size is sent in parts, the second as a whole.
    let mut shown = String::new();
    for size in [12 << 20, 4 << 20] {
        let new = vec![b'n'; size];
        let error =
            expect_error(within_limit(fixture.host.put(new, target.display().to_string())).await, ErrorKind::File);
        assert_eq!((text(&target).as_str(), walk(folder).len()), ("old", 1), "{size}: {error:?}");
        shown = error_text(&error);
    }
    Ok(shown)
}
