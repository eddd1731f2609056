//! The services of a site: how they take up a release, and how one sees that they work.

mod gunicorn;
mod health;
mod supervisor;
mod systemd;

pub use gunicorn::Gunicorn;
pub use health::HealthCheck;
pub use supervisor::Supervisor;
pub use systemd::Systemd;
