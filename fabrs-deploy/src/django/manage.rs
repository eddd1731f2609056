//! Commands of a project's `manage.py`.

use fabrs::prelude::current;
use fabrs::{Command, IntoShellLine, ShellLine, cmd};

/// Makes a command of the project's `manage.py`, in the virtualenv and the folder of the task's connection.
///
/// ```
/// # use fabrs::prelude::*;
/// use fabrs_deploy::manage;
///
/// /// Says who may log in.
/// #[task(role = "web")]
/// async fn superusers() -> Result {
///     cd("/srv/shop/current").venv("env").enter(async { manage("shell -c 'print(1)'").await }).await?;
///     Ok(())
/// }
/// ```
#[track_caller]
pub fn manage(line: impl IntoShellLine) -> Command {
    let line = line.into_shell_line();
    let command = current().v_run(ShellLine::raw(format!("python manage.py {}", line.as_str())));
    command.named(format!("manage.py {}", line.as_str()))
}

/// Returns the line that migrates an application up to a migration.
pub(super) fn migrate_to(app: &str, name: &str) -> ShellLine {
    cmd!("python manage.py migrate --noinput {app} {name}")
}
