//! Authentication of the user (RFC 4252): public keys, passwords and keyboard-interactive prompts.

mod attempt;
mod candidates;
mod file_signer;
pub(super) mod log_in;
mod login_timer;
mod prompts;
mod public_key;
mod sign;
#[cfg(test)]
mod tests;
