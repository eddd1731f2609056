//! Helper `sftp`: serves SFTP on stdin and stdout as the logged-in user.
//!
//! The working directory is the user's home, so relative paths resolve as on any server.

use std::process::ExitCode;

use russh_sftp::server;
use tokio::sync::oneshot;

use super::handler::SftpHandler;

/// Serves requests until stdin ends.
pub(crate) fn run_sftp_server() -> ExitCode {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return ExitCode::FAILURE;
    };
    runtime.block_on(async {
        let (done, ended) = oneshot::channel::<()>();
        let stream = tokio::io::join(tokio::io::stdin(), tokio::io::stdout());
        // `run` spawns a task and returns. At its end, the task drops the handler, and `ended`
        // resolves.
        server::run(stream, SftpHandler::new(done)).await;
        drop(ended.await);
    });
    // A blocked read of stdin would delay a normal shutdown.
    runtime.shutdown_background();
    ExitCode::SUCCESS
}
