//! File transfers as another user: directories of root, passwords, and preserved owners.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use fabrs::prelude::*;
use fabrs_testing::Account;

use super::{mode, text};
use crate::support::{error_text, expect_error};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_under_sudo_keeps_owner_and_mode_with_and_without_a_password() -> Result {
    for account in [Account::SudoNopasswd, Account::Sudo, Account::SudoPty] {
        let Some(fixture) = crate::sudo::SudoFixture::with_password(account) else { return Ok(()) };
        let folder = tempfile::tempdir()?;
        let target = folder.path().join("x");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let host = fixture.host();
        let put = |content: &str| host.put(content.as_bytes().to_vec(), target.display().to_string()).sudo();
        assert!(put("one").await?.any()?, "{account:?}");
        assert_eq!((text(&target).as_str(), mode(&target), fs::metadata(&target)?.uid()), ("one", 0o644, 0));

        fs::set_permissions(&target, fs::Permissions::from_mode(0o640))?;
        std::os::unix::fs::chown(&target, Some(65534), Some(1))?;
        assert!(put("two").await?.any()?);
        let meta = fs::metadata(&target)?;
        assert_eq!((text(&target).as_str(), mode(&target), meta.uid(), meta.gid()), ("two", 0o640, 65534, 1));
        assert!(!put("two").await?.any()?, "the file is not written again");
        assert!(put("two").owner("root").group("daemon").mode(0o600).await?.any()?, "owner and mode are changes");
        let meta = fs::metadata(&target)?;
        assert_eq!((mode(&target), meta.uid(), meta.gid()), (0o600, 0, 1));

        let here = tempfile::tempdir()?;
        let copy = here.path().join("copy");
        expect_error(host.get(target.display().to_string(), copy.display().to_string()).await, ErrorKind::File);
        host.get(target.display().to_string(), copy.display().to_string()).sudo().await?;
        assert_eq!(text(&copy), "two");
        assert_eq!(fs::read_dir(folder.path())?.count(), 1, "no other file remains");
        assert!(!fixture.events_as_text().contains(super::super::sudo::password().expose()));
        host.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_refused_by_sudo_is_an_error_and_writes_no_file() -> Result {
    let Some(fixture) = crate::sudo::SudoFixture::of(Account::Sudo, |builder| builder) else { return Ok(()) };
    let error = expect_error(fixture.host().put(b"x".to_vec(), "/etc/fabrs-must-not-be").sudo().await, ErrorKind::Sudo);
    assert!(
        error_text(&error).contains("a password is required") && error_text(&error).contains("put 1 byte"),
        "{error:?}"
    );
    assert!(!std::path::Path::new("/etc/fabrs-must-not-be").exists());
    Ok(())
}
