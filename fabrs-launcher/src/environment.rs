//! The one place of the launcher that looks at the process's environment.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use fabrs_project::FileTrust;

/// Variables that cargo must not see: they would move the binary, or compile all dependencies in another way.
///
/// `RUSTC_WORKSPACE_WRAPPER` is set where `fab` is started by `cargo clippy`.
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

/// Variables that choose the compiler.
const COMPILER_VARIABLES: [&str; 4] = ["CARGO_BUILD_RUSTC", "RUSTC", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"];

/// What of the process's environment matters to the launcher.
#[derive(Debug, Clone)]
pub struct ProcessEnvironment {
    variables: BTreeMap<OsString, OsString>,
    cwd: PathBuf,
    home: Option<PathBuf>,
    cache: Option<PathBuf>,
}

impl ProcessEnvironment {
    /// Takes that of this process.
    pub fn from_env() -> Self {
        Self {
            variables: env::vars_os().collect(),
            // Only used to shorten paths.
            cwd: env::current_dir().unwrap_or_default(),
            home: dirs::home_dir(),
            cache: dirs::cache_dir(),
        }
    }

    /// Makes one out of given variables, among them `FABRS_CACHE`, for somebody who stands in `cwd`.
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>, cwd: impl Into<PathBuf>) -> Self {
        let variables: BTreeMap<_, _> = variables.into_iter().collect();
        let home = variables.get(OsStr::new("HOME")).map(PathBuf::from);
        Self { variables, cwd: cwd.into(), home, cache: None }
    }

    /// Returns a variable that is set to something.
    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// Returns the folder that paths are shown relative to.
    pub fn cwd(&self) -> &Path {
        &self.cwd
    }

    /// Returns the folder of caches: `FABRS_CACHE`, or the user's.
    pub(crate) fn cache_folder(&self) -> Option<PathBuf> {
        self.get("FABRS_CACHE").map(|folder| self.cwd.join(folder)).or_else(|| self.cache.clone())
    }

    /// Returns the users and folders that are trusted.
    pub fn file_trust(&self) -> FileTrust {
        FileTrust::new(self.get(FileTrust::VARIABLE), self.get(FileTrust::SUDO_UID))
    }

    /// Returns the variables that decide whom [`trust`](Self::trust) trusts, on one line.
    pub(crate) fn trust_key(&self) -> String {
        format!("{:?} {:?}", self.escaped(FileTrust::VARIABLE), self.escaped(FileTrust::SUDO_UID))
    }

    /// Returns a variable's value on one line.
    pub(crate) fn escaped(&self, name: &str) -> Option<String> {
        self.get(name).map(|value| value.as_bytes().escape_ascii().to_string())
    }

    /// Returns cargo's own folder, whose configuration cargo reads by itself.
    pub(crate) fn cargo_home(&self) -> Option<PathBuf> {
        self.variable_or_home("CARGO_HOME", ".cargo")
    }

    /// Returns the file in which rustup keeps which toolchain is the default.
    pub(crate) fn rustup_settings(&self) -> Option<PathBuf> {
        Some(self.variable_or_home("RUSTUP_HOME", ".rustup")?.join("settings.toml"))
    }

    fn variable_or_home(&self, variable: &str, in_home: &str) -> Option<PathBuf> {
        self.get(variable).map(PathBuf::from).or_else(|| Some(self.home.as_ref()?.join(in_home)))
    }

    /// Finds cargo on the path, or else where its installer puts it: cron's path is short.
    pub(crate) fn find_cargo(&self) -> Option<PathBuf> {
        let path = self.get("PATH").unwrap_or_default();
        let usual = self.cargo_home().map(|home| home.join("bin"));
        env::split_paths(path).chain(usual).map(|folder| folder.join("cargo")).find(|file| is_program(file))
    }

    /// Returns the compiler that cargo will ask for.
    pub(crate) fn rustc(&self) -> &OsStr {
        self.get("RUSTC").or_else(|| self.get("CARGO_BUILD_RUSTC")).unwrap_or(OsStr::new("rustc"))
    }

    /// Returns the names of the variables that choose the compiler.
    pub(crate) fn compiler_variables() -> impl Iterator<Item = &'static str> {
        COMPILER_VARIABLES.into_iter()
    }

    /// Returns the variables that a given cargo, and what it starts, may see.
    pub(crate) fn variables_for_cargo(&self, cargo: &Path) -> BTreeMap<OsString, OsString> {
        let mut variables = self.variables.clone();
        variables.retain(|name, _| !name.to_str().is_some_and(is_hidden_from_cargo));

        // A cargo that was found beside the path looks for rustc on the path.
        let path = self.get("PATH").unwrap_or_default();
        let beside = cargo.parent().filter(|folder| !env::split_paths(path).any(|known| known == *folder));
        let folders = env::split_paths(path).chain(beside.map(Path::to_owned));
        // A folder with `:` in its name can't be on a path; then it stays as it is.
        if let Ok(path) = env::join_paths(folders) {
            variables.insert("PATH".into(), path);
        }
        variables
    }

    /// Tells whether colours are welcome on a terminal.
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
    fn cargo_does_not_see_what_moves_the_binary() {
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
    fn a_cargo_from_beside_the_path_is_put_on_it() {
        let seen = environment(&[("PATH", "/bin")]).variables_for_cargo(Path::new("/home/a/.cargo/bin/cargo"));
        assert_eq!(seen[OsStr::new("PATH")], "/bin:/home/a/.cargo/bin");
    }

    #[test]
    fn a_relative_cache_is_below_the_working_folder() {
        assert_eq!(environment(&[("FABRS_CACHE", "c")]).cache_folder(), Some(PathBuf::from("/here/c")));
        assert_eq!(environment(&[("FABRS_CACHE", "")]).cache_folder(), None);
    }

    #[test]
    fn no_colour_without_a_capable_terminal() {
        assert!(environment(&[("TERM", "xterm")]).allow_colour());
        assert!(!environment(&[("TERM", "dumb")]).allow_colour());
        assert!(!environment(&[]).allow_colour());
        assert!(!environment(&[("TERM", "xterm"), ("NO_COLOR", "1")]).allow_colour());
    }
}
