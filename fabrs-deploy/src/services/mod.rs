//! The services of a site: reloads and restarts, and health checks.

mod gunicorn;
mod health;
mod supervisor;
mod systemd;

pub use gunicorn::Gunicorn;
pub use health::HealthCheck;
pub use supervisor::Supervisor;
pub use systemd::Systemd;
