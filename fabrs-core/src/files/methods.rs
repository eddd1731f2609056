//! The file methods of [`Connection`]: `put`, `get`, `sync`, `rsync` and `write`.

use std::panic::Location;
use std::path::PathBuf;

use super::get::GetRequest;
use super::put::PutRequest;
use super::rsync::RsyncRequest;
use super::source::Source;
use super::sync::SyncRequest;
use crate::connection::Connection;

impl Connection {
    /// Puts files on the host: a file, a folder with all in it, a pattern (`conf/*.conf`, `static/**/*.{css,js}`) of this
    /// machine, bytes, a [`Secret`](crate::Secret), or several of these (`["app.py", "conf"]`).
    ///
    /// A relative `target` is taken from the connection's directory, and that from the login's home; a leading `~/` is the
    /// home too. Where it is a folder, or ends with `/`, a file keeps its own name in it. A folder's content goes below
    /// `target`, which is made where it is not there; for a single file its folder must be there. Of several sources each
    /// goes there under its own name, and what a pattern means under its path below what has no sign of a pattern in it.
    ///
    /// Symlinks in a folder are kept as they are, whatever they lead to; one that is the source itself is followed. Of a
    /// folder nothing is put where something stands in the way of a part of it, or can't be read here.
    ///
    /// A symlink of the host in the place of a file or a folder is followed, and what it leads to is written.
    ///
    /// Each file lands whole or not at all: it is written beside its place under another name, its size is compared, and
    /// it is renamed. What is replaced keeps its mode, and its owner where that can be kept; a single file also its ACL,
    /// where the host has `setfacl`, and else a warning says that it is lost. Other names of it (hard links) keep the old
    /// content, which a warning says too. What is new has `0o644`, or
    /// `0o755` where it can be run here, unless [`preserve_mode`](PutRequest::preserve_mode) or a mode is said. A content that is there
    /// already is not sent; [`Changes`](crate::files::Changes) says which were written. What differs in a folder comes as one stream
    /// where the host has `tar`, and is put into its places when all of it has arrived; a file of 8 MiB and more in
    /// parts, over up to six sessions of the connection: of a sparse one only what is in it, and of one that has changed
    /// only the changed MiB, where the host has `python3` or `perl`. For several hosts of a run it is read once: who is
    /// ahead waits for the others, up to a third of its time.
    ///
    /// Where the host gives no shell they go by SFTP: then there is no sudo, an owner is a number, an ACL is not kept, and
    /// what has the same size is read to be compared.
    ///
    /// # Errors
    ///
    /// When awaited: [`File`](crate::ErrorKind::File) where the host can't take it, with its reason;
    /// [`Local`](crate::ErrorKind::Local) where it can't be read here; and as any command.
    #[track_caller]
    pub fn put(&self, source: impl Into<Source>, target: impl Into<String>) -> PutRequest {
        PutRequest::new(self.clone(), source.into(), target.into(), Location::caller())
    }

    /// Writes a content to a file: a [`put`](Self::put) of it, for what is text and no path.
    ///
    /// ```
    /// # use fabrs_core::{Client, transport::Fake};
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let writes = web.write("/etc/motd", "Deployed by fabrs.\n").sudo();
    /// # drop(writes);
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    #[track_caller]
    pub fn write(&self, path: impl Into<String>, content: impl AsRef<[u8]>) -> PutRequest {
        self.put(content.as_ref().to_vec(), path)
    }

    /// Gets files of the host: a file, a folder with all in it, or a pattern (`/var/log/*.log`).
    ///
    /// In `to` `{host}`, `{path}`, `{dirname}` and `{basename}` stand for the host and for what a file is called below
    /// what was asked for; an empty one is `{host}/{path}`. A file keeps its name where that ends with `/`, or is a folder;
    /// a folder's content goes below it, and the folder itself where it ends with `/`. Where a file of another host of
    /// this run is replaced, that is warned of. Folders are made where they are not there. Symlinks in a folder are kept as they are; one that is asked
    /// for itself is followed.
    ///
    /// A host can't choose a path outside of `to`. Symlinks in the part of `to` before the first field are
    /// followed. After the first field, and below a target directory, a symlink at the path of a directory is an error:
    /// a host could have sent it. A symlink at the path of a file is replaced.
    ///
    /// Each file is written atomically: after a failure, the old file is unchanged. A new file has its mode on the
    /// host, without the bits that the umask removes. [`mode`](GetRequest::mode) sets an exact mode. Equal files are
    /// not sent. If the host has no shell, SFTP sends them for comparison, and the local file is not touched. A dry run
    /// compares, and writes nothing.
    ///
    /// # Limits
    ///
    /// - A listing takes at most 32 MiB of memory: about 200,000 paths of 70 bytes. For larger trees, get the
    ///   directories one by one, or use [`rsync`](Self::rsync).
    /// - A host that sends more data than requested, or prints without an end, causes an error.
    /// - Silence has no limit of its own. The timeout of commands (`fab -T`) applies to the command of a transfer. If the whole host
    ///   is silent, the keepalives end the session (`ServerAliveInterval`).
    ///
    /// # Errors
    ///
    /// When awaited: [`File`](crate::ErrorKind::File) where the host can't give it, with its reason;
    /// [`Local`](crate::ErrorKind::Local) where it can't be written here; and as any command.
    #[track_caller]
    pub fn get(&self, path: impl Into<String>, to: impl Into<String>) -> GetRequest {
        GetRequest::new(self.clone(), path.into(), to.into(), Location::caller())
    }

    /// Makes a folder of the host the equal of one here: its files, folders and symlinks, with their modes and the times of
    /// their last change.
    ///
    /// All that is in the folder there is listed once. A file is sent where its size is another; where only the time is, the
    /// contents are compared, and where neither is, it counts as the same ([`checksum`](SyncRequest::checksum) compares
    /// those too). What is not here stays, unless [`delete`](SyncRequest::delete) is said. All that differs comes as one
    /// stream and is put into its places when all of it has arrived. A symlink of the host in the place of a file or a
    /// folder is replaced, and not followed. A file of which only the time was another gets that, and counts as unchanged.
    ///
    /// With `--diff` each entry that is another is told as `rsync --itemize-changes` does, in a dry run too. Neither
    /// side needs `rsync`; the host needs a shell and `tar`.
    ///
    /// # Errors
    ///
    /// When awaited, as [`put`](Self::put). [`Usage`](crate::ErrorKind::Usage) where all of the host, or of the home, would
    /// be removed, or all of a folder since nothing is here.
    #[track_caller]
    pub fn sync(&self, from: impl Into<PathBuf>, to: impl Into<String>) -> SyncRequest {
        SyncRequest::new(self.clone(), from.into(), to.into(), Location::caller())
    }

    /// Runs `rsync` between this machine and the host, over the connection that there is: its gateways, its login and its sudo.
    /// Both sides need the program; [`sync`](Self::sync) needs it on neither, and [`put`](Self::put) and [`get`](Self::get)
    /// do with less.
    ///
    /// `here` and `there` are what they are to rsync: `site/` is what is in the folder, `site` the folder itself; a
    /// relative `there` is taken from the connection's directory, and that from the login's home. It runs with
    /// `--archive`; [`option`](RsyncRequest::option) gives it more.
    ///
    /// ```
    /// # use fabrs_core::{Client, transport::Fake};
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let up = web.rsync("site/", "/srv/site").delete().exclude("*.pyc").option("--compress");
    /// let down = web.rsync("logs/", "/var/log/shop/").download().sudo();
    /// # drop((up, down));
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When awaited: [`File`](crate::ErrorKind::File) where it fails, with what it said; and as any command.
    #[track_caller]
    pub fn rsync(&self, here: impl Into<String>, there: impl Into<String>) -> RsyncRequest {
        RsyncRequest::new(self.clone(), here.into(), there.into(), Location::caller())
    }
}
