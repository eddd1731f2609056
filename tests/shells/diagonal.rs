//! The diagonal of the matrix: the cells of every test run.

use crate::machine::Server;
use crate::matrix::Row;
use crate::operation::Operation as Op;
use crate::shell::Shell;

/// Returns the rows of the diagonal.
pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row::new(Shell::Fish, Server::OpensshRoot, &[Op::Line, Op::CdEnvSh, Op::Sync, Op::Timeout, Op::FabLine]),
        Row::new(Shell::Csh, Server::DropbearRoot, &[Op::Line, Op::CdEnv, Op::Put, Op::Edit, Op::FabCtrlC]),
        Row::new(Shell::Tcsh, Server::OpensshUser, &[Op::CdEnvSh, Op::Put, Op::Get, Op::Sudo]),
        Row::new(Shell::Bash, Server::DropbearUser, &[Op::Timeout, Op::CtrlC, Op::FabTimeout, Op::Sudo]),
        Row::new(Shell::Dash, Server::DropbearRoot, &[Op::CtrlC, Op::FabTimeout, Op::Get]),
        Row::new(Shell::Zsh, Server::OpensshRoot, &[Op::CdEnv, Op::Edit, Op::FabCtrlC]),
        Row::new(Shell::Ash, Server::DropbearUser, &[Op::Put, Op::Sync, Op::Sudo]),
        Row::new(Shell::Sh, Server::OpensshUser, &[Op::Line, Op::Get, Op::FabLine]),
        Row::new(Shell::Nologin, Server::OpensshUser, &[Op::Line, Op::Put, Op::FabLine]),
    ]
}
