//! [`Operator`]: the person or CI job behind a run.

use std::env;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::process_env::ProcessEnv;

/// Environment variables with the URL of a CI job: GitLab, Jenkins, Buildkite and `CircleCI`.
const JOB_URL_VARIABLES: [&str; 4] = ["CI_JOB_URL", "BUILD_URL", "BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL"];

/// Environment variables with the person or account behind a run, in order of precedence:
/// `fabrs`, GitHub Actions, GitLab CI, and the plugin "build user vars" of Jenkins.
const ACTOR_VARIABLES: [&str; 4] = [Operator::ACTOR_VARIABLE, "GITHUB_ACTOR", "GITLAB_USER_LOGIN", "BUILD_USER"];

/// The person or CI job behind a run: the actor, the machine, and the URL of the CI job.
///
/// The actor is the first value of this list:
///
/// 1. `FABRS_ACTOR`
/// 2. `GITHUB_ACTOR`, `GITLAB_USER_LOGIN` or `BUILD_USER`: the person who started the CI job
/// 3. `SUDO_USER`, if the user on this machine is root
/// 4. the user on this machine: `USER`, `LOGNAME`, or the output of `id -un`
///
/// Displayed as `ann@laptop`, or as `ann@runner-7 (https://ci.example.com/314)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Operator {
    /// The actor: a person or an account.
    pub user: String,
    /// The name of this machine.
    pub machine: String,
    /// The URL of the job's page on the CI server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_url: Option<String>,
}

impl Operator {
    /// The variable with the actor: `FABRS_ACTOR`.
    pub const ACTOR_VARIABLE: &'static str = "FABRS_ACTOR";

    /// Returns the operator of this process.
    ///
    /// ```
    /// use fabrs_core::config::Operator;
    ///
    /// assert!(!Operator::current().user.is_empty());
    /// ```
    pub fn current() -> Self {
        Self::of(|name| env::var(name).ok(), machine())
    }

    /// Returns the placeholder for a file that records no operator, such as a handwritten lock.
    pub fn unknown() -> Self {
        Self { user: "unknown".to_owned(), machine: "unknown".to_owned(), job_url: None }
    }

    fn of(look_up: impl Fn(&str) -> Option<String>, machine: String) -> Self {
        let variable = |name: &str| look_up(name).map(|value| one_line(&value)).filter(|value| !value.is_empty());
        // GitHub has no single variable with the URL.
        let github = || {
            let [server, repository, run] = ["GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID"].map(&variable);
            Some(format!("{}/{}/actions/runs/{}", server?, repository?, run?))
        };
        let job_url = JOB_URL_VARIABLES.iter().find_map(|name| variable(name)).or_else(github);
        let first = |names: &[&str]| names.iter().find_map(|name| variable(name));
        let local_user = || {
            let user = first(&["USER", "LOGNAME"]).or_else(login).unwrap_or_else(|| "unknown".to_owned());
            if user == "root" { variable("SUDO_USER").unwrap_or(user) } else { user }
        };
        Self { user: first(&ACTOR_VARIABLES).unwrap_or_else(local_user), machine, job_url }
    }
}

/// Returns a value without control characters: a line end would add lines to `revisions.log`.
fn one_line(value: &str) -> String {
    let text: String = value.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    text.trim().to_owned()
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

    #[test]
    fn the_actor_of_a_ci_job_precedes_the_user_of_the_machine() {
        let gitlab =
            [("USER", "root"), ("GITLAB_USER_LOGIN", "ann"), ("CI_JOB_URL", "https://git.example.com/-/jobs/1")];
        shows(&gitlab, "ann@ci-7 (https://git.example.com/-/jobs/1)");
        shows(&[("USER", "runner"), ("GITHUB_ACTOR", "bob")], "bob@ci-7");
        shows(&[("USER", "jenkins"), ("BUILD_USER", "Ann Lee")], "Ann Lee@ci-7");
        let all = [("BUILD_USER", "d"), ("GITLAB_USER_LOGIN", "c"), ("GITHUB_ACTOR", "b"), ("FABRS_ACTOR", "a")];
        for (count, actor) in [(4, "a@ci-7"), (3, "b@ci-7"), (2, "c@ci-7"), (1, "d@ci-7")] {
            shows(&all[..count], actor);
        }
    }

    #[test]
    fn root_under_sudo_is_the_invoking_user() {
        shows(&[("USER", "root"), ("SUDO_USER", "ann")], "ann@ci-7");
        shows(&[("USER", "deploy"), ("SUDO_USER", "ann")], "deploy@ci-7");
        shows(&[("USER", "root")], "root@ci-7");
    }

    #[test]
    fn an_actor_is_one_line_and_not_empty() {
        shows(&[("USER", "ann"), ("FABRS_ACTOR", " ")], "ann@ci-7");
        shows(&[("USER", "ann"), ("FABRS_ACTOR", "bob\nroot rolled back")], "bob root rolled back@ci-7");
    }
}
