//! The deploy kit of fabrs: what makes a deploy one that a person trusts.

mod deploy;
mod django;
mod good;
mod lock;
mod maintenance;
mod overview;
mod part;
mod python;
mod release;
mod serve;
mod site;
mod source;
mod step;
mod tell;
mod who;

pub use deploy::{Deploy, Deployed, Rollback};
pub use django::{Django, manage};
pub use lock::Kept;
pub use part::Part;
pub use python::Python;
pub use release::{Bad, Manifest, ReleaseId};
pub use serve::{Gunicorn, Health, Supervisor, Systemd};
pub use site::Site;
pub use source::{Changes, Commit, Git, Revision};
pub use step::{App, Step, StepFuture};
#[cfg(feature = "mail")]
pub use tell::Mail;
pub use tell::{Graphite, Happened, News, Receiver, Since, Stands, Statsd, ToldFuture, Went};
#[cfg(feature = "http")]
pub use tell::{NewRelic, Sentry, Webhook};
pub use who::{RunId, Who};
