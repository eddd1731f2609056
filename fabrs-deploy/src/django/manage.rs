//! The [`manage`] function: runs commands of a project's `manage.py`.

use fabrs::prelude::current;
use fabrs::{Command, IntoShellLine, ShellLine, cmd};

/// Creates a `manage.py` command, in the directory and the virtualenv of the current connection.
///
/// In a step of a [`Site`](crate::Site), these are the directory and the virtualenv of the release.
///
/// ```
/// # use fabrs::prelude::*;
/// use fabrs_deploy::manage;
///
/// /// Lists the migrations.
/// #[task(role = "web")]
/// async fn migrations() -> Result {
///     let release = cd("/srv/shop/current").venv("env");
///     release.enter(async { manage("showmigrations").await }).await?;
///     Ok(())
/// }
/// ```
#[track_caller]
pub fn manage(line: impl IntoShellLine) -> Command {
    let line = line.into_shell_line();
    let command = current().v_run(ShellLine::raw(format!("python manage.py {}", line.as_str())));
    command.named(format!("manage.py {}", line.as_str()))
}

/// Returns the command that migrates an application up to a migration.
pub(super) fn migrate_to(app: &str, name: &str) -> ShellLine {
    cmd!("python manage.py migrate --noinput {app} {name}")
}
