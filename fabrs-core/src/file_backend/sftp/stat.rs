//! Reads the metadata of a path by SFTP.

use russh_sftp::protocol::FileAttributes;

use super::request_error::RequestError;
use super::session::SftpSession;
use super::target::{MODE_BITS, kind_of};
use crate::error::Result;
use crate::transfer::entry::{PathStat, Stat};

/// Returns the metadata of a path: with and without following a symlink.
pub(crate) async fn stat(session: &SftpSession, path: &str, operation: &str) -> Result<PathStat> {
    let looked = async {
        let path = session.path(&session.expanded(path).await?);
        let (lstat, followed) = tokio::join!(session.lstat(&path), session.stat(&path));
        Ok::<_, RequestError>(PathStat { lstat: lstat?.as_ref().map(to_stat), stat: followed?.as_ref().map(to_stat) })
    };
    looked.await.map_err(|error| error.into_error(&session.context, operation))
}

fn to_stat(attributes: &FileAttributes) -> Stat {
    Stat {
        kind: kind_of(attributes),
        mode: attributes.permissions.unwrap_or_default() & MODE_BITS,
        owner: (attributes.uid.unwrap_or_default(), attributes.gid.unwrap_or_default()),
        size: attributes.size.unwrap_or_default(),
        modified: attributes.mtime.map(i64::from).unwrap_or_default(),
    }
}
