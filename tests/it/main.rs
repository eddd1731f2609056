//! Integration tests of the library, by topic: with the scripted host, with this machine, and with
//! real OpenSSH servers.
//!
//! No test is ignored and no test measures time. Tests wait for events, within a limit that only
//! ends a broken test. Without OpenSSH the tests fail and name the packages to install.

mod agent_forwarding;
mod cancel;
mod composition;
mod connection_prompts;
mod connection_settings;
mod contract;
mod dry_run;
mod environments;
mod fabric_defects;
mod files;
mod full_deploy;
mod gateways;
mod groups;
mod host_certificates;
mod host_keys;
mod inputs;
mod known_hosts;
mod known_hosts_file;
mod locks;
mod logins;
mod output_sinks;
mod prelude_functions;
mod prompts;
mod proxy_commands;
mod retries;
mod routes;
mod runs;
mod scripted_prompter;
mod secrets;
mod sessions;
mod ssh_verdicts;
mod strict_settings;
mod sudo;
mod support;
mod virtualenvs;
