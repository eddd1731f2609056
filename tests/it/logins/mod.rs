//! Logins: authentication methods, their order, and the errors of failed logins.

mod agent;
mod certificates;
mod keys;
mod passwords;
mod precedence;
