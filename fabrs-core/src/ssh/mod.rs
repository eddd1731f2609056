//! Commands over SSH, implemented with russh. No other module of this crate uses russh.
//!
//! The modules in the order of the execution of a command:
//!
//! 1. `dialer`: [`SshDialer`] creates one `SharedSession` for each host.
//! 2. `target`: address, user, keys and host key policy, resolved as by `ssh`.
//! 3. `shared_session`: connects on demand, once for all commands of a host.
//! 4. `connector`: opens the stream by `tcp`, through a gateway (`tunnel`), or by a `proxy`
//!    command.
//! 5. `handler`, `host_key`, `server_id`: key exchange and the check of the host key.
//! 6. `login`: authentication.
//! 7. `session`: opens channels within the server's limit (`channel_slots`), one of them in
//!    advance.
//! 8. `ssh_channel`: one command on a channel, driven by `transport::drive`. `channel_stdin` writes
//!    its input within the `send_budget`.
//!
//! If a host may use the local agent, `agent` requests this before the first command, and copies
//! between the host and the agent.
//!
//! Idle sessions are closed if the process runs short of file descriptors (`descriptor_budget`). If
//! the server does not forward signals, see `transport::termination`.

mod agent;
mod algorithms;
mod channel_slots;
mod channel_stdin;
mod connector;
mod descriptor_budget;
mod dialer;
mod handler;
mod handshake_state;
mod host_certificate;
mod host_key;
mod keys;
mod known_hosts;
mod login;
mod open_channel;
mod pem;
mod private_key;
mod proxy;
mod proxy_stderr;
mod relay;
mod revoked_keys;
mod route_settings;
mod send_budget;
mod server_id;
mod session;
mod settings;
mod shared_session;
mod side_channel;
mod ssh_channel;
mod ssh_command;
mod start_error;
mod target;
mod tcp;
mod tunnel;
mod unsupported_keywords;
mod untrusted_text;
mod user_certificate;

pub(crate) use descriptor_budget::max_hosts_at_once;
pub use dialer::SshDialer;
pub use settings::SshSettings;
