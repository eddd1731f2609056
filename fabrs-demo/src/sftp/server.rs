//! The subsystem `sftp`: a command like any other, on its input and output, as the user who logged in.
//!
//! It stands in the user's home, so that relative paths mean what they do on any server.

use std::process::ExitCode;

use russh_sftp::server;
use tokio::sync::oneshot;

use super::handler::SftpHandler;

/// Serves files until the input ends.
pub(crate) fn run_sftp_server() -> ExitCode {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return ExitCode::FAILURE;
    };
    runtime.block_on(async {
        let (done, ended) = oneshot::channel::<()>();
        let stream = tokio::io::join(tokio::io::stdin(), tokio::io::stdout());
        // It serves in a task of its own, which drops the handler at its end.
        server::run(stream, SftpHandler::new(done)).await;
        drop(ended.await);
    });
    // A thread may still wait for more input.
    runtime.shutdown_background();
    ExitCode::SUCCESS
}
