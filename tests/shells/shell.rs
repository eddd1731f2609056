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

    /// Returns the name of the shell in the table.
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

    /// Returns the program on this machine, and the package.
    fn program(self) -> (&'static str, &'static str) {
        match self {
            Self::Sh => ("/bin/sh", "dash"),
            Self::Dash => ("/bin/dash", "dash"),
            Self::Bash => ("/bin/bash", "bash"),
            Self::Zsh => ("/usr/bin/zsh", "zsh"),
            Self::Fish => ("/usr/bin/fish", "fish"),
            // `/bin/csh` is tcsh if the package csh is missing.
            Self::Csh => ("/bin/bsd-csh", "csh"),
            Self::Tcsh => ("/usr/bin/tcsh", "tcsh"),
            Self::Ash => ("/bin/busybox", "busybox"),
            Self::Nologin => ("/usr/sbin/nologin", "login"),
        }
    }

    /// Returns the path of the login shell. `ash` is a symlink to busybox in `folder`.
    ///
    /// # Panics
    ///
    /// Panics with the name of the package if the shell is not installed.
    pub(crate) fn path(self, folder: &Path) -> PathBuf {
        let (program, package) = self.program();
        assert!(Path::new(program).exists(), "`{program}` is missing: `apt-get install {package}`");
        if self != Self::Ash {
            return program.into();
        }
        // busybox selects the applet by the name of the program.
        let applet = folder.join("ash");
        symlink(program, &applet).expect("the test owns the directory");
        applet
    }

    /// Returns `true` if the shell refuses every line.
    pub(crate) fn runs_nothing(self) -> bool {
        self == Self::Nologin
    }

    /// Returns `true` if the syntax of the shell differs from the syntax of `sh`.
    pub(crate) fn is_foreign(self) -> bool {
        matches!(self, Self::Fish | Self::Csh | Self::Tcsh)
    }

    /// Returns `true` if a quoted word cannot contain a line end in the syntax of the shell.
    pub(crate) fn refuses_line_ends(self) -> bool {
        matches!(self, Self::Csh | Self::Tcsh)
    }
}
