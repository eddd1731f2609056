//! The deploy kit of fabrs: what makes a deploy one that a person trusts.

mod deploy;
mod lock;
mod overview;
mod release;
mod site;
mod source;
mod step;
mod who;

pub use deploy::{Deploy, Deployed, Rollback};
pub use lock::Kept;
pub use release::{Bad, Manifest, ReleaseId};
pub use site::Site;
pub use source::{Git, Revision};
pub use step::{App, Step, StepFuture};
pub use who::Who;
