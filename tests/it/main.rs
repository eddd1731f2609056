//! What the core promises, by topic, against the scripted host, this machine and real OpenSSH servers.
//!
//! Nothing is ignored and nothing looks at a clock: what has to happen is waited for, within a limit that only ends a
//! broken test. Where OpenSSH is missing, the tests fail and say what to install.

mod cancel;
mod contract;

mod sessions;
mod support;
