//! Deploys and rollbacks of a site.
//!
//! | phase | module | effect |
//! |---|---|---|
//! | survey | `connected_site` | reads the releases on all hosts |
//! | preflight | `preflight`, `readiness`, `freeze` | checks the hosts and the freeze windows |
//! | choice | `revision`, `pipeline_stage` | chooses the revision, and checks its pipeline stages |
//! | approval | `approval`, `approval_header`, `unknown_migrations` | shows the pending changes |
//! | lock | `transaction`, `lock` | locks all hosts, repeats the survey, decides the `target` |
//! | build | `build`, `work_tree` | builds the release, or fetches the commit |
//! | batches | `batches`, `window`, `switch`, `restart`, `health_check` | makes the release live |
//! | blue-green | `blue_green`, `blue_green_state` | prepares the idle side, switches once |
//! | drain | `drain`, `drains` | takes hosts out of the balancer during their restart |
//! | watch | `watch`, `log_positions` | measures the gates of a batch |
//! | revert | `revert`, `bad_mark` | reverts the switched hosts after a failure |
//! | confirm | `host_revert` | confirms the release on hosts that would revert by themselves |
//! | finish | `finish` | runs post-deploy steps, removes old releases, pushes the tag |
//! | record | `operation_log` | appends the operation to the log for statistics |
//! | report | `report`, `pipeline_stage` | sends the report to the notifiers, records the stage |
//!
//! `phases` emits the events of each numbered phase, and `phase_count` counts the phases in
//! advance.
//!
//! A [`rollout`] is one deploy or rollback under the lock, with one [`host_state`] for each host.

mod abort;
mod approval;
mod approval_header;
mod approval_rule;
mod bad_mark;
mod batches;
mod blue_green;
mod blue_green_state;
mod blue_green_switch;
mod build;
mod connected_site;
mod deployment;
mod drain;
mod drains;
mod finish;
mod freeze;
mod health_check;
mod hold;
mod host_revert;
mod host_revert_check;
mod host_state;
mod host_states;
mod live_migrations;
mod live_release;
mod lock;
mod log_positions;
mod manual_lock;
mod operation_log;
mod phase_count;
mod phases;
mod pipeline_stage;
mod preflight;
mod preflight_report;
mod promote;
mod readiness;
mod report;
mod restart;
mod revert;
mod revert_drain;
mod revision;
mod rollback;
mod rollout;
mod rollout_summary;
mod space_to_free;
mod switch;
mod target;
mod transaction;
mod unknown_migrations;
mod watch;
mod window;
mod work_tree;

pub use deployment::Deploy;
pub use hold::HeldRelease;
pub use live_migrations::LiveMigrations;
pub use live_release::LiveRelease;
pub use promote::Promote;
pub use rollback::Rollback;

pub(crate) use connected_site::{ConnectedSite, Surveys, survey_host, survey_hosts};
pub(crate) use live_migrations::check_live_releases;
pub(crate) use operation_log::{OperationRecord, read as read_operations};
