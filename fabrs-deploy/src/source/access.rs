//! The access of a host to the repository.

use fabrs::{Connection, Error, Hide, Host, ShellLine, cmd};

use super::git::{Delivery, Git, without_prompts};

impl Git {
    /// Returns a command with the variable `from`: the URL. For [`from_local`](Self::from_local),
    /// this is the remote `origin`, or the local repository itself without such a remote.
    pub(super) fn remote_line(&self, command: &str) -> ShellLine {
        let url = &self.url;
        let from = match self.delivery {
            Delivery::Fetch => cmd!("from={url}"),
            Delivery::Upload(_) => cmd!("git remote get-url -- {url} > /dev/null 2>&1 && from={url} || from=."),
        };
        ShellLine::raw(format!("{}; {command}", from.as_str()))
    }

    /// Returns the reason why a host cannot read the repository. For
    /// [`from_local`](Self::from_local), this machine is checked.
    ///
    /// # Errors
    ///
    /// The errors of the connection.
    pub(crate) async fn access_problem(&self, host: &Connection) -> Result<Option<String>, Error> {
        let url = &self.url;
        let reader = self.repository_connection(host)?;
        // The causes are recognized by English messages.
        let reader = without_prompts(&reader).env("LC_ALL", "C");
        let list = reader.probe(self.remote_line("git ls-remote --quiet -- \"$from\" HEAD"));
        let output = list.named("read the repository").warn().hide(Hide::Both).await?;
        if output.ok()? {
            return Ok(None);
        }
        let stderr = output.stderr()?;
        let reader = if reader.host().is_some_and(Host::is_local) { "this machine cannot" } else { "cannot" };
        let cause = failure_cause(&stderr);
        Ok(Some(format!("{reader} read the repository {url}: {cause}\n{}", stderr.trim_end())))
    }
}

/// Returns the cause of a failed `git ls-remote`, in a phrase for people.
fn failure_cause(stderr: &str) -> &'static str {
    let has = |texts: &[&str]| texts.iter().any(|text| stderr.contains(text));
    if has(&["Could not resolve host", "Name or service not known", "Temporary failure in name resolution"]) {
        "the name of the git server cannot be resolved"
    } else if has(&["Connection refused", "timed out", "Network is unreachable", "No route to host"]) {
        "could not connect to the git server"
    } else if has(&["Host key verification failed"]) {
        "the host key of the git server is not in `known_hosts` of the host"
    } else if has(&["Permission denied", "Authentication failed", "could not read Username"]) {
        "the git server rejected the keys of the host (add a deploy key, or forward your agent with `-A`)"
    } else if has(&["not found"]) && has(&["git:"]) {
        "git is not installed"
    } else {
        "`git ls-remote` failed, check the URL"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_names_the_cause_of_a_git_failure() {
        let hop = |stderr| failure_cause(stderr).split_whitespace().take(6).collect::<Vec<_>>().join(" ");
        assert_eq!(
            hop("ssh: Could not resolve hostname git.example.com: Name or service not known"),
            "the name of the git server"
        );
        assert_eq!(hop("ssh: connect to host git port 22: Connection refused"), "could not connect to the git");
        assert_eq!(hop("git@git: Permission denied (publickey)."), "the git server rejected the keys");
        assert_eq!(
            hop("fatal: '/srv/shop.git' does not appear to be a git repository"),
            "`git ls-remote` failed, check the URL"
        );
    }
}
