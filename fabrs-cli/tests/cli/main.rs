//! `fab` as its users meet it: the real program against real servers.

mod arguments;
mod bad_tasks;
mod compiled;
mod defects;
mod demo;
mod exact;
mod hosts;
mod interrupted;
mod json;
mod line;
mod lost_output;
mod no_terminal;
mod options;
mod orchestration;
mod place;
mod printing;
mod proxy_command;
mod questions;
mod quickstart;
mod running;
mod temporary_files;
mod terminal;
mod trouble;
mod unreachable;
mod vagrant;
mod workshop;
