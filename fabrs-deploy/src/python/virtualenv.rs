//! The virtualenv of a release: shared by all releases with the same requirements, and never changed under a live one.

use fabrs::{Error, Hide, TaskError, cmd};

use super::requirements::{REQUIREMENTS_SCRIPT, Requirements};
use crate::plugin::Plugin;
use crate::site::Site;
use crate::step::{App, DeployStep, StepFuture};

/// Python, and what is installed for the application.
///
/// Each release has a virtualenv `env`, a symlink into `venvs` of the site, where there is one for each set of requirements: one
/// that is unchanged is not installed again (unless it has something of the release itself, as `-e .`), and going back brings the old packages back too. It is made by `uv` where the
/// host has that, else by `python3 -m venv`. Start services by the path that goes through `current`,
/// `/srv/shop/current/env/bin/python -m gunicorn`: then they find the packages of the release that is live.
///
/// ```
/// use fabrs_deploy::{Python, Site};
///
/// let site = Site::new("/srv/shop").with(Python::new().requirements("requirements.txt"));
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
#[must_use = "it does nothing until a site has it"]
pub struct Python {
    interpreter: String,
    files: Vec<String>,
    pip_options: Vec<String>,
}

impl Python {
    /// Takes the `python3` of the host, and no requirements.
    pub fn new() -> Self {
        Self { interpreter: "python3".to_owned(), files: Vec::new(), pip_options: Vec::new() }
    }

    /// Makes the virtualenv with this Python of the host: `python3.12`, `/opt/python/bin/python3`.
    pub fn interpreter(mut self, interpreter: impl Into<String>) -> Self {
        self.interpreter = interpreter.into();
        self
    }

    /// Installs what a file of the release names (`pip install --requirement`); may be said several times. What is not pinned to
    /// one version is warned of, since another host, or another day, may get another one.
    pub fn requirements(mut self, file: impl Into<String>) -> Self {
        self.files.push(file.into());
        self
    }

    /// Gives an option to `pip install`, or `uv pip install`: `--no-index`.
    pub fn pip_option(mut self, option: impl Into<String>) -> Self {
        self.pip_options.push(option.into());
        self
    }

    async fn build(self, app: App) -> Result<(), TaskError> {
        let host = app.connection();
        let (program, files) = (&self.interpreter, &self.files);
        // A change as far as a dry run goes: the files are those of a release that is not there then.
        let options = self.pip_options.join(" ");
        let look = host.run(cmd!("{program} - {options} {files...}")).stdin(REQUIREMENTS_SCRIPT);
        let look = look.named("read the requirements").hide(Hide::Stdout);
        let said = look.await?;
        let requirements = if said.was_run() { Requirements::parse(&said)? } else { Requirements::placeholder() };
        for unpinned in &requirements.unpinned {
            if let (Some(client), Some(first)) = (host.client(), host.host()) {
                client.warn(Some(first), format!("not pinned to a version: `{unpinned}`"));
            }
        }
        let key =
            if requirements.is_local { format!("{}-{}", requirements.key, app.release()) } else { requirements.key };
        self.install(&app, &key).await?;
        Ok(())
    }

    /// Makes the virtualenv for a key, unless it is there and whole, and gives it to the release.
    async fn install(&self, app: &App, key: &str) -> Result<(), Error> {
        let (known, release) = (format!("{}/venvs/{key}", app.root()), app.release());
        // In a folder of its own for each try: of a run that was killed the installer may still be at work in another.
        let venv = format!("{known}-{release}");
        let (program, options) = (&self.interpreter, &self.pip_options);
        let files: Vec<String> =
            self.files.iter().flat_map(|file| ["--requirement".to_owned(), file.clone()]).collect();
        let make = if files.is_empty() {
            cmd!("{program} -m venv {venv}")
        } else {
            cmd!(
                "if command -v uv > /dev/null; then \
                 uv venv --quiet --python {program} {venv} && uv pip install --quiet --python {venv}/bin/python {options...} {files...}; \
                 else {program} -m venv {venv} && {venv}/bin/python -m pip install --quiet --disable-pip-version-check {options...} {files...}; fi"
            )
        };
        let whole = cmd!("test -e {known}/.whole");
        let name = cmd!("touch {venv}/.whole && ln -sfn {key}-{release} {known}");
        // A failed installation must not stay until the next good deploy.
        let broken = cmd!("{{ rm -rf {venv}; exit 1; }}");
        let what = self.files.iter().fold("pip install".to_owned(), |text, file| text + " -r " + file);
        let install = app.connection().run(whole.or(make.and(name).or(broken)));
        install.named(what).hide(Hide::Both).await?;
        let link = app.connection().run(cmd!("ln -sfn \"$(cd {known} && pwd -P)\" env"));
        link.named("link the virtualenv").await?;
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

/// Removes virtualenvs that no release has any more.
fn remove_unused(app: &App) -> fabrs::Command {
    let root = app.root();
    app.connection().run(cmd!(
        "cd {root}/venvs 2> /dev/null || exit 0; for venv in *; do [ -L \"$venv\" ] && continue; used=; \
         for env in ../releases/*/env ../env; do case $(readlink \"$env\") in */\"$venv\") used=yes ;; esac; done; \
         [ \"$used\" ] || rm -rf \"./$venv\"; done; for name in *; do [ -e \"$name\" ] || rm -f \"./$name\"; done"
    ))
}
