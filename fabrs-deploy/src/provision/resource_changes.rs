//! [`ResourceChanges`]: the differences found by a resource.

use fabrs::{Changes, Error, Output};
use serde::{Serialize, Serializer};

/// The result of a resource: the differences between the host and the desired state, before the
/// resource changed the host.
///
/// In a dry run, these are the changes that a real run would make. They are unknown if the host
/// could not be reached. Each query of unknown changes is an error that ends the plan.
#[derive(Debug, Clone, Default)]
pub struct ResourceChanges(Vec<Part>);

/// The changes of one file, the output of one probe, or known differences.
#[derive(Debug, Clone)]
enum Part {
    File(Changes),
    Probe(Output),
    Differences(Vec<String>),
}

impl From<Changes> for ResourceChanges {
    fn from(changes: Changes) -> Self {
        Self(vec![Part::File(changes)])
    }
}

impl From<Output> for ResourceChanges {
    fn from(probe: Output) -> Self {
        Self(vec![Part::Probe(probe)])
    }
}

impl From<Vec<String>> for ResourceChanges {
    fn from(differences: Vec<String>) -> Self {
        Self(vec![Part::Differences(differences)])
    }
}

/// Serializes the list of differences, or `null` for unknown differences: the value of
/// [`once`](fabrs::once).
impl Serialize for ResourceChanges {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.differences().ok().serialize(serializer)
    }
}

impl ResourceChanges {
    /// Returns the changes of two parts of a resource.
    pub(crate) fn and(mut self, other: impl Into<Self>) -> Self {
        self.0.extend(other.into().0);
        self
    }

    /// Returns true if the resource changed the host. In a dry run, returns true if a real run
    /// would change the host.
    ///
    /// ```
    /// # use fabrs::{Client, transport::{Fake, FakeAnswer}};
    /// # use fabrs_deploy::Provision;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs::Result<(), fabrs::Error> {
    /// # let fake = Fake::new().on("check packages nginx", FakeAnswer::stdout(""));
    /// # let web = Client::builder().dial(fake).build().connect("web1")?;
    /// if web.ensure_packages(["nginx"]).await?.any()? {
    ///     println!("nginx is new on this host");
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotRun`](fabrs::ErrorKind::NotRun) if the changes are unknown in a dry run.
    #[track_caller]
    pub fn any(&self) -> Result<bool, Error> {
        Ok(!self.differences()?.is_empty())
    }

    /// Returns the differences, one text for each: `shell: /bin/sh -> /bin/bash`, `group: adm`,
    /// `missing`, the name of a missing package, or the path of a changed file.
    ///
    /// ```no_run
    /// # use fabrs::Connection;
    /// # use fabrs_deploy::Provision;
    /// # async fn example(web: Connection) -> fabrs::Result<()> {
    /// let changes = web.ensure_user("ann").shell("/bin/bash").await?;
    /// assert_eq!(changes.differences()?, ["shell: /bin/sh -> /bin/bash"]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`any`](Self::any).
    #[track_caller]
    pub fn differences(&self) -> Result<Vec<String>, Error> {
        let mut differences = Vec::new();
        for part in &self.0 {
            match part {
                Part::File(changes) => {
                    differences.extend(changes.changed()?.into_iter().chain(changes.removed()?).map(str::to_owned));
                }
                Part::Probe(output) => differences.extend(output.lines()?),
                Part::Differences(known) => differences.extend_from_slice(known),
            }
        }
        Ok(differences)
    }
}
