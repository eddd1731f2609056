//! Root file system of a host: read-only programs of the machine, and new files in memory.
//!
//! ```text
//! /usr /bin /sbin /lib* /opt …   the machine's, read-only
//! /etc                           a copy of the readable files, with new account files
//! /home /root /run /srv /tmp /var  new
//! /dev /proc                     new: devices without side effects, terminals and processes
//! /sys                           the machine's, read-only
//! ```
//!
//! Bind mounts work with every kernel. An overlay would make `/usr` writable, but only in part: the
//! owner of the machine's files has no user ID in the host, and an overlay rejects changes to such
//! files.

mod bind_mounts;
pub(crate) mod build;
mod devices;
mod etc;
mod new_root;
pub(crate) mod paths;
