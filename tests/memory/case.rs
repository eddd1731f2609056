//! A transfer in a separate process, with a report of the peak memory.

use std::env;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use fabrs::Client;
use fabrs::Group;
use fabrs::config::{PromptPolicy, Settings, SshConfigSource};
use fabrs::prelude::*;

/// The environment variables of a transfer process.
const VARIABLES: [&str; 5] = [
    "FABRS_MEMORY_HOSTS",
    "FABRS_MEMORY_CONFIG",
    "FABRS_MEMORY_OPERATION",
    "FABRS_MEMORY_SOURCE",
    "FABRS_MEMORY_TARGET",
];

/// A transfer with all hosts of the case at once.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// The host aliases, separated by commas.
    pub(crate) hosts: String,
    pub(crate) ssh_config: PathBuf,
    /// The operation: `get`, `put` or `sync`.
    pub(crate) operation: String,
    pub(crate) source: String,
    pub(crate) target: String,
}

/// The report of a transfer process.
#[derive(Debug)]
pub(crate) struct Measurement {
    /// The growth of the peak during the transfer, in bytes.
    pub(crate) growth: u64,
    /// The errors of the hosts.
    pub(crate) errors: String,
}

impl Case {
    /// Returns the case described by the environment, or `None` in the main process of the test.
    pub(crate) fn from_env() -> Option<Self> {
        let [hosts, ssh_config, operation, source, target] = VARIABLES.map(|name| env::var(name).ok());
        Some(Self {
            hosts: hosts?,
            ssh_config: ssh_config?.into(),
            operation: operation?,
            source: source?,
            target: target?,
        })
    }

    /// Runs the case in a separate process.
    pub(crate) fn measure(&self) -> Measurement {
        let mut command = Command::new(env::current_exe().expect("a process has a program"));
        let config = self.ssh_config.display().to_string();
        let values = [&self.hosts, &config, &self.operation, &self.source, &self.target];
        let output = command.envs(VARIABLES.iter().zip(values)).output().expect("the program starts");
        let report = String::from_utf8(output.stdout).expect("a report is text");
        let (growth, errors) = report.split_once('\n').unwrap_or_default();
        let Ok(growth) = growth.parse() else { panic!("no report: {}", String::from_utf8_lossy(&output.stderr)) };
        Measurement { growth, errors: errors.to_owned() }
    }

    /// Runs the case in this process.
    pub(crate) fn finish(&self) -> ExitCode {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let (base, errors) = runtime.expect("threads can be started").block_on(self.transfer());
        let report = format!("{}\n{}", peak() - base, errors.join("\n"));
        io::stdout().write_all(report.as_bytes()).expect("stdout is open");
        ExitCode::SUCCESS
    }

    /// Returns the peak before the transfer, with all sessions open, and the errors of the hosts.
    async fn transfer(&self) -> (u64, Vec<String>) {
        let ssh_config = SshConfigSource::File(self.ssh_config.clone());
        let client =
            Client::builder().settings(Settings::default().ssh_config(ssh_config).prompts(PromptPolicy::Refuse));
        let client = client.build();
        let hosts: Vec<&str> = self.hosts.split(',').collect();
        let group = Group::of(&client, hosts.iter().copied()).expect("aliases are hosts");
        group.each(async |host: Connection| host.connect().await).await.all_ok().expect("the hosts are reachable");
        let base = peak();
        let outcomes = group
            .each(async |host: Connection| {
                let (source, target) = (self.source.clone(), self.target.clone());
                match self.operation.as_str() {
                    "get" => host.get(source, target).await.map(drop),
                    "sync" => host.sync(source, target).await.map(drop),
                    _ => host.put(source, target).await.map(drop),
                }
            })
            .await;
        (base, outcomes.iter().filter_map(|(_, outcome)| Some(outcome.error()?.block().to_string())).collect())
    }
}

/// Returns the peak memory of this process, in bytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux has procfs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux reports the peak");
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("the value is a number");
    kilobytes << 10
}
