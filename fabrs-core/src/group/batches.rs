//! [`Batches`]: a list of batch sizes for the hosts of a group.

use super::batch_size::{BatchSize, BatchSizeError, IntoBatchSize};

/// The sizes of the batches of a group, in order. The last size repeats until all hosts are in a
/// batch.
///
/// Percentages refer to the number of all hosts, not to the remaining hosts.
///
/// ```
/// # use fabrs_core::group::Batches;
/// let growing = Batches::new(["1", "20%", "100%"])?;
/// assert_eq!(growing.sizes(10), [1, 2, 7]);
/// assert_eq!(Batches::new([2])?.sizes(5), [2, 2, 1]);
/// # Ok::<(), fabrs_core::group::BatchSizeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Batches {
    /// The sizes before the last size.
    first: Vec<BatchSize>,
    last: BatchSize,
}

impl Batches {
    /// Creates a list of batch sizes: numbers, texts (`"20%"`) or [`BatchSize`]s.
    ///
    /// # Errors
    ///
    /// [`BatchSizeError`] for an empty list, and for an invalid size.
    pub fn new<S: IntoBatchSize>(sizes: impl IntoIterator<Item = S>) -> Result<Self, BatchSizeError> {
        let mut first = sizes.into_iter().map(S::into_batch_size).collect::<Result<Vec<_>, _>>()?;
        let last = first.pop().ok_or(BatchSizeError::Empty)?;
        Ok(Self { first, last })
    }

    /// Returns the number of hosts in each batch of a group of `total` hosts. The sum is `total`,
    /// and no batch is empty.
    ///
    /// ```
    /// # use fabrs_core::group::Batches;
    /// assert_eq!(Batches::new(["1", "50%"])?.sizes(6), [1, 3, 2]);
    /// assert!(Batches::new([1])?.sizes(0).is_empty());
    /// # Ok::<(), fabrs_core::group::BatchSizeError>(())
    /// ```
    pub fn sizes(&self, total: usize) -> Vec<usize> {
        let mut sizes = Vec::new();
        let mut left = total;
        for size in self.first.iter().chain(std::iter::repeat(&self.last)) {
            if left == 0 {
                break;
            }
            let hosts = size.hosts_of(total).get().min(left);
            sizes.push(hosts);
            left -= hosts;
        }
        sizes
    }
}

impl From<BatchSize> for Batches {
    /// Creates batches of the same size.
    fn from(size: BatchSize) -> Self {
        Self { first: Vec::new(), last: size }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(sizes: &[&str], total: usize) -> Vec<usize> {
        Batches::new(sizes.iter().copied()).unwrap().sizes(total)
    }

    #[test]
    fn batches_grow_and_the_last_size_repeats() {
        assert_eq!(sizes(&["1", "20%", "100%"], 10), [1, 2, 7]);
        assert_eq!(sizes(&["1", "20%"], 10), [1, 2, 2, 2, 2, 1]);
        assert_eq!(sizes(&["1", "3"], 8), [1, 3, 3, 1]);
        assert_eq!(sizes(&["25%"], 3), [1, 1, 1]);
        assert_eq!(sizes(&["25%"], 10), [2, 2, 2, 2, 2]);
        assert_eq!(sizes(&["34%"], 3), [1, 1, 1]);
        assert_eq!(sizes(&["67%"], 3), [2, 1]);
    }

    #[test]
    fn sizes_after_the_last_host_are_not_used() {
        assert_eq!(sizes(&["5", "1", "100%"], 5), [5]);
        assert_eq!(sizes(&["100%", "1"], 4), [4]);
        assert_eq!(sizes(&["9"], 4), [4]);
        assert_eq!(sizes(&["1", "2"], 0), [0; 0]);
    }

    #[test]
    fn the_sum_of_all_batches_is_the_number_of_hosts_and_no_batch_is_empty() {
        let texts: Vec<String> = (1..=100).map(|percent| format!("{percent}%")).collect();
        let texts: Vec<&str> = ["1", "2", "7", "1000", "18446744073709551615"]
            .into_iter()
            .chain(texts.iter().map(String::as_str))
            .collect();
        for first in &texts {
            for last in &texts {
                for total in [0, 1, 2, 3, 9, 10, 99, 101, 130] {
                    let sizes = sizes(&[first, last], total);
                    assert_eq!(sizes.iter().sum::<usize>(), total, "{first}, {last} of {total}");
                    assert!(!sizes.contains(&0), "{first}, {last} of {total}: {sizes:?}");
                }
            }
        }
        assert_eq!(sizes(&["100%"], usize::MAX), [usize::MAX]);
    }

    #[test]
    fn an_empty_list_and_an_invalid_size_are_errors() {
        assert_eq!(Batches::new([""; 0]).unwrap_err(), BatchSizeError::Empty);
        assert_eq!(Batches::new(["1", "0%"]).unwrap_err(), BatchSizeError::Zero("0%".to_owned()));
        assert_eq!(Batches::new([1, 0]).unwrap_err(), BatchSizeError::Zero("0".to_owned()));
    }
}
