//! Logging in to a server (RFC 4252).

mod answer_clock;
mod attempt;
mod candidates;
mod file_signer;
pub(super) mod log_in;
mod prompts;
mod public_key;
mod sign;
#[cfg(test)]
mod tests;
