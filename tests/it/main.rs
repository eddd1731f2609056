//! Integration tests of the library, by topic: with the scripted host, with this machine, and with
//! real OpenSSH servers.
//!
//! No test is ignored and no test measures time. Tests wait for events, within a limit that only
//! ends a broken test. Without OpenSSH the tests fail and name the packages to install.

mod again;
mod ambient;
mod answers;
mod cancel;
mod composition;
mod contract;
mod defects;
mod dry_run;
mod environments;
mod files;
mod flagship;
mod gateways;
mod groups;
mod host_certificates;
mod host_keys;
mod inputs;
mod locks;
mod logins;
mod output_sinks;
mod prompts;
mod proxy_commands;
mod questions;
mod record;
mod records;
mod runs;
mod same_verdict;
mod secrets;
mod sessions;
mod strict;
mod sudo;
mod support;
mod virtualenvs;
mod ways;
