//! Commands over SSH, by russh, which is named nowhere else.
//!
//! The way of a command: [`OpenSsh`] resolves a host as `ssh` would (`target`), a `Link` holds at most one `Session` to
//! it (`way`: by `tcp`, a `tunnel` through a gateway or a `proxy` command; `server`, `handler` and `host_key`, `login`), which
//! opens channels within what the server allows (`slots`) and one ahead (`spare`); a channel becomes the `wire` that `drive`
//! carries a command over. Idle links are closed when the process runs short of `descriptors`. Where the server passes no signals on, a command is ended by a watcher beside it (`lifeline`) or
//! by another command (`group`, `aside`).

mod algorithms;
mod channel_slots;
mod channel_stdin;
mod connector;
mod descriptor_budget;
mod dialer;
mod handler;
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
mod send_budget;
mod server_id;
mod session;
mod settings;
mod shared_session;
mod side_channel;
mod ssh_channel;
mod ssh_command;
mod target;
mod tcp;
mod tunnel;
mod unsupported_keywords;
mod untrusted_text;
mod user_certificate;

pub(crate) use descriptor_budget::max_hosts_at_once;
pub use dialer::OpenSsh;
pub use settings::SshSettings;
