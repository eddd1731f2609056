//! Provisioning: packages, accounts and services of a host, changed only if they differ.

mod account_name;
mod authorized_key;
mod cron_job;
mod extension;
mod group;
mod packages;
mod reboot;
mod request;
mod resource;
mod resource_changes;
mod scheduled_command;
mod service;
mod timer;
mod user;

pub use authorized_key::AuthorizedKey;
pub use cron_job::CronJob;
pub use extension::Provision;
pub use group::GroupAccount;
pub use packages::Packages;
pub use reboot::RebootRequest;
pub use request::EnsureRequest;
pub use resource::Resource;
pub use resource_changes::ResourceChanges;
pub use service::Service;
pub use timer::Timer;
pub use user::UserAccount;

pub(crate) use resource::sealed::Resource as SealedResource;
