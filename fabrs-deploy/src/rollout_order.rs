//! The order of the hosts in a rollout: batches, or a sliding window.

use fabrs::{BatchSize, BatchSizeError, Batches, Error};

/// The order of the hosts in a rollout.
#[derive(Debug, Clone)]
pub(crate) enum RolloutOrder {
    /// A batch begins after the health checks of the previous batch.
    Batches(Batches),
    /// A host begins as soon as there is room in the window, with the maximum number of hosts.
    Window(BatchSize),
    /// The error of an invalid batch size. A deploy or a rollback reports the error.
    Invalid(Error),
}

impl Default for RolloutOrder {
    /// Returns one batch with all hosts.
    fn default() -> Self {
        Self::Batches(Batches::from(BatchSize::ALL))
    }
}

impl RolloutOrder {
    /// Returns the order of a parsed value, or the error of the method that received the value.
    pub(crate) fn of(parsed: Result<Self, BatchSizeError>, method: &str) -> Self {
        parsed.unwrap_or_else(|error| {
            let error = error.into_usage_error();
            Self::Invalid(error.hint(format!("fix the argument of `.{method}(..)` of the site")))
        })
    }

    /// Returns the largest number of hosts that are switched at once.
    pub(crate) fn hosts_at_once(&self, total: usize) -> usize {
        match self {
            Self::Batches(batches) => batches.sizes(total).into_iter().max().unwrap_or(total),
            Self::Window(size) => size.hosts_of(total).get(),
            Self::Invalid(_) => total,
        }
    }

    /// Returns the error of an invalid batch size.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self {
            Self::Batches(_) | Self::Window(_) => Ok(()),
            Self::Invalid(error) => Err(error.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use fabrs::{ErrorKind, IntoBatchSize};

    use super::*;

    #[test]
    fn an_invalid_size_is_a_usage_error_with_the_method_as_a_hint() {
        let order = RolloutOrder::of(0.into_batch_size().map(RolloutOrder::Window), "window");
        let error = order.check().expect_err("0 is invalid");
        assert_eq!(error.kind(), ErrorKind::Usage);
        let text = error.block().to_string();
        assert!(text.contains("`0` selects no host") && text.contains("`.window(..)`"), "{text}");
        assert!(RolloutOrder::default().check().is_ok());
    }
}
