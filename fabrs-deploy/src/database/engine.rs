//! [`Engine`]: the database systems, and their shell functions.

use std::fmt;

/// A database system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    Postgres,
    /// MariaDB or MySQL.
    MySql,
    Sqlite,
}

/// Creates the directories of a command and writes the credentials.
const BEGIN: &str = include_str!("scripts/begin.sh");

impl Engine {
    /// Returns the engine of a URL scheme, as used by Django, SQLAlchemy and Rails. A driver after
    /// `+` is ignored.
    pub(super) fn from_scheme(scheme: &str) -> Option<Self> {
        match scheme.split('+').next().unwrap_or_default() {
            "postgres" | "postgresql" | "pgsql" | "psql" | "postgis" => Some(Self::Postgres),
            "mariadb" | "mysql" | "mysql2" => Some(Self::MySql),
            "sqlite" | "sqlite3" => Some(Self::Sqlite),
            _ => None,
        }
    }

    /// Returns a script with the shell functions of the engine.
    pub(super) fn script(self, script: &str) -> String {
        let functions = match self {
            Self::Postgres => include_str!("scripts/postgres.sh"),
            Self::MySql => include_str!("scripts/mysql.sh"),
            Self::Sqlite => include_str!("scripts/sqlite.sh"),
        };
        [BEGIN, functions, script].concat()
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres => "PostgreSQL",
            Self::MySql => "MariaDB or MySQL",
            Self::Sqlite => "SQLite",
        })
    }
}
