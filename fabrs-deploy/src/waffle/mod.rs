//! Feature flags: flags, switches and samples of django-waffle.

mod audience;
mod change;
mod flag;
mod host_waffle;
mod list;
mod plugin;
pub(crate) mod project;
mod reader;
mod sample;
mod switch;

pub use audience::{FlagAudience, FlagRules};
pub use flag::WaffleFlag;
pub use host_waffle::HostWaffle;
pub use list::{FlagState, SampleState, SwitchState, WaffleList};
pub use project::Waffle;
pub use sample::WaffleSample;
pub use switch::WaffleSwitch;
