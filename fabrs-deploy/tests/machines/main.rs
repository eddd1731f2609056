//! Tests of the deploy kit on booted Debian machines with systemd: `scripts/full machines`.

mod balanced;
mod batches;
mod blue_green;
mod canary;
mod database_faults;
mod drains;
mod fixture;
mod gates;
mod holds;
mod host_reverts;
mod postgres;
mod provision;
mod puppet;
mod reboot;
mod rollout_faults;
mod services;
mod shop;
mod story;
