//! The login shells of the matrix.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// One login shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shell {
    Sh,
    Dash,
    Bash,
    Zsh,
    Fish,
    Csh,
    Tcsh,
    Ash,
    Nologin,
}

impl Shell {
    pub(crate) const ALL: [Self; 9] =
        [Self::Sh, Self::Dash, Self::Bash, Self::Zsh, Self::Fish, Self::Csh, Self::Tcsh, Self::Ash, Self::Nologin];

    /// Returns its name in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sh => "sh",
            Self::Dash => "dash",
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
            Self::Csh => "csh",
            Self::Tcsh => "tcsh",
            Self::Ash => "busybox ash",
            Self::Nologin => "nologin",
        }
    }

    /// Returns the program of this machine, and the package that has it.
    fn program(self) -> (&'static str, &'static str) {
        match self {
            Self::Sh => ("/bin/sh", "dash"),
            Self::Dash => ("/bin/dash", "dash"),
            Self::Bash => ("/bin/bash", "bash"),
            Self::Zsh => ("/usr/bin/zsh", "zsh"),
            Self::Fish => ("/usr/bin/fish", "fish"),
            // `/bin/csh` is tcsh where the package csh is missing.
            Self::Csh => ("/bin/bsd-csh", "csh"),
            Self::Tcsh => ("/usr/bin/tcsh", "tcsh"),
            Self::Ash => ("/bin/busybox", "busybox"),
            Self::Nologin => ("/usr/sbin/nologin", "login"),
        }
    }

    /// Returns the path of the login shell; a shell that has no file of its own gets one in `folder`.
    ///
    /// # Panics
    ///
    /// If the shell is not installed: with its package.
    pub(crate) fn path(self, folder: &Path) -> PathBuf {
        let (program, package) = self.program();
        assert!(Path::new(program).exists(), "`{program}` is missing: `apt-get install {package}`");
        if self != Self::Ash {
            return program.into();
        }
        // busybox picks its applet by the name under which it is called.
        let applet = folder.join("ash");
        symlink(program, &applet).expect("the directory is ours");
        applet
    }

    /// Whether it runs no line at all.
    pub(crate) fn runs_nothing(self) -> bool {
        self == Self::Nologin
    }

    /// Whether its language is another than that of `sh`.
    pub(crate) fn is_foreign(self) -> bool {
        matches!(self, Self::Fish | Self::Csh | Self::Tcsh)
    }

    /// Whether a quoted word can not have a line end in its language.
    pub(crate) fn refuses_line_ends(self) -> bool {
        matches!(self, Self::Csh | Self::Tcsh)
    }
}
