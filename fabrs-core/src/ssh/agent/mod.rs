//! Agent forwarding: commands of a host use the keys of the local agent.

pub(super) mod forwarding;
mod relay;
#[cfg(test)]
mod tests;
