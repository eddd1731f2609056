//! State shared by one run: the connection pool, the settings, the event sink, the approval and the
//! stop signal.

mod approval;
mod change_policy;
mod process_run;
mod prompt_gate;
mod run_state;

pub(crate) use approval::Approval;
pub(crate) use change_policy::ChangePolicy;
pub(crate) use process_run::{install_process_run, process_run};
pub(crate) use prompt_gate::PromptGate;
pub(crate) use run_state::{CommandDefaults, RunParts, RunState, add_secret};
