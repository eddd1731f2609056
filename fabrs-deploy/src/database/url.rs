//! [`DatabaseUrl`]: the parts of a database URL.

use fabrs::{Error, ErrorKind, Secret};
use percent_encoding::percent_decode_str;
use url::Url;

use super::engine::Engine;

/// The parts of a database URL: the engine, the name, and the settings of its client programs.
#[derive(Debug, Clone)]
pub(super) struct DatabaseUrl {
    /// The host of the server. `None` for a socket and for a file.
    host: Option<String>,
    port: Option<u16>,
    pub(super) engine: Engine,
    /// The name of the database, or the path of the file.
    pub(super) name: String,
    /// Environment variables of the client programs, without the password.
    pub(super) variables: Vec<(&'static str, String)>,
    /// The content of the credentials file: a password file of libpq, or an option file of MySQL.
    pub(super) credentials: Secret,
}

/// The parameters of a URL passed to libpq.
const POSTGRES_PARAMETERS: [(&str, &str); 4] =
    [("sslmode", "PGSSLMODE"), ("sslrootcert", "PGSSLROOTCERT"), ("sslcert", "PGSSLCERT"), ("sslkey", "PGSSLKEY")];

/// Parameters that would select another server or change the encryption, and are not supported.
const REFUSED_PARAMETERS: [&str; 5] = ["dbname", "hostaddr", "options", "passfile", "service"];

/// The user information, host and port of a URL, decoded.
struct UrlAuthority {
    user: Option<String>,
    password: Option<String>,
    host: Option<String>,
    port: Option<u16>,
}

impl DatabaseUrl {
    /// Parses a URL, such as `postgres://shop:PASSWORD@db1:5432/shop`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for an invalid URL. The error does not contain the URL, because the
    /// URL contains a password.
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let (scheme, rest) = text.split_once(':').ok_or_else(|| invalid("the scheme is missing"))?;
        let engine = Engine::from_scheme(scheme)
            .ok_or_else(|| invalid("unsupported scheme: use `postgres`, `mysql`, `mariadb` or `sqlite`"))?;
        if engine == Engine::Sqlite {
            return Self::sqlite(rest);
        }
        let url = Url::parse(text).map_err(|source| invalid(&source.to_string()))?;
        if url.fragment().is_some() {
            return Err(invalid("write `#` in the password as `%23`"));
        }
        let name = decode(url.path().trim_start_matches('/'))?;
        if name.is_empty() || name.contains('/') {
            return Err(invalid("expected one database name after the host: `/NAME`"));
        }
        let not_empty = |text: &str| Some(decode(text)).filter(|text| text.as_ref().is_ok_and(|text| !text.is_empty()));
        let authority = UrlAuthority {
            user: not_empty(url.username()).transpose()?,
            password: url.password().map(decode).transpose()?,
            // An IPv6 address is in brackets.
            host: url.host_str().map(|host| host.trim_matches(['[', ']'])).and_then(not_empty).transpose()?,
            port: url.port(),
        };
        let authority = authority.with_parameters(engine, &url)?;
        let (host, port) = (authority.host.clone(), authority.port);
        let (variables, credentials) = match engine {
            Engine::Postgres => authority.postgres_settings(&url),
            Engine::MySql | Engine::Sqlite => (Vec::new(), authority.mysql_options()?),
        };
        Ok(Self { host, port, engine, name, variables, credentials })
    }

    /// Resolves a relative path of SQLite against a directory.
    pub(super) fn resolve_file(&mut self, directory: &str) {
        if self.engine == Engine::Sqlite && !self.name.starts_with('/') {
            self.name = format!("{directory}/{}", self.name);
        }
    }

    /// Returns whether two URLs name the same database. The users and passwords may differ.
    /// `is_one_host` is `true` if both files are on one host, so local addresses are comparable.
    pub(super) fn is_same_database(&self, other: &Self, is_one_host: bool) -> bool {
        let is_local = |url: &Self| {
            let host = url.host.as_deref().unwrap_or("localhost");
            host.starts_with('/') || ["localhost", "127.0.0.1", "::1"].contains(&host)
        };
        let port = |url: &Self| url.port.unwrap_or(if self.engine == Engine::MySql { 3306 } else { 5432 });
        let server = |url: &Self| (if is_local(url) { None } else { url.host.clone() }, port(url));
        let is_one_server = server(self) == server(other) && (is_one_host || !is_local(self));
        self.engine == other.engine && self.name == other.name && is_one_server
    }

    /// Parses `///relative/path` or `////absolute/path`, as SQLAlchemy and Django do.
    fn sqlite(rest: &str) -> Result<Self, Error> {
        let path =
            rest.strip_prefix("///").ok_or_else(|| invalid("write `sqlite:///path` or `sqlite:////absolute`"))?;
        let path = decode(path.split('?').next().unwrap_or_default())?;
        if path.is_empty() || path == ":memory:" {
            return Err(invalid("a database in memory has no snapshot: write the path of a file"));
        }
        let (variables, credentials) = (Vec::new(), Secret::new(""));
        Ok(Self { host: None, port: None, engine: Engine::Sqlite, name: path, variables, credentials })
    }

    /// Returns the name for files: the name of the database, or of the file without its suffix.
    pub(super) fn file_name(&self) -> String {
        let name = match self.engine {
            Engine::Sqlite => std::path::Path::new(&self.name).file_stem().unwrap_or_default().to_string_lossy(),
            Engine::Postgres | Engine::MySql => self.name.as_str().into(),
        };
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect()
    }
}

impl UrlAuthority {
    /// Applies the parameters `host`, `port`, `user`, `password` and `unix_socket`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a parameter that would select another server.
    fn with_parameters(mut self, engine: Engine, url: &Url) -> Result<Self, Error> {
        for (key, value) in url.query_pairs() {
            let value = value.into_owned();
            match &*key {
                "host" | "unix_socket" => self.host = Some(value),
                "port" => self.port = Some(value.parse().map_err(|_| invalid("the port is not a number"))?),
                "user" => self.user = Some(value),
                "password" => self.password = Some(value),
                key if REFUSED_PARAMETERS.contains(&key) || engine == Engine::MySql && key.starts_with("ssl") => {
                    return Err(invalid(&format!("the parameter `{key}` is not supported")));
                }
                _ => {}
            }
        }
        Ok(self)
    }

    /// Returns the environment variables and the password file of libpq (`libpq-envars`).
    fn postgres_settings(self, url: &Url) -> (Vec<(&'static str, String)>, Secret) {
        let mut variables = Vec::new();
        variables.extend(self.host.map(|host| ("PGHOST", host)));
        variables.extend(self.port.map(|port| ("PGPORT", port.to_string())));
        variables.extend(self.user.map(|user| ("PGUSER", user)));
        for (key, value) in url.query_pairs() {
            let known = POSTGRES_PARAMETERS.iter().find(|(parameter, _)| *parameter == key);
            variables.extend(known.map(|(_, variable)| (*variable, value.into_owned())));
        }
        let password = self.password.unwrap_or_default().replace('\\', "\\\\").replace(':', "\\:");
        let line = if password.is_empty() { String::new() } else { format!("*:*:*:*:{password}\n") };
        (variables, Secret::new(line))
    }

    /// Returns an option file of MariaDB and MySQL.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a value with a line end.
    fn mysql_options(self) -> Result<Secret, Error> {
        let port = self.port.map(|port| port.to_string());
        // Without a host, the programs connect to the default socket.
        let is_socket = self.host.as_ref().is_some_and(|host| host.starts_with('/'));
        let host = (if is_socket { "socket" } else { "host" }, self.host);
        // The programs ignore the port for `localhost`, and connect to the socket.
        let protocol = port.is_some().then(|| "tcp".to_owned());
        let rest = [("port", port), ("protocol", protocol), ("user", self.user), ("password", self.password)];
        let options = std::iter::once(host).chain(rest);
        let mut file = "[client]\n".to_owned();
        for (key, value) in options {
            let Some(value) = value else { continue };
            if value.contains(['\n', '\r']) {
                return Err(invalid("a value contains a line end"));
            }
            let value = value.replace('\\', "\\\\").replace('"', "\\\"");
            file.extend([key, "=\"", &value, "\"\n"]);
        }
        Ok(Secret::new(file))
    }
}

fn decode(text: &str) -> Result<String, Error> {
    let decoded =
        percent_decode_str(text).decode_utf8().map_err(|_| invalid("user, password, host or name is not UTF-8"))?;
    if decoded.contains('\0') {
        Err(invalid("user, password, host or name contains a NUL character"))
    } else {
        Ok(decoded.into_owned())
    }
}

fn invalid(reason: &str) -> Error {
    let hint = "the form is `postgres://USER:PASSWORD@HOST:PORT/NAME`; percent-encode special characters";
    Error::new(ErrorKind::Config, format!("the database URL is invalid: {reason}")).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_postgres_url_is_split_into_variables_and_a_password_file() {
        let url =
            DatabaseUrl::parse("postgresql+psycopg2://sh%40p:a%3Ab%5Cc@db1:5433/shop?sslmode=require&pool=3").unwrap();
        assert_eq!((url.engine, url.name.as_str()), (Engine::Postgres, "shop"));
        let expected = [("PGHOST", "db1"), ("PGPORT", "5433"), ("PGUSER", "sh@p"), ("PGSSLMODE", "require")];
        assert_eq!(url.variables, expected.map(|(name, value)| (name, value.to_owned())));
        assert_eq!(url.credentials.expose(), "*:*:*:*:a\\:b\\\\c\n");

        let ipv6 = DatabaseUrl::parse("postgres://[::1]:5433/shop").unwrap();
        assert_eq!(ipv6.variables, [("PGHOST", "::1".to_owned()), ("PGPORT", "5433".to_owned())]);
        let parameters = DatabaseUrl::parse("postgres:///shop?host=/run/db&port=5433&user=ann").unwrap();
        let expected = [("PGHOST", "/run/db"), ("PGPORT", "5433"), ("PGUSER", "ann")];
        assert_eq!(parameters.variables, expected.map(|(name, value)| (name, value.to_owned())));
        let socket = DatabaseUrl::parse("postgres://%2Frun%2Fpostgresql/shop").unwrap();
        assert_eq!(socket.variables, [("PGHOST", "/run/postgresql".to_owned())]);
        assert_eq!(DatabaseUrl::parse("postgres:///shop").unwrap().variables, []);
    }

    #[test]
    fn a_mysql_url_becomes_an_option_file() {
        let url = DatabaseUrl::parse("mysql://shop:p%22w%5C%23@db1/shop").unwrap();
        assert_eq!((url.engine, url.name.as_str()), (Engine::MySql, "shop"));
        let file = "[client]\nhost=\"db1\"\nuser=\"shop\"\npassword=\"p\\\"w\\\\#\"\n";
        assert_eq!(url.credentials.expose(), file);
        assert!(DatabaseUrl::parse("mysql://shop:a%0Ab@db1/shop").is_err());
        let socket = DatabaseUrl::parse("mysql:///shop?unix_socket=/run/mysqld.sock").unwrap();
        assert_eq!(socket.credentials.expose(), "[client]\nsocket=\"/run/mysqld.sock\"\n");
        let local = DatabaseUrl::parse("mysql://localhost:3307/shop").unwrap();
        assert!(local.credentials.expose().contains("protocol=\"tcp\""), "the programs ignore the port otherwise");
    }

    #[test]
    fn a_sqlite_url_has_a_relative_or_an_absolute_path() {
        let name = |text| DatabaseUrl::parse(text).map(|url| (url.name.clone(), url.file_name()));
        assert_eq!(name("sqlite:///db/shop.sqlite3").unwrap(), ("db/shop.sqlite3".to_owned(), "shop".to_owned()));
        assert_eq!(name("sqlite:////srv/a%20b.db").unwrap(), ("/srv/a b.db".to_owned(), "a_b".to_owned()));
        assert!(name("sqlite://:memory:").is_err());
        assert!(name("sqlite:///:memory:").is_err());
    }

    #[test]
    fn equal_local_urls_on_two_hosts_are_different_databases() {
        let is_same = |one, other, is_one_host| {
            let [one, other] = [one, other].map(|text| DatabaseUrl::parse(text).unwrap());
            one.is_same_database(&other, is_one_host)
        };
        assert!(is_same("postgres://a:x@localhost/shop", "postgres:///shop", true));
        assert!(!is_same("postgres://a:x@localhost/shop", "postgres:///shop", false));
        assert!(is_same("postgres://a:x@db1/shop", "postgres://b:y@db1/shop", false));
        assert!(!is_same("postgres://a:x@db1/shop", "postgres://a:x@db1/other", true));
        assert!(is_same("postgres://a:x@db1/shop", "postgres://a:x@db1:5432/shop", true));
        assert!(!is_same("postgres://a:x@db1/shop", "postgres://a:x@db1:5433/shop", true));
    }

    #[test]
    fn errors_of_invalid_urls_contain_no_part_of_the_url() {
        let invalid = [
            "hunter22",
            "oracle://shop:hunter22@db1/shop",
            "postgres://shop:hunter22#x@db1/shop",
            "postgres://shop:hunter22/@db1/shop",
            "postgres://shop:hunter22@db1",
            "postgres://shop:hunter22@db1/a/b",
            "postgres://shop:hunter22%00@db1/shop",
            "postgres://shop:hunter22@db1/shop?service=live",
            "mysql://shop:hunter22@db1/shop?ssl-ca=/ca.pem",
        ];
        for text in invalid {
            let error = DatabaseUrl::parse(text).expect_err(text);
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(!format!("{error:?} {error}").contains("hunter22"), "{error}");
        }
    }
}
