//! How text for people looks: with or without colour, with or without the host in front.

use std::fmt;

use anstyle::{AnsiColor, Color, Effects};

use crate::host::Host;

/// Whether text for people is coloured. What a terminal or an environment variable says about it is the caller's to
/// find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// Text only.
    #[default]
    Plain,
    /// Escape sequences for colour: a colour a host, red for errors.
    Colour,
}

/// What stands in front of a line of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Prefix {
    /// The host in brackets: `[web1] `.
    #[default]
    Host,
    /// Nothing, for a run with one host.
    None,
}

/// What a piece of text is, and so how it looks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Role {
    Error,
    Warning,
    Hint,
    /// A command line.
    Command,
    /// What a file has no longer.
    Removed,
    /// What it has now.
    Added,
}

/// The colours of hosts; red is for errors, and yellow for warnings.
const HOSTS: [AnsiColor; 8] = [
    AnsiColor::Cyan,
    AnsiColor::Green,
    AnsiColor::Magenta,
    AnsiColor::Blue,
    AnsiColor::BrightCyan,
    AnsiColor::BrightGreen,
    AnsiColor::BrightMagenta,
    AnsiColor::BrightBlue,
];

impl Style {
    /// Returns `text` in the style of its role.
    pub(super) fn paint(self, role: Role, text: &str) -> String {
        let style = match role {
            Role::Error => AnsiColor::Red.on_default() | Effects::BOLD,
            Role::Warning => AnsiColor::Yellow.on_default() | Effects::BOLD,
            Role::Hint => AnsiColor::Cyan.on_default(),
            Role::Removed => AnsiColor::Red.on_default(),
            Role::Added => AnsiColor::Green.on_default(),
            Role::Command => anstyle::Style::new().bold(),
        };
        match self {
            Self::Plain => text.to_owned(),
            Self::Colour => format!("{style}{text}{style:#}"),
        }
    }
}

impl Prefix {
    /// Returns what stands in front of the lines of a host; without a host, of what happens here.
    pub fn of(self, host: Option<&Host>, style: Style) -> String {
        let name = Name(host);
        match (self, style) {
            (Self::None, _) => String::new(),
            (Self::Host, Style::Plain) => format!("[{name}] "),
            (Self::Host, Style::Colour) => {
                let colour = name.colour();
                format!("{colour}[{name}]{colour:#} ")
            }
        }
    }
}

/// Displays a host as people are told of it, and what has no host as what happens here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name<'a>(pub(super) Option<&'a Host>);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(host) if !host.is_local() => host.label().fmt(f),
            _ => f.write_str("local"),
        }
    }
}

impl Name<'_> {
    /// Returns the colour of a host: the same in every run, and another one for the next number.
    fn colour(self) -> anstyle::Style {
        let sum = self.0.map_or(0, |host| {
            let name: usize = host.name().bytes().map(usize::from).sum();
            name + usize::from(host.port().unwrap_or_default())
        });
        anstyle::Style::new().fg_color(HOSTS.get(sum % HOSTS.len()).copied().map(Color::Ansi))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_the_same_colour_in_every_run() {
        let host: Host = "deploy@web1:2222".parse().unwrap();
        assert_eq!(Prefix::Host.of(Some(&host), Style::Plain), "[web1:2222] ");
        let coloured = Prefix::Host.of(Some(&host), Style::Colour);
        assert_eq!(coloured, Prefix::Host.of(Some(&host), Style::Colour));
        assert!(coloured.ends_with("[web1:2222]\u{1b}[0m "), "{coloured:?}");
    }

    #[test]
    fn hosts_that_are_numbered_have_different_colours() {
        let host = |n: u8| format!("web{n}").parse::<Host>().unwrap();
        let mut prefixes: Vec<_> = (1..=8).map(|n| Name(Some(&host(n))).colour().to_string()).collect();
        prefixes.sort();
        prefixes.dedup();
        assert_eq!(prefixes.len(), 8);
    }

    #[test]
    fn what_happens_here_is_called_local() {
        assert_eq!(Prefix::Host.of(None, Style::Plain), "[local] ");
        assert_eq!(Prefix::Host.of(Some(&Host::local()), Style::Plain), "[local] ");
        assert_eq!(Prefix::None.of(None, Style::Colour), "");
    }
}
