//! SSH sessions: the requests, then the command and its streams.
//!
//! In russh, one unread channel stalls the whole connection. So a separate loop reads the channel,
//! and waits only while the input queue is full. Other loops send the output.

use std::future::Future;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use bytes::Bytes;
use russh::server::{Handle, Msg};
use russh::{Channel, ChannelId, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use rustix::process::{Pid, kill_process, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::command::{CommandProcess, SessionRequest};
use super::context::SessionContext;
use super::pty::ServerPty;
use super::signals;

/// The size of a read from a command, in bytes.
const READ_SIZE: usize = 32 << 10;
/// The number of packets queued for a command that does not read. While the queue is full, the loop
/// waits.
const MAX_QUEUED_PACKETS: usize = 512;
/// The extended data type of stderr (RFC 4254 §5.2).
const EXTENDED_DATA_STDERR: u32 = 1;

/// Serves a session until the channel is closed.
pub(super) async fn run(channel: Channel<Msg>, handle: Handle, context: SessionContext) {
    let id = channel.id();
    let (mut read, write) = channel.split();
    if let Some(process) = start(&mut read, &handle, id, &context).await {
        relay(process, read, &write, &handle).await;
    }
    // The close fails if the client has closed the channel already.
    let _ = write.close().await;
}

/// Handles requests until one of them starts a command. Returns `None` if the channel is closed
/// first.
async fn start(
    read: &mut ChannelReadHalf,
    handle: &Handle,
    id: ChannelId,
    context: &SessionContext,
) -> Option<CommandProcess> {
    let mut request = SessionRequest::default();
    loop {
        let (granted, starts) = match read.wait().await? {
            ChannelMsg::RequestPty { term, col_width, row_height, .. } => {
                (request.request_pty(&term, col_width, row_height).is_ok(), false)
            }
            ChannelMsg::SetEnv { variable_name, variable_value, .. } => {
                (request.set_variable(variable_name, variable_value), false)
            }
            ChannelMsg::RequestShell { .. } => (true, true),
            ChannelMsg::Exec { command, .. } => {
                request.line = Some(command);
                (true, true)
            }
            ChannelMsg::RequestSubsystem { name, .. } => {
                request.sftp = name == "sftp";
                (request.sftp, request.sftp)
            }
            ChannelMsg::AgentForward { .. } | ChannelMsg::RequestX11 { .. } => (false, false),
            ChannelMsg::Close => return None,
            _ => continue,
        };
        let process = if granted && starts { request.start(context).ok() } else { None };
        // A reply fails if the connection is lost. The next read detects the loss.
        if granted && (process.is_some() || !starts) {
            let _ = handle.channel_success(id).await;
        } else {
            let _ = handle.channel_failure(id).await;
        }
        if process.is_some() {
            return process;
        }
    }
}

/// Relays all streams until the command has ended and its output is sent, or until the channel is
/// closed. As in sshd, a closed channel does not end the command.
async fn relay(process: CommandProcess, read: ChannelReadHalf, write: &ChannelWriteHalf<Msg>, handle: &Handle) {
    let (queue, input) = mpsc::channel(MAX_QUEUED_PACKETS);
    let exited = CancellationToken::new();
    match process {
        CommandProcess::Piped { mut child, group, stdin, stdout, stderr } => {
            let output = async {
                tokio::join!(
                    pump(stdout, |bytes| write.data_bytes(bytes)),
                    pump(stderr, |bytes| write.extended_data_bytes(EXTENDED_DATA_STDERR, bytes)),
                    async {
                        let status = child.wait().await;
                        exited.cancel();
                        send_exit(handle, write.id(), status).await;
                    },
                );
            };
            let client = ClientInput { queue: Some(queue), group, exited: &exited, pty: None };
            run_until_done(output, client.forward(read), write_stdin(input, stdin)).await;
        }
        CommandProcess::OnTerminal { mut child, group, pty } => {
            let output = async {
                let (status, ()) = tokio::join!(
                    async {
                        let status = child.wait().await;
                        exited.cancel();
                        status
                    },
                    pump_terminal(&pty, &exited, |bytes| write.data_bytes(bytes)),
                );
                send_exit(handle, write.id(), status).await;
            };
            let client = ClientInput { queue: Some(queue), group, exited: &exited, pty: Some(&pty) };
            run_until_done(output, client.forward(read), write_terminal(input, &pty)).await;
        }
    }
    let _ = write.eof().await;
}

/// Runs `input` until `output` is complete or the client has closed the channel.
async fn run_until_done(
    output: impl Future<Output = ()>,
    client: impl Future<Output = ()>,
    input: impl Future<Output = ()>,
) {
    let input = async {
        input.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = output => {}
        () = client => {}
        () = input => {}
    }
}

/// The handler of client messages to a running command.
struct ClientInput<'a> {
    queue: Option<mpsc::Sender<Bytes>>,
    group: Pid,
    exited: &'a CancellationToken,
    pty: Option<&'a ServerPty>,
}

impl ClientInput<'_> {
    /// Handles messages until the channel is closed or the connection is lost.
    async fn forward(mut self, mut read: ChannelReadHalf) {
        while let Some(message) = read.wait().await {
            match message {
                ChannelMsg::Data { data } => {
                    // The send fails if the command has closed stdin. The data is then dropped.
                    if let Some(queue) = &self.queue {
                        let _ = queue.send(data).await;
                    }
                }
                ChannelMsg::Eof => self.queue = None,
                ChannelMsg::Signal { signal } => self.signal(&signal),
                ChannelMsg::WindowChange { col_width, row_height, .. } => {
                    if let Some(pty) = self.pty {
                        // The resize fails if the terminal is closed already.
                        let _ = pty.resize(col_width, row_height);
                    }
                }
                ChannelMsg::Close => return,
                _ => {}
            }
        }
    }

    fn signal(&self, signal: &russh::Sig) {
        let Some(signal) = signals::from_russh(signal) else { return };
        // The process has been reaped, so its PID may now belong to another process.
        if self.exited.is_cancelled() {
            return;
        }
        // Before its `setsid`, the process leads no group and must be signalled alone.
        if kill_process_group(self.group, signal).is_err() {
            let _ = kill_process(self.group, signal);
        }
    }
}

/// Sends output until the stream ends or the channel fails.
async fn pump<F: Future<Output = Result<(), russh::Error>>>(
    mut from: impl AsyncRead + Unpin,
    send: impl Fn(Bytes) -> F,
) {
    let mut buffer = vec![0; READ_SIZE];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let chunk = Bytes::copy_from_slice(buffer.get(..count).unwrap_or_default());
        if send(chunk).await.is_err() {
            return;
        }
    }
}

/// Like [`pump`], for a terminal. Background processes may keep the terminal open, so after the
/// exit of the command only output already written is sent.
async fn pump_terminal<F: Future<Output = Result<(), russh::Error>>>(
    pty: &ServerPty,
    exited: &CancellationToken,
    send: impl Fn(Bytes) -> F,
) {
    loop {
        let chunk = tokio::select! {
            biased;
            chunk = pty.read(READ_SIZE) => chunk,
            () = exited.cancelled() => pty.try_read(READ_SIZE),
        };
        let Some(chunk) = chunk else { return };
        if send(chunk).await.is_err() {
            return;
        }
    }
}

async fn write_stdin(mut input: mpsc::Receiver<Bytes>, mut stdin: impl AsyncWrite + Unpin) {
    while let Some(chunk) = input.recv().await {
        if stdin.write_all(&chunk).await.is_err() {
            return;
        }
    }
}

async fn write_terminal(mut input: mpsc::Receiver<Bytes>, pty: &ServerPty) {
    while let Some(chunk) = input.recv().await {
        if pty.write(&chunk).await.is_err() {
            return;
        }
    }
}

/// Sends the exit status or the signal of a command.
async fn send_exit(handle: &Handle, id: ChannelId, status: io::Result<ExitStatus>) {
    let Ok(status) = status else { return };
    // Both requests fail if the connection is lost.
    match (status.code(), status.signal().map(signals::to_russh)) {
        (Some(code), _) => {
            let _ = handle.exit_status_request(id, u32::try_from(code).unwrap_or(255)).await;
        }
        (None, Some(signal)) => {
            let core = status.core_dumped();
            let _ = handle.exit_signal_request(id, signal, core, String::new(), String::new()).await;
        }
        (None, None) => {}
    }
}
