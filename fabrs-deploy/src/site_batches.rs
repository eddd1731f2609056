//! The methods of a site for the order of the hosts: batches, or a sliding window.

use fabrs::{Batches, IntoBatchSize};

use crate::rollout_order::RolloutOrder;
use crate::site::Site;

/// # Batches and windows
///
/// Without these methods, all hosts are switched at once. The last call applies.
///
/// | call | order of the hosts |
/// |---|---|
/// | `.rolling(2)`, `.rolling("25%")` | batches of the same size |
/// | `.batches(["1", "20%", "100%"])` | batches of growing size |
/// | `.window(2)`, `.window("25%")` | at most this many hosts at a time, without batches |
///
/// A size is a number of hosts (`2`, `"2"`) or a percentage of the hosts of the deploy (`"25%"`).
/// Percentages are rounded down, with a minimum of 1 host. An invalid size, such as `0` or `"0%"`,
/// is an error of kind [`ErrorKind::Usage`](fabrs::ErrorKind::Usage) at the start of the deploy.
///
/// After a failure, all switched hosts are reverted, and the other hosts stay on their old release.
/// A rollback uses the same order.
impl Site {
    /// Deploys in batches of at most this many hosts: a number, or a percentage of the hosts of the
    /// deploy. Defaults to one batch with all hosts.
    ///
    /// A batch is switched to the new release, restarted and checked ([`health`](Self::health))
    /// before the next batch begins. If a batch fails, all switched hosts are reverted, and later
    /// batches stay on their old release. A rollback uses the same batches.
    ///
    /// With [`in_place`](Self::in_place), the hosts of once-only steps all belong to the first
    /// batch, which may then be larger.
    ///
    /// ```
    /// use fabrs_deploy::Site;
    ///
    /// let site = Site::new("/srv/shop").rolling(1);
    /// # assert!(format!("{site:?}").contains("last: 1"));
    /// let site = Site::new("/srv/shop").rolling("25%");
    /// assert!(format!("{site:?}").contains("25%"));
    /// ```
    #[doc(alias = "batch")]
    #[doc(alias = "serial")]
    pub fn rolling(mut self, hosts: impl IntoBatchSize) -> Self {
        let batches = hosts.into_batch_size().map(|size| RolloutOrder::Batches(size.into()));
        self.order = RolloutOrder::of(batches, "rolling");
        self
    }

    /// Deploys in batches of growing size. The first sizes are used once, and the last size repeats
    /// until all hosts are switched.
    ///
    /// The elements of an array have the same type, so a list with a percentage consists of
    /// strings. Numbers are accepted too: `[1, 5]`. For example, 10 hosts with
    /// `["1", "20%", "100%"]` are deployed in batches of 1, 2 and 7 hosts. Each batch is treated as
    /// in [`rolling`](Self::rolling).
    ///
    /// ```
    /// use fabrs_deploy::Site;
    ///
    /// let site = Site::new("/srv/shop").batches(["1", "20%", "100%"]);
    /// assert!(format!("{site:?}").contains("20%"));
    /// ```
    pub fn batches<S: IntoBatchSize>(mut self, sizes: impl IntoIterator<Item = S>) -> Self {
        self.order = RolloutOrder::of(Batches::new(sizes).map(RolloutOrder::Batches), "batches");
        self
    }

    /// Deploys to at most this many hosts at a time: a number, or a percentage of the hosts of the
    /// deploy. The next host starts as soon as a host has passed its health check.
    ///
    /// In contrast to [`rolling`](Self::rolling), a slow host does not delay the hosts of a next
    /// batch. After the first failure, no further host starts. Hosts in progress finish, and all
    /// switched hosts are then reverted. A smaller limit of the group or of `-P` applies.
    ///
    /// With [`in_place`](Self::in_place), the hosts of once-only steps are switched together, and
    /// pass their health checks before the other hosts start.
    ///
    /// ```
    /// use fabrs_deploy::Site;
    ///
    /// let site = Site::new("/srv/shop").window(2);
    /// assert!(format!("{site:?}").contains("Window(2)"));
    /// ```
    pub fn window(mut self, hosts: impl IntoBatchSize) -> Self {
        self.order = RolloutOrder::of(hosts.into_batch_size().map(RolloutOrder::Window), "window");
        self
    }
}
