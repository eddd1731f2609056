//! The order of the hosts as one line of an approval: `canary of 1 host for 5m, then batches of 2`.

use crate::deploy::target::ReleaseOrigin;
use crate::rollout_order::RolloutOrder;
use crate::site::Site;
use crate::whole_seconds::whole_seconds;

/// Returns the order of a number of hosts, or `None` for one host without a strategy. A rollback
/// has no canary.
pub(super) fn summary(site: &Site, total: usize, origin: ReleaseOrigin) -> Option<String> {
    if site.strategy.blue_green().is_some() {
        return Some("blue-green: all hosts on the idle side, then one switch of the balancer".to_owned());
    }
    let canary = site.strategy.canary().filter(|_| origin != ReleaseOrigin::EarlierRun);
    let canary = canary.and_then(|canary| Some((canary.size().ok()?.hosts_of(total).get(), canary.watch.duration)));
    let Some((size, watch)) = canary else {
        return Some(order(&site.order, total, total)).filter(|_| total > 1);
    };
    let time = if watch.is_zero() { String::new() } else { format!(" for {}", whole_seconds(watch)) };
    if size >= total {
        return Some(format!("canary of all hosts{time}: no host keeps the old release"));
    }
    Some(format!("canary of {}{time}, then {}", hosts(size), order(&site.order, total, total - size)))
}

/// Returns the order of the hosts still left of all hosts.
fn order(order: &RolloutOrder, total: usize, left: usize) -> String {
    let sizes = match order {
        RolloutOrder::Window(size) => return format!("at most {} at a time", hosts(size.hosts_of(total).get())),
        RolloutOrder::Batches(batches) => batches.sizes(total),
        RolloutOrder::Invalid(_) => Vec::new(),
    };
    let mut rest = left;
    let sizes = sizes.into_iter().map(|size| {
        let size = size.min(rest);
        rest -= size;
        size
    });
    let sizes: Vec<usize> = sizes.filter(|size| *size > 0).collect();
    match sizes.as_slice() {
        [] | [_] if left == total => "all hosts at once".to_owned(),
        [] | [_] => format!("the other {}", hosts(left)),
        [first, middle @ .., last] if middle.iter().all(|size| size == first) && last <= first => {
            format!("batches of {}", hosts(*first))
        }
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(ToString::to_string).collect();
            format!("batches of {} and {}", first.join(", "), hosts(*last))
        }
    }
}

fn hosts(count: usize) -> String {
    if count == 1 { "1 host".to_owned() } else { format!("{count} hosts") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::strategy::{BlueGreen, Canary};

    fn of(site: &Site, total: usize) -> Option<String> {
        summary(site, total, ReleaseOrigin::ThisRun)
    }

    #[test]
    fn batches_have_one_size_or_a_list_of_sizes() {
        let site = || Site::new("/srv/shop");
        for (site, total, expected) in [
            (site(), 1, None),
            (site(), 3, Some("all hosts at once")),
            (site().rolling(1), 3, Some("batches of 1 host")),
            (site().rolling(2), 5, Some("batches of 2 hosts")),
            (site().batches(["1", "20%", "100%"]), 10, Some("batches of 1, 2 and 7 hosts")),
            (site().window(2), 9, Some("at most 2 hosts at a time")),
        ] {
            assert_eq!(of(&site, total).as_deref(), expected);
        }
    }

    #[test]
    fn a_canary_comes_first_and_not_in_a_rollback() {
        let canary = || Canary::hosts(1).watch(Duration::from_mins(5));
        let site = Site::new("/srv/shop").strategy(canary());
        assert_eq!(of(&site, 3).as_deref(), Some("canary of 1 host for 5m, then the other 2 hosts"));
        assert_eq!(of(&site, 1).as_deref(), Some("canary of all hosts for 5m: no host keeps the old release"));
        assert_eq!(summary(&site, 3, ReleaseOrigin::EarlierRun).as_deref(), Some("all hosts at once"));
        let site = Site::new("/srv/shop").strategy(canary()).rolling(1);
        assert_eq!(of(&site, 4).as_deref(), Some("canary of 1 host for 5m, then batches of 1 host"));
    }

    #[test]
    fn a_blue_green_site_is_switched_at_once() {
        let site = Site::new("/srv/shop").strategy(BlueGreen::ports(8001, 8002));
        assert!(of(&site, 1).is_some_and(|order| order.contains("one switch")));
    }
}
