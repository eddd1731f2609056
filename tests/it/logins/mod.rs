//! Who is let in, with what, in which order; and what is said where nobody is.

mod agent;
mod keys;
mod passwords;
mod precedence;
