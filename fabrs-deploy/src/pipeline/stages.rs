//! The stages of a pipeline, in order: [`Pipeline`].

use std::sync::Arc;

use fabrs::event::escape_controls;
use fabrs::{Client, Connection, Error, ErrorKind, current};

/// The stages of a commit on its way to production, in order.
///
/// Each stage records its result for a commit in the git repository. Everyone with access to the
/// repository can read the records. A stage refuses a commit unless the last record of every
/// earlier stage is `passed`. A stage can run again: a later result replaces the earlier result.
///
/// The records are git notes (`refs/notes/fabrs`) in the remote `origin` of the local clone. Local
/// branches, tags and notes and the work tree do not change. Needs git 2.29 or newer.
///
/// A clone remembers the last known records (`refs/fabrs/notes`). If the remote lacks these after a
/// forced push, each stage is refused. A new clone cannot detect this.
///
/// ```
/// use fabrs::prelude::*;
/// use fabrs_deploy::{Git, Pipeline, Site};
///
/// fn stages() -> Pipeline {
///     Pipeline::new(["unit", "staging", "smoke", "production"])
/// }
///
/// fn source() -> Git {
///     Git::at("https://git.example.com/shop.git").branch("main")
/// }
///
/// /// Runs the unit tests.
/// #[task(local)]
/// async fn unit() -> Result {
///     stages().stage("unit")?.run(local("python manage.py test --tag unit")).await?;
///     Ok(())
/// }
///
/// /// Deploys a commit with passed unit tests to staging.
/// #[task(local, defer_approval)]
/// async fn stage() -> Result {
///     let site = Site::new("/srv/shop").source(source()).stage(stages().stage("staging")?);
///     site.deploy(on(role("web"))?).await?;
///     Ok(())
/// }
///
/// /// Runs the smoke tests, and tags a good build: `deployable-315`.
/// #[task(local)]
/// async fn smoke() -> Result {
///     let smoke = stages().stage("smoke")?;
///     smoke.run(local("python smoke.py https://staging.example.com")).await?;
///     smoke.mark_good(&source()).await?;
///     Ok(())
/// }
///
/// /// Prints commits and their stages.
/// #[task(local)]
/// async fn pipeline() -> Result {
///     stages().status().await?;
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a pipeline has no effect until one of its stages runs"]
pub struct Pipeline {
    pub(super) stages: Arc<[String]>,
    /// The directory of the local clone, if it is not the current directory.
    repository: Option<String>,
}

impl Pipeline {
    /// Creates a pipeline with stages, the first stage first.
    ///
    /// ```
    /// use fabrs_deploy::Pipeline;
    ///
    /// let pipeline = Pipeline::new(["unit", "staging", "production"]);
    /// assert_eq!(pipeline.stage("staging")?.name(), "staging");
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn new<S: Into<String>>(stages: impl IntoIterator<Item = S>) -> Self {
        Self { stages: stages.into_iter().map(Into::into).collect(), repository: None }
    }

    /// Sets the directory of the local clone. The remote `origin` of the clone stores the records.
    /// Defaults to the current directory of `fab`.
    ///
    /// ```
    /// use fabrs_deploy::Pipeline;
    ///
    /// let pipeline = Pipeline::new(["unit", "production"]).repository("/src/shop");
    /// assert!(format!("{pipeline:?}").contains("/src/shop"));
    /// ```
    pub fn repository(mut self, folder: impl Into<String>) -> Self {
        self.repository = Some(folder.into());
        self
    }

    /// Refuses invalid names, since tables and error messages contain the names.
    pub(super) fn check_names(&self) -> Result<(), Error> {
        let is_valid = |name: &str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        for (index, name) in self.stages.iter().enumerate() {
            if !is_valid(name) {
                let text = format!("invalid stage name `{}`", escape_controls(name));
                return Err(Error::new(ErrorKind::Usage, text).hint("use letters, digits, `-`, `_` and `.`"));
            }
            if self.stages.iter().take(index).any(|earlier| earlier == name) {
                return Err(Error::new(ErrorKind::Usage, format!("the pipeline has two stages `{name}`")));
            }
        }
        Ok(())
    }

    /// Returns a connection to this machine, in the directory of the local clone.
    pub(super) fn local_clone(&self, client: &Client) -> Result<Connection, Error> {
        let here = client.local()?;
        Ok(self.repository.as_ref().map_or_else(|| here.clone(), |folder| here.cd(folder)))
    }
}

/// Returns the client of the calling task.
pub(super) fn task_client() -> Result<Client, Error> {
    let outside = || Error::new(ErrorKind::Usage, "a pipeline was used outside a task");
    current().client().ok_or_else(outside)
}

/// Returns the client of the calling task, for a result that belongs to a commit.
///
/// # Errors
///
/// [`ErrorKind::Usage`] outside a task, and in a task for hosts: such a task runs once per host, so
/// the last host would decide.
pub(super) fn local_task_client(stage: &str) -> Result<Client, Error> {
    if let Some(host) = current().host().filter(|host| !host.is_local()) {
        let text = format!("stage `{stage}` cannot run in a task for hosts: the result of the last host would decide");
        let hint = "use `#[task(local)]`, and run commands on hosts by `on(role(..))?.each(..).await.all_ok()?`";
        return Err(Error::new(ErrorKind::Usage, text).on(host).hint(hint));
    }
    task_client()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_and_repeated_names_are_refused() {
        for (stages, part) in [
            (&["unit", ""][..], "invalid stage name"),
            (&["unit", "a b"], "invalid stage name"),
            (&["unit", "a\u{1b}[2K"], "invalid stage name `a\\u{1b}[2K`"),
            (&["unit", "unit"], "two stages `unit`"),
        ] {
            let error = Pipeline::new(stages.iter().copied()).check_names().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(error.message().contains(part), "{error}");
        }
    }
}
