//! The [`Python`] plugin: installs the requirements of a release into a virtualenv.

use fabrs::{Error, Hide, TaskError, cmd};

use super::requirements::{REQUIREMENTS_SCRIPT, Requirements};
use crate::plugin::Plugin;
use crate::site::Site;
use crate::step::{App, DeployStep, StepFuture};

/// A virtualenv with the requirements of a release.
///
/// The directory `venvs` of the site has one virtualenv for each set of requirements. The symlink
/// `env` of a release selects its virtualenv:
///
/// - A deploy with unchanged requirements installs nothing.
/// - A rollback also restores the old packages.
/// - The virtualenv of the live release is never changed.
/// - A release with a local requirement, such as `-e .`, has a separate virtualenv.
///
/// The host needs `uv`, or else `python3` with `venv` and `pip`. Start services with the Python of
/// `current`, for example `/srv/shop/current/env/bin/python -m gunicorn`. The services then load
/// the packages of the live release.
///
/// ```
/// use fabrs_deploy::{Python, Site};
///
/// let site = Site::new("/srv/shop").with(Python::new().requirements("requirements.txt"));
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
#[must_use = "a plugin does nothing until `Site::with` adds it to a site"]
pub struct Python {
    interpreter: String,
    files: Vec<String>,
    pip_options: Vec<String>,
}

impl Python {
    /// Creates a plugin for a virtualenv of the host's `python3`, without requirements.
    ///
    /// ```
    /// # use fabrs_deploy::Python;
    /// assert!(format!("{:?}", Python::new()).contains("python3"));
    /// ```
    pub fn new() -> Self {
        Self { interpreter: "python3".to_owned(), files: Vec::new(), pip_options: Vec::new() }
    }

    /// Sets the Python interpreter of the virtualenv: a command or a path on the host. Defaults to
    /// `python3`.
    ///
    /// ```
    /// # use fabrs_deploy::Python;
    /// let python = Python::new().interpreter("/opt/python/bin/python3.12");
    /// assert!(format!("{python:?}").contains("/opt/python/bin/python3.12"));
    /// ```
    pub fn interpreter(mut self, interpreter: impl Into<String>) -> Self {
        self.interpreter = interpreter.into();
        self
    }

    /// Adds a requirements file of the release (`pip install --requirement`).
    ///
    /// A requirement that is not pinned to one version causes a warning, since another host or a
    /// later deploy may install another version.
    ///
    /// ```
    /// # use fabrs_deploy::Python;
    /// let python = Python::new()
    ///     .requirements("requirements.txt")
    ///     .requirements("deploy/extra.txt");
    /// assert!(format!("{python:?}").contains("deploy/extra.txt"));
    /// ```
    pub fn requirements(mut self, file: impl Into<String>) -> Self {
        self.files.push(file.into());
        self
    }

    /// Adds an option of `pip install` and `uv pip install`.
    ///
    /// ```
    /// # use fabrs_deploy::Python;
    /// let python = Python::new().requirements("requirements.txt").pip_option("--no-index");
    /// assert!(format!("{python:?}").contains("--no-index"));
    /// ```
    pub fn pip_option(mut self, option: impl Into<String>) -> Self {
        self.pip_options.push(option.into());
        self
    }

    async fn build(self, app: App) -> Result<(), TaskError> {
        let host = app.connection();
        let (interpreter, files) = (&self.interpreter, &self.files);
        let options = self.pip_options.join(" ");
        // A `run` and not a `probe`: in a dry run, the release and its files do not exist.
        let read = host.run(cmd!("{interpreter} - {options} {files...}")).stdin(REQUIREMENTS_SCRIPT);
        let output = read.named("read the requirements").hide(Hide::Stdout).await?;
        let requirements = if output.was_run() { Requirements::parse(&output)? } else { Requirements::placeholder() };
        for unpinned in &requirements.unpinned {
            if let (Some(client), Some(name)) = (host.client(), host.host()) {
                client.warn(Some(name), format!("not pinned to a version: `{unpinned}`"));
            }
        }
        let key =
            if requirements.is_local { format!("{}-{}", requirements.key, app.release()) } else { requirements.key };
        self.install(&app, &key).await?;
        Ok(())
    }

    /// Creates the virtualenv of a key, unless a complete virtualenv exists, and links the release
    /// to it.
    async fn install(&self, app: &App, key: &str) -> Result<(), Error> {
        let (link, release) = (format!("{}/venvs/{key}", app.root()), app.release());
        // A directory for each attempt: the installer of a killed run may still write to an older
        // directory.
        let venv = format!("{link}-{release}");
        let (interpreter, options) = (&self.interpreter, &self.pip_options);
        let files: Vec<String> =
            self.files.iter().flat_map(|file| ["--requirement".to_owned(), file.clone()]).collect();
        let create = if files.is_empty() {
            cmd!("{interpreter} -m venv {venv}")
        } else {
            cmd!(
                "if command -v uv > /dev/null; then \
                 uv venv --quiet --python {interpreter} {venv} && uv pip install --quiet --python {venv}/bin/python {options...} {files...}; \
                 else {interpreter} -m venv {venv} && {venv}/bin/python -m pip install --quiet --disable-pip-version-check {options...} {files...}; fi"
            )
        };
        let is_complete = cmd!("test -e {link}/.whole");
        let complete = cmd!("touch {venv}/.whole && ln -sfn {key}-{release} {link}");
        // Cleanup runs after a good deploy only. A failed installation would remain until then.
        let remove = cmd!("{{ rm -rf {venv}; exit 1; }}");
        let name = self.files.iter().fold("pip install".to_owned(), |text, file| text + " -r " + file);
        let install = app.connection().run(is_complete.or(create.and(complete).or(remove)));
        install.named(name).hide(Hide::Both).await?;
        let link_env = app.connection().run(cmd!("ln -sfn \"$(cd {link} && pwd -P)\" env"));
        link_env.named("link the virtualenv").await?;
        Ok(())
    }
}

impl Default for Python {
    fn default() -> Self {
        Self::new()
    }
}

impl DeployStep for Python {
    fn run(&self, app: App) -> StepFuture {
        Box::pin(self.clone().build(app))
    }
}

impl Plugin for Python {
    fn add_to(self, site: Site) -> Site {
        site.build(self).cleanup(|app: App| remove_unused(&app))
    }
}

/// Removes the virtualenvs used by no release.
fn remove_unused(app: &App) -> fabrs::Command {
    let root = app.root();
    app.connection()
        .run(cmd!(
            "cd {root}/venvs 2> /dev/null || exit 0; for venv in *; do [ -L \"$venv\" ] && continue; used=; \
         for env in ../releases/*/env ../env; do case $(readlink \"$env\") in */\"$venv\") used=yes ;; esac; done; \
         [ \"$used\" ] || rm -rf \"./$venv\"; done; for name in *; do [ -e \"$name\" ] || rm -f \"./$name\"; done"
        ))
        .named("remove unused virtualenvs")
}
