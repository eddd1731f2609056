//! The file methods of [`Connection`]: `put`, `get`, `sync`, `rsync` and `write`.

use std::panic::Location;
use std::path::PathBuf;

use super::get::GetRequest;
use super::put::PutRequest;
use super::rsync::RsyncRequest;
use super::sync::SyncRequest;
use crate::connection::Connection;
use crate::transfer::source::Source;

impl Connection {
    /// Uploads files to the host.
    ///
    /// `source` is a path, a glob pattern (`conf/*.conf`, `static/**/*.{css,js}`), bytes, a
    /// [`Secret`](crate::Secret), a template, or a list of these (`["app.py", "conf"]`).
    ///
    /// A relative `target` is resolved against the directory of the connection, then against the
    /// home of the login. A leading `~/` is the home as well.
    ///
    /// - If the target is a directory, or ends with `/`, a file keeps its own name in the target.
    ///   The parent directory of a single file must exist.
    /// - The content of a directory is uploaded below `target`. Missing directories are created.
    /// - Each source of a list is uploaded under its own name. A match of a pattern keeps its path
    ///   relative to the last directory before the first wildcard.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// let changes = host.put(b"PORT=80\n", "app.env").mode(0o600).await?;
    /// assert_eq!(changes.changed()?.len(), 1);
    /// assert_eq!(host.read("app.env").await?, "PORT=80\n");
    ///
    /// let changes = host.put(b"PORT=80\n", "app.env").await?;
    /// assert!(!changes.any()?, "an equal file is not sent");
    /// # Ok(()) }
    /// ```
    ///
    /// # Guarantees
    ///
    /// - **Atomic.** A file is written to a temporary name beside the target. The size is compared,
    ///   then the file is renamed. Readers see the old file or the new file.
    /// - **Idempotent.** Equal files are not sent. [`Changes`](crate::files::Changes) lists the
    ///   written files.
    /// - **Metadata.** A replaced file keeps its mode, and its owner if the login may set the
    ///   owner. A single file also keeps its ACL if the host has `setfacl`. A warning names a lost
    ///   ACL, and other hard links of the file, because these keep the old content.
    /// - **Mode of new files.** `0644`, or `0755` if the local file is executable, or `0600` for a
    ///   secret. [`mode`](PutRequest::mode) and [`preserve_mode`](PutRequest::preserve_mode)
    ///   override the mode.
    /// - **Directories.** If the host has `tar`, the changed files of a directory are uploaded as
    ///   one stream, and renamed after the complete stream has arrived. Nothing is uploaded if an
    ///   entry can't be read, or if the host has a file at the path of a directory.
    /// - **Symlinks.** Symlinks in a directory are copied as symlinks. A source that is a symlink
    ///   is followed. A symlink at the target is followed too: the file or directory behind the
    ///   symlink is written.
    ///
    /// # Large files
    ///
    /// Files of 8 MiB and more are sent in parts over up to six channels. If the host has `python3`
    /// or `perl`, only changed blocks of 1 MiB are sent. Holes of sparse files are skipped. A large
    /// file for several hosts of a run is hashed once.
    ///
    /// # Hosts without a shell
    ///
    /// Uploads fall back to SFTP: no `sudo`, numeric owners, no ACLs, and files of equal size are
    /// read back for the comparison.
    ///
    /// # Errors
    ///
    /// When awaited:
    ///
    /// - [`File`](crate::ErrorKind::File) if the host rejects a file, with the reason.
    /// - [`Local`](crate::ErrorKind::Local) if a source can't be read.
    /// - The errors of a [command](Self::run).
    #[doc(alias = "upload")]
    #[doc(alias = "upload_template")]
    #[doc(alias = "copy")]
    #[track_caller]
    pub fn put(&self, source: impl Into<Source>, target: impl Into<String>) -> PutRequest {
        PutRequest::new(self.clone(), source.into(), target.into(), Location::caller())
    }

    /// Writes text or bytes to a file of the host. [`put`](Self::put) reads a string as a path.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// host.write("motd", "Deployed by fabrs.\n").await?;
    /// assert_eq!(host.read("motd").await?, "Deployed by fabrs.\n");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    #[doc(alias = "upload")]
    #[doc(alias = "copy")]
    #[track_caller]
    pub fn write(&self, path: impl Into<String>, content: impl AsRef<[u8]>) -> PutRequest {
        self.put(content.as_ref().to_vec(), path)
    }

    /// Downloads files from the host.
    ///
    /// `path` is a file, a directory with its content, or a glob pattern (`/var/log/*.log`).
    ///
    /// `to` is a local path with optional fields. `{host}` is the host. `{path}`, `{dirname}` and
    /// `{basename}` are the path of a file below the requested directory, and its two parts. An
    /// empty `to` is `{host}/{path}`.
    ///
    /// - If `to` is a directory, or ends with `/`, a file keeps its own name in `to`.
    /// - The content of a directory is written below `to`. If `to` ends with `/`, the directory
    ///   itself is written into `to`.
    /// - Missing local directories are created.
    /// - Symlinks in a directory are copied as symlinks. A requested symlink is followed.
    /// - A warning names each file that replaces the file of another host of the same run.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// # let backups = dir.path().join("backups/").display().to_string();
    /// # host.write("shop.conf", "port = 80\n").await?;
    /// let changes = host.get("shop.conf", backups).await?;
    /// assert!(changes.changed()?[0].ends_with("backups/shop.conf"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Guarantees
    ///
    /// - **Confined.** A host can't choose a path outside of `to`. Symlinks in the part of `to`
    ///   before the first field are followed. After the first field, and below a target directory,
    ///   a symlink at the path of a directory is an error, because a host could have sent the
    ///   symlink. A symlink at the path of a file is replaced.
    /// - **Atomic.** After a failure, the old file is unchanged.
    /// - **Mode.** A new file has the mode of the file on the host, without the bits that the umask
    ///   removes. [`mode`](GetRequest::mode) sets an exact mode.
    /// - **Idempotent.** Equal files are not sent. If the host has no shell, SFTP sends equal files
    ///   for the comparison, and the local file is not written. A dry run compares, and writes
    ///   nothing.
    ///
    /// # Limits
    ///
    /// - A listing takes at most 32 MiB of memory: about 200,000 paths of 70 bytes. For larger
    ///   trees, get the directories separately, or use [`rsync`](Self::rsync).
    /// - A host that sends more data than requested, or prints endlessly, causes an error.
    /// - A silent transfer has no time limit of its own. The timeout of commands (`fab -T`) applies
    ///   to the command of a transfer. If the whole host is silent, the keepalives end the session
    ///   (`ServerAliveInterval`).
    ///
    /// # Errors
    ///
    /// When awaited:
    ///
    /// - [`File`](crate::ErrorKind::File) if the host can't send a file, with the reason.
    /// - [`Local`](crate::ErrorKind::Local) if a local file can't be written.
    /// - The errors of a [command](Self::run).
    #[doc(alias = "download")]
    #[doc(alias = "fetch")]
    #[track_caller]
    pub fn get(&self, path: impl Into<String>, to: impl Into<String>) -> GetRequest {
        GetRequest::new(self.clone(), path.into(), to.into(), Location::caller())
    }

    /// Makes a directory of the host equal to a local directory: files, directories, symlinks,
    /// modes and modification times.
    ///
    /// A symlink of the host at the path of a file or directory is replaced, and not followed.
    /// Entries without a local counterpart stay, unless [`delete`](SyncRequest::delete) is set.
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// # std::fs::create_dir(dir.path().join("site")).unwrap();
    /// # std::fs::write(dir.path().join("site/index.html"), "new").unwrap();
    /// # let site = dir.path().join("site");
    /// host.ensure_dir("www").await?;
    /// host.write("www/old.html", "old").await?;
    ///
    /// let changes = host.sync(site, "www").delete().await?;
    /// assert_eq!(changes.changed()?, ["www/index.html"]);
    /// assert_eq!(changes.removed()?, ["www/old.html"]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Comparison
    ///
    /// The host lists the directory once.
    ///
    /// - A file of another size is sent.
    /// - If only the time differs, the contents are compared. A file of equal content receives the
    ///   local time, and counts as unchanged.
    /// - A file of equal size and time counts as equal. [`checksum`](SyncRequest::checksum)
    ///   compares these files too.
    ///
    /// All changed files are sent as one stream, and renamed after the complete stream has arrived.
    /// With `--diff`, each changed entry is shown as by `rsync --itemize-changes`, in a dry run
    /// too.
    ///
    /// # Requirements
    ///
    /// The host needs a shell and `tar`. Neither side needs `rsync`.
    ///
    /// # Errors
    ///
    /// When awaited:
    ///
    /// - [`Usage`](crate::ErrorKind::Usage) if [`delete`](SyncRequest::delete) would remove the
    ///   whole file system or the whole home, or if the local directory is empty.
    /// - The errors of [`put`](Self::put).
    #[doc(alias = "synchronize")]
    #[doc(alias = "upload_project")]
    #[track_caller]
    pub fn sync(&self, from: impl Into<PathBuf>, to: impl Into<String>) -> SyncRequest {
        SyncRequest::new(self.clone(), from.into(), to.into(), Location::caller())
    }

    /// Runs `rsync` between this machine and the host, over the existing connection with its
    /// gateways, login and sudo rights.
    ///
    /// Both sides need the `rsync` program. [`sync`](Self::sync), [`put`](Self::put) and
    /// [`get`](Self::get) work without `rsync`.
    ///
    /// `here` and `there` are paths as for `rsync`: `site/` is the content of the directory, `site`
    /// the directory itself. A relative `there` is resolved against the directory of the
    /// connection, then against the home of the login. `rsync` runs with `--archive`;
    /// [`option`](RsyncRequest::option) adds other options.
    ///
    /// ```
    /// # use fabrs_core::{Client, transport::Fake};
    /// # let web = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let upload = web.rsync("site/", "/srv/site").delete().exclude("*.pyc").option("--compress");
    /// assert!(format!("{upload:?}").contains("--delete --exclude=*.pyc --compress"));
    ///
    /// let download = web.rsync("logs/", "/var/log/shop/").download().sudo();
    /// assert!(format!("{download:?}").contains("/var/log/shop/ -> logs/ by sudo"));
    /// # Ok::<(), fabrs_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When awaited:
    ///
    /// - [`File`](crate::ErrorKind::File) if `rsync` fails, with its first line of error output.
    /// - The errors of a [command](Self::run).
    #[doc(alias = "rsync_project")]
    #[track_caller]
    pub fn rsync(&self, here: impl Into<String>, there: impl Into<String>) -> RsyncRequest {
        RsyncRequest::new(self.clone(), here.into(), there.into(), Location::caller())
    }
}
