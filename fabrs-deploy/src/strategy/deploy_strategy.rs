//! [`DeployStrategy`]: batches, a canary before them, or blue-green.

use fabrs::Error;

use crate::strategy::blue_green::BlueGreen;
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
    /// Two sides on each host, and a switch of the balancer.
    BlueGreen(BlueGreen),
}

impl DeployStrategy {
    /// Returns the canary, if any.
    pub(crate) fn canary(&self) -> Option<&Canary> {
        match self {
            Self::Batches | Self::BlueGreen(_) => None,
            Self::Canary(canary) => Some(canary),
        }
    }

    /// Returns the blue-green strategy, if any.
    pub(crate) fn blue_green(&self) -> Option<&BlueGreen> {
        match self {
            Self::BlueGreen(blue_green) => Some(blue_green),
            Self::Batches | Self::Canary(_) => None,
        }
    }

    /// Returns the error of an invalid setting.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self {
            Self::Batches => Ok(()),
            Self::Canary(canary) => canary.size().and(canary.watch.check()),
            Self::BlueGreen(blue_green) => blue_green.check(),
        }
    }
}

impl From<Canary> for DeployStrategy {
    fn from(canary: Canary) -> Self {
        Self::Canary(canary)
    }
}

impl From<BlueGreen> for DeployStrategy {
    fn from(blue_green: BlueGreen) -> Self {
        Self::BlueGreen(blue_green)
    }
}
