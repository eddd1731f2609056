//! A run of a history: a process with a lock on all hosts and three steps of changes.

use std::env;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use fabrs::LockHandle;
use fabrs::config::{PromptPolicy, Settings, SshConfigSource};
use fabrs::prelude::*;

/// The environment variables of a run process.
const VARIABLES: [&str; 4] =
    ["FABRS_HISTORY_RUN", "FABRS_HISTORY_CONFIG", "FABRS_HISTORY_FOLDER", "FABRS_HISTORY_BLOCK"];

/// The lease: a host frees the lock of a run after this time without a heartbeat.
const SILENCE: Duration = Duration::from_secs(1);

/// The hosts of a history.
pub(crate) const HOSTS: [&str; 5] = ["host1", "host2", "host3", "host4", "host5"];

/// A run of a history.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) name: String,
    pub(crate) ssh_config: PathBuf,
    /// The folder with one folder for each host.
    pub(crate) folder: PathBuf,
    /// The blocking time of all threads in the step of the run.
    pub(crate) blocks: Duration,
}

impl Run {
    /// Returns the run described by the environment, or `None` in the main process of the test.
    pub(crate) fn from_env() -> Option<Self> {
        let [name, ssh_config, folder, blocks] = VARIABLES.map(|name| env::var(name).ok());
        let blocks = Duration::from_millis(blocks?.parse().expect("the value is a number"));
        Some(Self { name: name?, ssh_config: ssh_config?.into(), folder: folder?.into(), blocks })
    }

    /// Returns the command of the run process.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env::current_exe().expect("a process has a program"));
        let values = [self.name.clone(), self.ssh_config.display().to_string(), self.folder.display().to_string()];
        command.envs(VARIABLES.iter().zip(values.into_iter().chain([self.blocks.as_millis().to_string()])));
        command
    }

    /// Runs all steps.
    pub(crate) fn finish(&self) -> ExitCode {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        match runtime.expect("threads can be started").block_on(self.work()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                let text = format!("{}: {}\n", self.name, error.into_error().block());
                // A closed stderr is not an error.
                let _ = io::stderr().write_all(text.as_bytes());
                ExitCode::FAILURE
            }
        }
    }

    async fn work(&self) -> Result {
        let ssh_config = SshConfigSource::File(self.ssh_config.clone());
        let settings = Settings::default().ssh_config(ssh_config).prompts(PromptPolicy::Refuse);
        let client = Client::builder().settings(settings).build();
        let hosts = Group::of(&client, HOSTS)?;
        let mut locking = hosts.lock("deploy").lease(SILENCE).wait(true).purpose(&self.name);
        for host in hosts.connections().iter().filter_map(Connection::host) {
            locking = locking.dir(host, self.folder.join(host.name()).display().to_string());
        }
        let lock = locking.await?;
        // `Lock::during` is not used: `Lock::during` would end the steps of a lost lock before the
        // host has to reject a step.
        let done = self.steps(&hosts, lock.handle()).await;
        lock.release().await;
        client.close().await;
        done
    }

    async fn steps(&self, hosts: &Group, lock: LockHandle) -> Result {
        let name = &self.name;
        self.atomic_step(hosts, &lock, "acquire", "true").await?;
        self.block().await;
        for step in ["one", "two", "three"] {
            // The steps run like commands of a task: only the fence of the run protects them.
            hosts.each(|host| async move { host.run(self.entry(&host, step, "true")).await }).await.all_ok()?;
            hosts.run("sleep 0.3").await.all_ok()?;
        }
        let switch = format!("ln -sfn {name} .{name} && mv -T .{name} current");
        self.atomic_step(hosts, &lock, "switch", &switch).await
    }

    /// Runs a step on all hosts. The host keeps the lock for the duration of the step.
    async fn atomic_step(&self, hosts: &Group, lock: &LockHandle, step: &str, line: &str) -> Result {
        let done = hosts.each(|host| async move {
            let line = self.entry(&host, step, line);
            host.run(lock.atomic(host.host().expect("the connection has a host"), &line)?).await
        });
        done.await.all_ok()?;
        Ok(())
    }

    /// Returns a shell line with `line` and an entry for the journal of the host.
    fn entry(&self, host: &Connection, step: &str, line: &str) -> ShellLine {
        let folder = self.folder.join(host.host().expect("the connection has a host").name());
        ShellLine::raw(format!("cd {} && {line} && echo '{step} {}' >> journal", folder.display(), self.name))
    }

    /// Blocks every thread of the runtime, like a step with a long computation or a wait without
    /// `await`.
    #[expect(clippy::disallowed_methods, reason = "a step that blocks is the fault that is tested")]
    async fn block(&self) {
        if self.blocks.is_zero() {
            return;
        }
        let blocks = self.blocks;
        let other = tokio::spawn(async move { std::thread::sleep(blocks) });
        std::thread::sleep(blocks);
        drop(other.await);
    }
}
