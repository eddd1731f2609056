//! The services of a site: reloads and restarts, and health checks.

mod gunicorn;
mod health;
mod service_log;
mod supervisor;
mod systemd;

pub use gunicorn::Gunicorn;
pub use health::HealthCheck;
pub use service_log::ServiceLog;
pub(crate) use service_log::{ErrorLines, LogMark};
pub use supervisor::Supervisor;
pub use systemd::Systemd;
