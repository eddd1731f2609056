//! The environment variables and default folders used by the launcher.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use fabrs_project::FileTrust;

/// Variables removed from the environment of cargo.
///
/// These variables would move the binary, or compile all dependencies with other flags.
/// `RUSTC_WORKSPACE_WRAPPER` is set if `cargo clippy` runs `fab`.
const HIDDEN_FROM_CARGO: [&str; 9] = [
    "CARGO_BUILD_BUILD_DIR",
    "CARGO_BUILD_DEP_INFO_BASEDIR",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_INCREMENTAL",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTFLAGS",
];

/// Variables that select the compiler.
const COMPILER_VARIABLES: [&str; 4] = ["CARGO_BUILD_RUSTC", "RUSTC", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"];

/// The environment of a process: variables, working directory, home, and cache folder.
#[derive(Debug, Clone)]
pub struct ProcessEnvironment {
    variables: BTreeMap<OsString, OsString>,
    cwd: PathBuf,
    home: Option<PathBuf>,
    default_cache: Option<PathBuf>,
}

impl ProcessEnvironment {
    /// Reads the environment of this process.
    pub fn from_env() -> Self {
        Self {
            variables: env::vars_os().collect(),
            // The working directory shortens displayed paths, and resolves a relative
            // `FABRS_CACHE`.
            cwd: env::current_dir().unwrap_or_default(),
            home: dirs::home_dir(),
            default_cache: dirs::cache_dir(),
        }
    }

    /// Creates an environment from variables and a working directory.
    ///
    /// The cache folder is `FABRS_CACHE`. Without this variable, there is no cache folder.
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>, cwd: impl Into<PathBuf>) -> Self {
        let variables: BTreeMap<_, _> = variables.into_iter().collect();
        let home = variables.get(OsStr::new("HOME")).map(PathBuf::from);
        Self { variables, cwd: cwd.into(), home, default_cache: None }
    }

    /// Returns the value of a variable, or `None` if the variable is unset or empty.
    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// Returns the working directory. Messages show paths relative to this directory.
    pub fn cwd(&self) -> &Path {
        &self.cwd
    }

    /// Returns the cache folder: `FABRS_CACHE`, or the user's default.
    pub(crate) fn cache_folder(&self) -> Option<PathBuf> {
        self.get("FABRS_CACHE").map(|folder| self.cwd.join(folder)).or_else(|| self.default_cache.clone())
    }

    /// Returns the trust settings, from `FABRS_TRUST` and `SUDO_UID`.
    pub fn file_trust(&self) -> FileTrust {
        FileTrust::new(self.get(FileTrust::FABRS_TRUST), self.get(FileTrust::SUDO_UID))
    }

    /// Returns the variables behind [`file_trust`](Self::file_trust), as one line of text.
    pub(crate) fn trust_key(&self) -> String {
        format!("{:?} {:?}", self.escaped(FileTrust::FABRS_TRUST), self.escaped(FileTrust::SUDO_UID))
    }

    /// Returns the value of a variable, escaped to one line.
    pub(crate) fn escaped(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| value.as_bytes().escape_ascii().to_string())
    }

    /// Returns the home of cargo. Cargo always reads the configuration in this folder.
    pub(crate) fn cargo_home(&self) -> Option<PathBuf> {
        self.variable_or_home("CARGO_HOME", ".cargo")
    }

    /// Returns the settings file of rustup, with the default toolchain.
    pub(crate) fn rustup_settings(&self) -> Option<PathBuf> {
        Some(self.variable_or_home("RUSTUP_HOME", ".rustup")?.join("settings.toml"))
    }

    fn variable_or_home(&self, variable: &str, in_home: &str) -> Option<PathBuf> {
        self.get(variable).map(PathBuf::from).or_else(|| Some(self.home.as_ref()?.join(in_home)))
    }

    /// Finds cargo on PATH, then in its default folder. The PATH of cron jobs is short.
    pub(crate) fn find_cargo(&self) -> Option<PathBuf> {
        let path = self.get("PATH").unwrap_or_default();
        let usual = self.cargo_home().map(|home| home.join("bin"));
        env::split_paths(path).chain(usual).map(|folder| folder.join("cargo")).find(|file| is_program(file))
    }

    /// Returns the compiler used by cargo.
    pub(crate) fn rustc(&self) -> &OsStr {
        self.get("RUSTC").or_else(|| self.get("CARGO_BUILD_RUSTC")).unwrap_or(OsStr::new("rustc"))
    }

    /// Returns the names of the variables that select the compiler.
    pub(crate) fn compiler_variables() -> impl Iterator<Item = &'static str> {
        COMPILER_VARIABLES.into_iter()
    }

    /// Returns the environment for the cargo program `cargo` and its child processes.
    pub(crate) fn variables_for_cargo(&self, cargo: &Path) -> BTreeMap<OsString, OsString> {
        let mut variables = self.variables.clone();
        variables.retain(|name, _| !name.to_str().is_some_and(is_hidden_from_cargo));

        // Cargo searches PATH for rustc, so the folder of cargo must be on PATH.
        let path = self.get("PATH").unwrap_or_default();
        let beside = cargo.parent().filter(|folder| !env::split_paths(path).any(|known| known == *folder));
        let folders = env::split_paths(path).chain(beside.map(Path::to_owned));
        // PATH can't hold a folder with `:` in its name. In this case PATH stays unchanged.
        if let Ok(path) = env::join_paths(folders) {
            variables.insert("PATH".into(), path);
        }
        variables
    }

    /// Returns true if output on a terminal may have colours (`NO_COLOR`, `TERM`).
    pub(crate) fn allow_colour(&self) -> bool {
        self.get("NO_COLOR").is_none() && self.get("TERM").is_some_and(|term| term != "dumb")
    }
}

fn is_hidden_from_cargo(name: &str) -> bool {
    HIDDEN_FROM_CARGO.contains(&name)
        || name.starts_with("CARGO_PROFILE_")
        || name.starts_with("CARGO_TARGET_") && name.ends_with("_RUSTFLAGS")
}

fn is_program(file: &Path) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> ProcessEnvironment {
        ProcessEnvironment::new(variables.iter().map(|(name, value)| (name.into(), value.into())), "/here")
    }

    #[test]
    fn variables_that_move_the_binary_are_hidden_from_cargo() {
        let seen = environment(&[
            ("RUSTFLAGS", "-D warnings"),
            ("CARGO_BUILD_TARGET", "wasm32-unknown-unknown"),
            ("CARGO_PROFILE_DEV_DEBUG", "2"),
            ("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS", "-g"),
            ("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER", "cc"),
            ("CARGO_HTTP_PROXY", "proxy"),
            ("PATH", "/usr/bin"),
        ])
        .variables_for_cargo(Path::new("/usr/bin/cargo"));
        let names: Vec<_> = seen.keys().filter_map(|name| name.to_str()).collect();
        assert_eq!(names, ["CARGO_HTTP_PROXY", "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER", "PATH"]);
    }

    #[test]
    fn the_folder_of_cargo_is_added_to_path() {
        let seen = environment(&[("PATH", "/bin")]).variables_for_cargo(Path::new("/home/a/.cargo/bin/cargo"));
        assert_eq!(seen[OsStr::new("PATH")], "/bin:/home/a/.cargo/bin");
    }

    #[test]
    fn a_relative_cache_folder_is_resolved_against_the_working_directory() {
        assert_eq!(environment(&[("FABRS_CACHE", "c")]).cache_folder(), Some(PathBuf::from("/here/c")));
        assert_eq!(environment(&[("FABRS_CACHE", "")]).cache_folder(), None);
    }

    #[test]
    fn colours_need_a_capable_terminal() {
        assert!(environment(&[("TERM", "xterm")]).allow_colour());
        assert!(!environment(&[("TERM", "dumb")]).allow_colour());
        assert!(!environment(&[]).allow_colour());
        assert!(!environment(&[("TERM", "xterm"), ("NO_COLOR", "1")]).allow_colour());
    }
}
