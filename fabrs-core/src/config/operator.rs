//! [`Operator`]: the person or CI job behind a run.

use std::env;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::process_env::ProcessEnv;

/// Environment variables with the URL of a CI job: GitLab, Jenkins, Buildkite and `CircleCI`.
const JOB_URL_VARIABLES: [&str; 4] = ["CI_JOB_URL", "BUILD_URL", "BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL"];

/// The person or CI job behind a run: the user, the machine, and the URL of the CI job.
///
/// Displayed as `ann@laptop`, or as `ci@runner-7 (https://ci.example.com/314)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Operator {
    /// The user on this machine.
    pub user: String,
    /// The name of this machine.
    pub machine: String,
    /// The URL of the job's page on the CI server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_url: Option<String>,
}

impl Operator {
    /// Returns the operator of this process.
    pub fn current() -> Self {
        Self::of(|name| env::var(name).ok().filter(|value| !value.is_empty()), machine())
    }

    /// Returns the placeholder for a file that records no operator, such as a handwritten lock.
    pub fn unknown() -> Self {
        Self { user: "unknown".to_owned(), machine: "unknown".to_owned(), job_url: None }
    }

    fn of(variable: impl Fn(&str) -> Option<String>, machine: String) -> Self {
        // GitHub has no single variable with the URL.
        let github = || {
            let [server, repository, run] = ["GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID"].map(&variable);
            Some(format!("{}/{}/actions/runs/{}", server?, repository?, run?))
        };
        let job_url = JOB_URL_VARIABLES.iter().find_map(|name| variable(name)).or_else(github);
        let user = ["USER", "LOGNAME"].iter().find_map(|name| variable(name));
        Self { user: user.or_else(login).unwrap_or_else(|| "unknown".to_owned()), machine, job_url }
    }
}

/// Returns the user name from `id -un`. Cron and containers often set neither variable.
fn login() -> Option<String> {
    let output = std::process::Command::new("id").arg("-un").env_remove(ProcessEnv::SUDO_PASSWORD).output().ok()?;
    String::from_utf8(output.stdout).ok().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty())
}

fn machine() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Prints `alice@laptop`, and the URL of the CI job, if any.
impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.user, self.machine)?;
        match &self.job_url {
            Some(job_url) => write!(f, " ({job_url})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn shows(variables: &[(&str, &str)], shown: &str) {
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        assert_eq!(Operator::of(variable, "ci-7".to_owned()).to_string(), shown);
    }

    #[test]
    fn a_ci_run_is_displayed_with_its_page() {
        shows(&[("USER", "alice")], "alice@ci-7");
        shows(&[("LOGNAME", "cron")], "cron@ci-7");
        shows(&[("USER", "ci"), ("BUILD_URL", "https://ci.example.com/7/")], "ci@ci-7 (https://ci.example.com/7/)");
        let github = [
            ("USER", "runner"),
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_REPOSITORY", "a/shop"),
            ("GITHUB_RUN_ID", "42"),
        ];
        shows(&github, "runner@ci-7 (https://github.com/a/shop/actions/runs/42)");
        shows(&github[..3], "runner@ci-7");
    }
}
