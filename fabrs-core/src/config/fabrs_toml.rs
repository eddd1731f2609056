//! [`Config`]: the content of `fabrs.toml`, read and checked before anything runs.

use std::io;
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};

use crate::config::did_you_mean::unknown_name_hint;
use crate::config::document::{Document, FILE_NAME};
use crate::config::environment;
use crate::config::environment::Environment;
use crate::config::regular_file::read_text;
use crate::config::vagrant::vagrantfile;
use crate::config::vars::Vars;

/// The keys at the top of the file.
const KEYS: [&str; 2] = ["vars", "env"];

/// The content of `fabrs.toml`. Empty without the file.
///
/// ```
/// use fabrs_core::config::Config;
///
/// let text = "[vars]\napp = 'shop'\n[env.staging]\nhosts = ['deploy@staging.example.com']";
/// let config = Config::parse(text, "fabrs.toml".as_ref())?;
/// assert_eq!(config.environment("staging")?.hosts()[0].user(), Some("deploy"));
/// assert_eq!(config.vars().text("app"), Some("shop"));
/// # Ok::<(), fabrs_core::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    vars: Vars,
    environments: Vec<Environment>,
}

impl Config {
    /// The name of the file, in the directory of `tasks.rs`.
    pub const FILE: &'static str = FILE_NAME;

    /// Reads the `fabrs.toml` of a directory.
    ///
    /// # Errors
    ///
    /// As [`Config::load`].
    pub fn find(root: &Path) -> Result<Self> {
        Self::load(&root.join(Self::FILE))
    }

    /// Reads a file. A missing file gives an empty configuration.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Config`] if the file exists but can't be read, is not a regular file, or is
    ///   larger than 4 MiB.
    /// - As [`Config::parse`].
    pub fn load(path: &Path) -> Result<Self> {
        match read_text(path) {
            Ok(text) => Self::parse(&text, path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(cause) => {
                let text = format!("could not read `{}`", path.display());
                Err(Error::new(ErrorKind::Config, text).caused_by(cause))
            }
        }
    }

    /// Parses a text. Errors name `file`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`], with the line, if the text is not TOML, has an unknown key, or has a
    /// value of the wrong type or with an invalid host.
    pub fn parse(text: &str, file: &Path) -> Result<Self> {
        let document = Document { file, text };
        let root = document.parse()?;
        let mut made = Self::default();
        let mut environments = Vec::new();
        for entry in document.entries(root.get_ref()) {
            match entry.key() {
                "vars" => made.vars = Vars::from_entry(&entry)?,
                "env" => environments = vec![entry],
                key if environment::KEYS.contains(&key) => {
                    let hint = format!("`{key}` is a setting of an environment: move it to `[env.NAME]`");
                    return Err(entry.unknown(&KEYS).hint(hint));
                }
                _ => return Err(entry.unknown(&KEYS)),
            }
        }
        // After the loop, because `[vars]` may follow the environments that use its values.
        for entry in environments {
            let read = |entry| Environment::from_entry(entry, &made.vars);
            made.environments = entry.entries()?.iter().map(read).collect::<Result<_>>()?;
        }
        Ok(made)
    }

    /// Adds the built-in environment `vagrant`, if `folder` contains a Vagrantfile and
    /// `fabrs.toml` has no `[env.vagrant]`.
    ///
    /// All Vagrant machines are hosts of the environment, as with `vagrant = true`, and every
    /// machine is in every role. This method does not run Vagrant. Parent directories of `folder`
    /// are not searched.
    ///
    /// ```
    /// use fabrs_core::config::{Config, Environment};
    ///
    /// let folder = tempfile::tempdir()?;
    /// std::fs::write(folder.path().join("Vagrantfile"), "")?;
    /// let config = Config::find(folder.path())?.with_vagrant_environment(folder.path());
    /// assert!(config.environment(Environment::VAGRANT_NAME).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_vagrant_environment(mut self, folder: &Path) -> Self {
        if self.environment(Environment::VAGRANT_NAME).is_err() && vagrantfile::is_in(folder) {
            self.environments.push(Environment::built_in_vagrant(self.vars.clone()));
        }
        self
    }

    /// Returns the variables at the top of the file.
    pub fn vars(&self) -> &Vars {
        &self.vars
    }

    /// Returns all environments, in the order of the file. A built-in environment is the last.
    pub fn environments(&self) -> &[Environment] {
        &self.environments
    }

    /// Returns an environment.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] if there is no environment of this name.
    pub fn environment(&self, name: &str) -> Result<&Environment> {
        self.environments.iter().find(|environment| environment.name() == name).ok_or_else(|| {
            let names = self.environments.iter().map(Environment::name);
            let hint = if self.environments.is_empty() {
                format!("add `[env.{name}]` to `fabrs.toml`")
            } else {
                unknown_name_hint(name, names, "environments")
            };
            Error::new(ErrorKind::Usage, format!("unknown environment `{name}`")).hint(hint)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Config> {
        Config::parse(text, Path::new("fabrs.toml"))
    }

    const SHOP: &str = "
        [vars]
        app = 'shop'
        domain = 'localhost'
        [env.staging]
        hosts = ['deploy@staging.example.com']
        [env.production]
        protected = true
        gateway = 'bastion.example.com'
        roles.web = ['web1', 'web2']
        roles.db = ['db1']
        vars.domain = 'shop.example.com'
    ";

    #[test]
    fn environments_keep_the_order_of_the_file() {
        let config = parse(SHOP).unwrap();
        assert_eq!(config.environments().iter().map(Environment::name).collect::<Vec<_>>(), ["staging", "production"]);
    }

    #[test]
    fn environment_vars_override_top_level_vars_in_any_order() {
        let config = parse(SHOP).unwrap();
        let text = |environment: &str, name: &str| {
            config.environment(environment).unwrap().vars().text(name).map(str::to_owned)
        };
        assert_eq!(text("staging", "domain").as_deref(), Some("localhost"));
        assert_eq!(text("production", "domain").as_deref(), Some("shop.example.com"));
        assert_eq!(text("production", "app").as_deref(), Some("shop"));
        let below = parse("[env.a]\n[vars]\napp = 'shop'").unwrap();
        assert_eq!(below.environment("a").unwrap().vars().text("app"), Some("shop"));
    }

    #[track_caller]
    fn refused(text: &str, block: &str) {
        let error = parse(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert_eq!(error.block().to_string(), block);
    }

    #[test]
    fn an_invalid_freeze_window_is_reported_with_its_line_the_text_and_an_example() {
        refused(
            "[env.a]\nfreeze = [\n'Fri 15:00 - Mon 08:00 UTC',\n'Fri 15:00 - Mon 08:00']",
            "error: fabrs.toml:4: invalid freeze window in `env.a.freeze`\n\
             \x20 caused by: `Fri 15:00 - Mon 08:00`: the time zone is missing\n\
             hint: write for example `Fri 15:00 - Mon 08:00 Australia/Sydney`, or \
             `2026-12-24 - 2027-01-02 Europe/Berlin`",
        );
        refused(
            "env.a.freeze = 'Fri 15:00 - Mon 08:00 UTC'",
            "error: fabrs.toml:1: `env.a.freeze` must be a list of freeze windows, found: string\n\
             hint: write `freeze = [\"Fri 15:00 - Mon 08:00 UTC\"]`",
        );
        refused(
            "env.a.freeze = [\n5]",
            "error: fabrs.toml:2: `env.a.freeze` must be a list of freeze windows, found: integer",
        );
    }

    #[test]
    fn invalid_toml_is_reported_with_its_line() {
        refused(
            "[vars]\napp = ",
            "error: fabrs.toml:2: invalid TOML\n  caused by: string values must be quoted, expected literal string",
        );
        refused("[vars]\n\n[vars]", "error: fabrs.toml:3: invalid TOML\n  caused by: duplicate key");
    }

    #[test]
    fn a_byte_order_mark_and_crlf_line_ends_are_accepted() {
        let config = parse("\u{feff}[env.a]\r\nhosts = ['web1']\r\n").unwrap();
        assert_eq!(config.environments().len(), 1);
        refused(
            "\u{feff}[env.a]\r\n\r\nuser = 1\r\n",
            "error: fabrs.toml:3: `env.a.user` must be a string, found: integer",
        );
    }

    #[test]
    fn an_unknown_key_is_reported_with_line_and_suggestion() {
        refused(
            "[vars]\n\n[env.staging]\nhots = ['a']\n",
            "error: fabrs.toml:4: unknown key `hots` in `[env.staging]`\nhint: did you mean `hosts`?",
        );
        refused("[evn.x]", "error: fabrs.toml:1: unknown key `evn`\nhint: did you mean `env`?");
        refused("\ncolour = 1", "error: fabrs.toml:2: unknown key `colour`\nhint: known keys: `vars`, `env`");
        refused(
            "env.a.colour = 1",
            "error: fabrs.toml:1: unknown key `colour` in `[env.a]`\n\
             hint: known keys: `hosts`, `roles`, `vagrant`, `user`, `port`, `gateway`, `ssh_config`, `identity`, `connect_timeout`, `forward_agent`, `virtualenv`, `shell`, `sudo`, `sudo_password_command`, `protected`, `freeze`, `vars`, `host`",
        );
    }

    #[test]
    fn the_first_mistake_in_the_file_is_reported() {
        refused(
            "[env.z]\nzzzz = 1\n[env.a]\naaaa = 1",
            "error: fabrs.toml:2: unknown key `zzzz` in `[env.z]`\n\
             hint: known keys: `hosts`, `roles`, `vagrant`, `user`, `port`, `gateway`, `ssh_config`, `identity`, `connect_timeout`, `forward_agent`, `virtualenv`, `shell`, `sudo`, `sudo_password_command`, `protected`, `freeze`, `vars`, `host`",
        );
    }

    #[test]
    fn a_misplaced_key_has_a_hint_with_its_table() {
        refused(
            "hosts = ['a']",
            "error: fabrs.toml:1: unknown key `hosts`\n\
             hint: `hosts` is a setting of an environment: move it to `[env.NAME]`",
        );
        refused(
            "virtualenv = '/x'",
            "error: fabrs.toml:1: unknown key `virtualenv`\n\
             hint: `virtualenv` is a setting of an environment: move it to `[env.NAME]`",
        );
    }

    #[test]
    fn an_unknown_environment_has_a_suggestion_or_a_list() {
        let hint = |text: &str, name: &str| {
            let error = parse(text).unwrap().environment(name).unwrap_err();
            assert_eq!(error.exit_code().code(), 2);
            error.block().to_string()
        };
        let near = "error: unknown environment `prodction`\nhint: did you mean `production`?";
        assert_eq!(hint(SHOP, "prodction"), near);
        let list = "error: unknown environment `qa`\nhint: environments: `staging`, `production`";
        assert_eq!(hint(SHOP, "qa"), list);
        assert_eq!(hint("", "qa"), "error: unknown environment `qa`\nhint: add `[env.qa]` to `fabrs.toml`");
    }

    #[test]
    fn a_missing_file_is_empty_and_an_unreadable_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Config::find(folder.path()).unwrap(), Config::default());
        let path = folder.path().join(Config::FILE);
        std::fs::write(&path, b"[vars]\napp = '\xff'").unwrap();
        let block = Config::find(folder.path()).unwrap_err().block().to_string();
        let expected =
            format!("error: could not read `{}`\n  caused by: stream did not contain valid UTF-8", path.display());
        assert_eq!(block, expected);
    }

    #[test]
    fn a_fifo_is_refused_without_waiting_for_its_writer() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(Config::FILE);
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR, 0).unwrap();
        let error = Config::find(folder.path()).unwrap_err();
        assert_eq!(
            error.block().to_string(),
            format!("error: could not read `{}`\n  caused by: a FIFO, not a regular file", path.display())
        );
    }

    /// Random combinations of parts of a configuration file.
    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "[env.a]",
            "[env]",
            "[[env]]",
            "[vars]",
            "env",
            "vars",
            "hosts",
            "roles",
            "port",
            "gateway",
            "vagrant",
            ".",
            " = ",
            "\n",
            "\r\n",
            "'",
            "\"\"\"",
            "[",
            "]",
            "{",
            "}",
            ",",
            "22",
            "1e9",
            "0x_",
            "true",
            "1979-05-27",
            "€",
            "'web1'",
            "'@local'",
            "\u{feff}",
            "#",
            "\\u",
            "\0",
        ]);
        prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn no_text_panics_and_every_error_names_the_file(text in prop_oneof![any::<String>(), pieces()]) {
            match parse(&text) {
                Ok(config) => drop(config.vars().read::<toml::Table>()),
                Err(error) => {
                    prop_assert_eq!(error.kind(), ErrorKind::Config);
                    prop_assert!(error.to_string().starts_with("fabrs.toml:"), "{}", error.block());
                }
            }
        }
    }
}
