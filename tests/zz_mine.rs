//! Temporary: the topics of one author while others are half written.
#[path = "it/answers.rs"]
mod answers;
#[path = "it/cancel/mod.rs"]
mod cancel;
#[path = "it/contract/mod.rs"]
mod contract;
#[path = "it/logins/mod.rs"]
mod logins;
#[path = "it/sessions/mod.rs"]
mod sessions;
#[path = "it/support.rs"]
mod support;
