//! Looking what is at a path, by SFTP.

use russh_sftp::protocol::FileAttributes;

use super::fault::Fault;
use super::session::Session;
use super::target::{MODE, kind_of};
use crate::error::Result;
use crate::files::entry::{PathStat, Stat};

/// Looks what is at a path: itself, and what it leads to.
pub(in super::super) async fn look(session: &Session, path: &str, operation: &str) -> Result<PathStat> {
    let looked = async {
        let path = session.path(&session.expanded(path).await?);
        let (lstat, followed) = tokio::join!(session.lstat(&path), session.stat(&path));
        Ok::<_, Fault>(PathStat { lstat: lstat?.as_ref().map(stat), stat: followed?.as_ref().map(stat) })
    };
    looked.await.map_err(|fault| fault.into_error(&session.context, operation))
}

fn stat(attributes: &FileAttributes) -> Stat {
    Stat {
        kind: kind_of(attributes),
        mode: attributes.permissions.unwrap_or_default() & MODE,
        owner: (attributes.uid.unwrap_or_default(), attributes.gid.unwrap_or_default()),
        size: attributes.size.unwrap_or_default(),
        modified: attributes.mtime.map(i64::from).unwrap_or_default(),
    }
}
