//! The plugin of a site: the feature flags in the reports of its deploys.

use crate::plugin::Plugin;
use crate::site::Site;
use crate::waffle::project::Waffle;

impl Plugin for Waffle {
    fn add_to(self, mut site: Site) -> Site {
        site.waffle = Some((site.scope.clone(), self));
        site
    }
}
