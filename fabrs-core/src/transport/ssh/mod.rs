//! Commands over SSH, by russh, which is named nowhere else.
//!
//! The way of a command: [`OpenSsh`] resolves a host as `ssh` would (`target`), a `Link` holds at most one `Session` to
//! it (`way`: by `tcp`, a `tunnel` through a gateway or a `proxy` command; `server`, `handler` and `host_key`, `login`), which
//! opens channels within what the server allows (`slots`) and one ahead (`spare`); a channel becomes the `wire` that `drive`
//! carries a command over. Idle links are closed when the process runs short of `descriptors`. Where the server passes no signals on, a command is ended by a watcher beside it (`lifeline`) or
//! by another command (`group`, `aside`).

mod algorithms;
mod answer_clock;
mod aside;
mod descriptors;
mod dial;
mod feed;
mod foreign;
mod group;
mod handler;
mod host_certificate;
mod host_key;
mod keys;
mod lifeline;
mod link;
mod login;
mod open_channel;
mod outflow;
mod pem;
mod pipe;
mod private_key;
mod proxy;
mod revoked;
mod server;
mod session;
mod settings;
mod slots;
mod ssh_command;
mod stderr;
mod target;
mod tcp;
mod tunnel;
mod unsupported;
mod user_certificate;
mod way;
mod wire;

pub(crate) use descriptors::max_hosts_at_once;
pub use dial::OpenSsh;
pub use settings::SshSettings;
