//! The database URL in an environment file of a host.

use fabrs::{Connection, Error, ErrorKind, Hide, Secret};

use super::url::DatabaseUrl;
use crate::remote_script::with_arguments;

/// A database URL, and the path of the file with the URL.
#[derive(Debug, Clone)]
pub(super) struct EnvFileUrl {
    pub(super) url: DatabaseUrl,
    /// The absolute path without symbolic links.
    pub(super) file: String,
}

/// Reads a variable from the first existing file. No other line leaves the host.
///
/// # Errors
///
/// [`ErrorKind::Usage`] for an invalid name of the variable, [`ErrorKind::Exit`] if no file exists
/// or is readable, [`ErrorKind::Config`] if the variable is missing or is no database URL.
pub(super) async fn read(connection: &Connection, files: &[String], variable: &str) -> Result<EnvFileUrl, Error> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if variable.is_empty() || !variable.chars().all(is_name) {
        return Err(Error::new(
            ErrorKind::Usage,
            format!("invalid variable name `{variable}` in `Database::from_env_file`"),
        )
        .hint("use letters, digits and `_`"));
    }
    let arguments = [&[variable.to_owned()], files].concat();
    let script = with_arguments(arguments, include_str!("scripts/read_env.sh"));
    let shown = files.first().map(String::as_str).unwrap_or_default();
    let label = format!("read {variable} in {shown}");
    let output = connection.with_shell("sh -c").probe(script).named(label).hide(Hide::Both).capture_all().await?;
    let text = output.stdout()?;
    let (file, lines) = text.split_once('\n').unwrap_or((&text, ""));
    let in_file = |error: Error| {
        let located = Error::new(error.kind(), format!("{variable} in {file}: {}", error.message())).on(output.host());
        located.hint(error.hint_text().unwrap_or_default().to_owned())
    };
    let value = parse_value(lines, variable).map_err(in_file)?;
    if let Some(client) = connection.client() {
        client.add_secret(&value);
    }
    let url = DatabaseUrl::parse(value.expose()).map_err(in_file)?;
    Ok(EnvFileUrl { url, file: file.to_owned() })
}

/// Returns the value of the last line, as a shell and systemd do.
fn parse_value(lines: &str, variable: &str) -> Result<Secret, Error> {
    let config_error = |text: &str| Error::new(ErrorKind::Config, text.to_owned());
    let line = lines.lines().last().ok_or_else(|| {
        config_error("the variable is not set").hint("add a line `NAME=postgres://USER:PASSWORD@HOST/NAME`")
    })?;
    // Programs disagree about the substitution of variables.
    let value = line.split_once('=').map_or("", |(_, value)| value.trim());
    if value.contains('$') && !value.starts_with('\'') {
        return Err(config_error("unquoted `$` in the value").hint("write `$` in a URL as `%24`"));
    }
    let parsed = dotenvy::from_read_iter(line.as_bytes()).next();
    match parsed {
        Some(Ok((name, value))) if name == variable => Ok(Secret::new(value)),
        // The error of the parser contains the line.
        _ => Err(config_error("cannot parse the line").hint("write the value in single quotes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(lines: &str) -> Result<String, Error> {
        parse_value(lines, "DATABASE_URL").map(|value| value.expose().to_owned())
    }

    #[test]
    fn the_last_definition_of_a_variable_applies() {
        assert_eq!(value("DATABASE_URL=mysql://a/b\nexport DATABASE_URL = 'mysql://c/$d'\n").unwrap(), "mysql://c/$d");
        assert_eq!(value("DATABASE_URL=\"sqlite:///a b\" # the file").unwrap(), "sqlite:///a b");
    }

    #[test]
    fn a_missing_or_ambiguous_value_is_an_error_without_the_value() {
        for lines in ["", "DATABASE_URL=hunter22$x", "DATABASE_URL=\"hunter22'$x\"", "DATABASE_URL='hunter22"] {
            let error = value(lines).expect_err(lines);
            assert!(!format!("{error:?} {error}").contains("hunter22"), "{error:?}");
        }
    }
}
