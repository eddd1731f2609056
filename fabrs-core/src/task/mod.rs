//! Tasks: what the user writes, described as data, and called with arguments.

mod args;
mod call;
mod describe;
mod panics;
mod registry;
mod returns;

pub use args::{FromArg, RawArgs};
pub use call::Call;
pub use describe::{Param, ParamKind, Task};
pub use panics::is_reported;
pub use registry::{Registration, Registry};
pub use returns::{TaskReturn, blocking};

pub(crate) use panics::catch_future;
