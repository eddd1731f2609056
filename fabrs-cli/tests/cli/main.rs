//! `fab` as its users meet it: the real program against real servers.

mod hosts;
mod json;
mod line;
mod options;
mod place;
mod trouble;
mod unreachable;
mod arguments;
mod orchestration;
mod running;
mod interrupted;
mod no_terminal;
mod terminal;
mod bad_tasks;
mod compiled;
