//! [`DeployStrategy`]: batches, or a canary before them.

use fabrs::Error;

use crate::strategy::canary::Canary;

/// The strategy of a deploy.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum DeployStrategy {
    /// The batches of the site, by default all hosts at once.
    #[default]
    Batches,
    /// A few hosts first, watched for some time, and then the batches of the site.
    Canary(Canary),
}

impl DeployStrategy {
    /// Returns the canary, if any.
    pub(crate) fn canary(&self) -> Option<&Canary> {
        match self {
            Self::Batches => None,
            Self::Canary(canary) => Some(canary),
        }
    }

    /// Returns the error of an invalid setting.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.canary().map_or(Ok(()), |canary| canary.size().and(canary.watch.check()))
    }
}

impl From<Canary> for DeployStrategy {
    fn from(canary: Canary) -> Self {
        Self::Canary(canary)
    }
}
