//! The root of a host: the machine's programs, read-only, and everything else its own and in memory.
//!
//! ```text
//! /usr /bin /sbin /lib* /opt …   the machine's, read-only
//! /etc                           a copy of what of it everybody may read; who is there is said anew
//! /home /root /run /srv /tmp /var  fresh
//! /dev /proc                     fresh: the harmless devices, terminals and processes of this host alone
//! /sys                           the machine's, read-only
//! ```
//!
//! One way that works with every kernel: an overlay, through which `/usr` could be written to, takes no change to a file
//! whose owner is nobody inside, and inside the machine's root is nobody.

mod bind_mounts;
pub(crate) mod build;
mod devices;
mod etc;
mod new_root;
pub(crate) mod paths;
