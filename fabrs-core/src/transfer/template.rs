//! [`Template`]: a Jinja template that is rendered for each host.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use serde::Serialize;

use super::template_vars::TemplateVars;
use super::tilde::expand_tilde;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::REDACTED;

/// A Jinja template, rendered by [minijinja](https://docs.rs/minijinja) for each host of an upload.
///
/// The variables are those of [`set`](Self::set), the `vars` of the host in `fabrs.toml`, and
/// `host`, the name of the host. An unknown variable is an error. `{% include %}`, `{% extends %}`
/// and `{% import %}` read files in the directory of the template. Values are not escaped, and the
/// last newline is kept.
///
/// ```
/// # use fabrs_core::Client;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
/// # let dir = tempfile::tempdir().unwrap();
/// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
/// use fabrs_core::Template;
///
/// let conf = Template::text("listen {{ port }};\nserver_name {{ names | join(' ') }};\n")
///     .set("port", 8000)
///     .set("names", ["shop.example.com", "www.example.com"]);
/// host.put(conf, "shop.conf").await?;
/// let expected = "listen 8000;\nserver_name shop.example.com www.example.com;\n";
/// assert_eq!(host.read("shop.conf").await?, expected);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Template {
    text: TemplateText,
    values: BTreeMap<String, Value>,
}

#[derive(Clone)]
enum TemplateText {
    File(PathBuf),
    Inline(String),
}

/// The name of a template without a file, for messages.
const UNNAMED: &str = "a template";

impl Template {
    /// Creates a template from a local file. A leading `~/` is the home of the local user.
    ///
    /// In a target directory, `conf/shop.conf.j2` gets the name `shop.conf`.
    ///
    /// ```
    /// # use fabrs_core::Template;
    /// assert_eq!(Template::file("conf/shop.conf.j2").to_string(), "conf/shop.conf.j2");
    /// ```
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self { text: TemplateText::File(path.into()), values: BTreeMap::new() }
    }

    /// Creates a template from a string.
    ///
    /// ```
    /// # use fabrs_core::Template;
    /// assert_eq!(Template::text("host = {{ host }}").to_string(), "a template");
    /// ```
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: TemplateText::Inline(text.into()), values: BTreeMap::new() }
    }

    /// Sets a variable to any value that `serde` can serialize. The value takes precedence over the
    /// variables of the host.
    ///
    /// With a [`Secret`](crate::Secret), the upload fails with
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage).
    ///
    /// ```
    /// # use fabrs_core::Client;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> fabrs_core::Result<()> {
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let host = Client::builder().build().local()?.cd(dir.path().to_str().unwrap());
    /// # use fabrs_core::Template;
    /// let conf = Template::text("{{ host }}").set("host", "www.example.com");
    /// host.put(conf, "name").await?;
    /// assert_eq!(host.read("name").await?, "www.example.com");
    /// # Ok(()) }
    /// ```
    pub fn set(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        self.values.insert(name.into(), Value::from_serialize(value));
        self
    }

    /// Renders the template. This blocks.
    pub(crate) fn render(&self, vars: &TemplateVars) -> Result<String> {
        let failed = || Error::new(ErrorKind::Local, format!("could not render {self}"));
        // A secret is serialized as `REDACTED`, so the file would contain this text instead of the
        // secret.
        if let Some((name, _)) = self.values.iter().find(|(_, value)| value.to_string().contains(REDACTED)) {
            let text = format!("variable `{name}` of {self} contains a `Secret`");
            let error = Error::new(ErrorKind::Usage, text);
            return Err(error.hint(
                "upload the secret itself (`put(&secret, target)`), or set `secret.expose()`: diffs then show the value",
            ));
        }
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_keep_trailing_newline(true);
        let (directory, name, text) = match &self.text {
            TemplateText::Inline(text) => (PathBuf::from("."), UNNAMED.to_owned(), text.clone()),
            TemplateText::File(path) => {
                let path = expand_tilde(path);
                let text = std::fs::read_to_string(&path).map_err(|source| failed().caused_by(source))?;
                let directory = path.parent().unwrap_or(Path::new("")).to_owned();
                (directory, path.display().to_string(), text)
            }
        };
        environment.set_loader(minijinja::path_loader(directory));
        let values: BTreeMap<_, _> = vars
            .values()
            .map(|(name, value)| (name, Value::from_serialize(value)))
            .chain(self.values.iter().map(|(name, value)| (name.as_str(), value.clone())))
            .collect();
        let rendered = environment.render_named_str(&name, &text, &values);
        rendered.map_err(|source| {
            let unknown = match environment.template_from_named_str(&name, &text) {
                Ok(template) if source.kind() == minijinja::ErrorKind::UndefinedError => {
                    template.undeclared_variables(true)
                }
                _ => HashSet::new(),
            };
            let mut unknown: Vec<_> =
                unknown.into_iter().filter(|name| !values.contains_key(root_variable(name))).collect();
            unknown.sort();
            let error = failed().caused_by(source);
            if unknown.is_empty() {
                return error;
            }
            let vars: Vec<_> = values.keys().copied().collect();
            error.hint(format!(
                "set `{}` with `.set(name, value)`; known variables: `{}`",
                unknown.join("`, `"),
                vars.join("`, `")
            ))
        })
    }
}

/// Returns the first part of a dotted name: `app` of `app.user`.
fn root_variable(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.text {
            TemplateText::File(path) => write!(f, "{}", path.display()),
            TemplateText::Inline(_) => f.write_str(UNNAMED),
        }
    }
}

impl fmt::Debug for Template {
    /// Shows no values: a value may be confidential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").field("text", &self.to_string()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_variable_is_an_error() {
        let secret = crate::secret::Secret::new("hunter2-hunter2");
        for value in [serde_json::json!(secret), serde_json::json!({ "password": [secret] })] {
            let error =
                Template::text("x={{ token }}").set("token", value).render(&vars()).expect_err("a secret variable");
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(error.to_string().contains("variable `token` of a template contains a `Secret`"), "{error}");
        }
    }

    fn vars() -> TemplateVars {
        TemplateVars::new([("host", "web1".into()), ("app", serde_json::json!({ "name": "shop" }))])
    }

    #[track_caller]
    fn case(text: &str, expected: &str) {
        let rendered = Template::text(text).set("port", 80).set("names", ["a", "<b>"]).render(&vars());
        assert_eq!(rendered.map_err(|error| error.to_string()).as_deref(), Ok(expected));
    }

    #[test]
    fn variables_are_rendered_without_escapes() {
        case("listen {{ port }};\n", "listen 80;\n");
        case("{% for name in names %}{{ name }} {% endfor %}", "a <b> ");
        case("{{ app.name }} on {{ host }}", "shop on web1");
        case("{{ app.user | default('www') }}", "www");
    }

    #[test]
    fn a_set_variable_overrides_a_host_variable() {
        let rendered = Template::text("{{ host }}").set("host", "other").render(&vars());
        assert_eq!(rendered.unwrap(), "other");
    }

    #[test]
    fn an_unknown_variable_is_an_error_with_its_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.j2");
        std::fs::write(&path, "a\n{{ nobody }}\n").unwrap();
        let error = Template::file(&path).render(&vars()).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("undefined value") && cause.contains("x.j2:2"), "{cause}");
        let hint = "hint: set `nobody` with `.set(name, value)`; known variables: `app`, `host`";
        assert!(error.block().to_string().ends_with(hint), "{}", error.block());
    }

    #[test]
    fn a_template_includes_files_of_its_directory() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("x.j2"), "{% include 'part.j2' %}!").unwrap();
        std::fs::write(directory.path().join("part.j2"), "{{ host }}").unwrap();
        assert_eq!(Template::file(directory.path().join("x.j2")).render(&vars()).unwrap(), "web1!");
    }
}
