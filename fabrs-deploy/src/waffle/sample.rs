//! [`WaffleSample`]: a sample with a desired percentage.

use fabrs::{Connection, Error, ErrorKind, ShellLine, cmd};
use futures::future::{BoxFuture, FutureExt};

use crate::provision::{EnsureRequest, ResourceChanges, SealedResource};
use crate::waffle::change::{Comparison, MissingName, WaffleResource, ensure};
use crate::waffle::list::WaffleList;

/// A sample with a desired percentage: see [`HostWaffle::sample`](crate::HostWaffle::sample).
#[derive(Debug, Clone)]
pub struct WaffleSample {
    name: String,
    percent: u8,
    missing: MissingName,
}

impl WaffleSample {
    pub(super) fn new(name: String, percent: u8) -> Self {
        Self { name, percent, missing: MissingName::Reject }
    }
}

/// # Samples
///
/// Methods of [`HostWaffle::sample`](crate::HostWaffle::sample).
impl EnsureRequest<WaffleSample> {
    /// Creates a missing sample (`waffle_sample --create`). By default, a missing sample is an
    /// error, since its name may be misspelled.
    ///
    /// ```
    /// # use fabrs::{Client, transport::Fake};
    /// # use fabrs_deploy::Waffle;
    /// # let live = Client::builder().dial(Fake::new()).build().connect("web1")?;
    /// let request = Waffle::new().on(&live).sample("trace", 5).create();
    /// assert!(format!("{request:?}").contains("Create"));
    /// # Ok::<(), fabrs::Error>(())
    /// ```
    pub fn create(self) -> Self {
        self.map(|sample| sample.missing = MissingName::Create)
    }
}

impl WaffleResource for WaffleSample {
    const KIND: &'static str = "sample";

    fn name(&self) -> &str {
        &self.name
    }

    fn missing(&self) -> MissingName {
        self.missing
    }

    fn check(&self) -> Result<(), Error> {
        // `waffle_sample NAME 0` fails: the command treats 0 as a missing percentage.
        if (1..=100).contains(&self.percent) {
            return Ok(());
        }
        let text = format!("invalid percentage {} for sample {}: not between 1 and 100", self.percent, self.name);
        Err(Error::new(ErrorKind::Usage, text))
    }

    fn compare(&self, list: &WaffleList) -> Comparison {
        let present = list.samples.iter().find(|sample| sample.name == self.name);
        Comparison {
            present: present.map(|sample| format!("{} %", sample.percent)),
            desired: format!("{} %", self.percent),
        }
    }

    fn line(&self) -> ShellLine {
        let (name, create, percent) = (&self.name, self.missing.option(), self.percent);
        // A name may begin with a dash.
        cmd!("waffle_sample {create...} -- {name} {percent}")
    }
}

impl SealedResource for WaffleSample {
    fn ensure(self, connection: Connection) -> BoxFuture<'static, Result<ResourceChanges, Error>> {
        ensure(connection, self).boxed()
    }
}
