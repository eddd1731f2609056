//! What the core promises, by topic, against the scripted host, this machine and real OpenSSH servers.
//!
//! Nothing is ignored and nothing looks at a clock: what has to happen is waited for, within a limit that only ends a
//! broken test. Where OpenSSH is missing, the tests fail and say what to install.

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
