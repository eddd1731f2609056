//! Tasks as data, and their calls with arguments.

mod args;
mod call;
mod panics;
mod registry;
mod returns;
mod task_types;

pub use args::FromArg;
pub use panics::is_reported;
pub use registry::{Registration, Registry};
pub use returns::{TaskReturn, blocking};
pub use task_types::{Call, Param, ParamKind, RawArgs, Task};

pub(crate) use panics::catch_future;
