//! Who is let in, with what, in which order; and what is said where nobody is.

mod agent;
mod certificates;
mod keys;
mod passwords;
mod precedence;
mod ssh_agent;
