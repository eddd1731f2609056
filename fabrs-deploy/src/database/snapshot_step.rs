//! [`Database`] as a step of a deploy: a snapshot before migrations.

use fabrs::{Connection, TaskError};

use super::database::Database;
use super::host_database::{HostDatabase, MissingDatabase};
use crate::step::{App, DeployStep, LiveApp, StepFuture};

impl Database {
    /// Returns the command that restores a snapshot.
    fn restore_command(&self, connection: &Connection, file: &str) -> Option<String> {
        let (task, client) = (self.restore_task.clone()?, connection.client()?);
        let mut words = vec!["fab".to_owned()];
        words.extend(client.inventory().environment().map(|environment| environment.name().to_owned()));
        words.extend(["-H".to_owned(), connection.host()?.to_string(), task, file.to_owned()]);
        shlex::try_join(words.iter().map(String::as_str)).ok()
    }

    /// Returns the database of a release, with its linked environment file.
    fn of_app(&self, app: &App) -> HostDatabase {
        let (root, release_dir, file) = (app.root(), app.release_dir(), &self.env_file);
        let files = [release_dir, &format!("{root}/shared"), root].map(|directory| format!("{directory}/{file}"));
        let files = if file.starts_with('/') { vec![file.clone()] } else { files.to_vec() };
        // The directory of the release may not exist yet.
        HostDatabase::new(self.clone(), app.host(), files)
    }
}

impl DeployStep for Database {
    fn run(&self, app: App) -> StepFuture {
        // The first migration creates the file of SQLite.
        let missing = match app.live() {
            LiveApp::None => MissingDatabase::Accept,
            LiveApp::Release(_) | LiveApp::Replaced => MissingDatabase::Reject,
        };
        let (settings, database) = (self.clone(), self.of_app(&app).with_missing(missing));
        Box::pin(async move {
            let mut snapshot = database.snapshot().await?;
            snapshot.restore_command = settings.restore_command(app.connection(), &snapshot.file);
            if let (Some(client), true) = (app.connection().client(), snapshot.content.is_some()) {
                client.note(app.connection().host(), snapshot.to_string());
            }
            app.record_snapshot(snapshot);
            Ok::<(), TaskError>(())
        })
    }

    fn preflight(&self, app: App) -> StepFuture {
        let database = self.of_app(&app);
        Box::pin(async move { Ok(database.check().await?) })
    }
}
