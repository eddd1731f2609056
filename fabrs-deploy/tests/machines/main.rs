//! Tests of the deploy kit on booted Debian machines with systemd: `scripts/full machines`.

mod fixture;
mod provision;
mod puppet;
mod reboot;
