//! [`Style`] and [`Prefix`]: colours, and the host in front of a line.

use std::fmt;

use anstyle::{AnsiColor, Color, Effects};

use crate::host::Host;

/// The style of printed text. The caller chooses the style from the terminal and the environment
/// variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Style {
    /// Text without colours.
    #[default]
    Plain,
    /// Text with escape sequences for colours: one colour for each host, red for errors.
    Colour,
}

/// The text in front of a line of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Prefix {
    /// The host in brackets: `[web1] `.
    #[default]
    Host,
    /// No prefix, for a run with one host.
    None,
}

/// The role of a piece of text. The role decides the colour.
#[derive(Debug, Clone, Copy)]
pub(super) enum TextRole {
    Error,
    Warning,
    Hint,
    /// A command line, or the name of a phase.
    Command,
    /// Text of less importance.
    Dimmed,
    /// A removed line of a diff.
    Removed,
    /// An added line of a diff.
    Added,
}

/// The colours of hosts. Red is reserved for errors and yellow for warnings.
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
    /// Returns `text` in the colours of its role.
    pub(super) fn paint(self, role: TextRole, text: &str) -> String {
        let style = match role {
            TextRole::Error => AnsiColor::Red.on_default() | Effects::BOLD,
            TextRole::Warning => AnsiColor::Yellow.on_default() | Effects::BOLD,
            TextRole::Hint => AnsiColor::Cyan.on_default(),
            TextRole::Removed => AnsiColor::Red.on_default(),
            TextRole::Added => AnsiColor::Green.on_default(),
            TextRole::Dimmed => anstyle::Style::new().dimmed(),
            TextRole::Command => anstyle::Style::new().bold(),
        };
        match self {
            Self::Plain => text.to_owned(),
            Self::Colour => format!("{style}{text}{style:#}"),
        }
    }
}

impl Prefix {
    /// Returns the text in front of the lines of a host, or `[local] ` without a host.
    pub fn of(self, host: Option<&Host>, style: Style) -> String {
        let name = HostOrLocal(host);
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

/// The display of a host in messages: its name, or `local` for this machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct HostOrLocal<'a>(pub(super) Option<&'a Host>);

impl fmt::Display for HostOrLocal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(host) if !host.is_local() => host.label().fmt(f),
            _ => f.write_str("local"),
        }
    }
}

impl HostOrLocal<'_> {
    /// Returns the colour of a host. The colour is the same in every run, and numbered hosts have
    /// different colours.
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
    fn numbered_hosts_have_different_colours() {
        let host = |n: u8| format!("web{n}").parse::<Host>().unwrap();
        let mut prefixes: Vec<_> = (1..=8).map(|n| HostOrLocal(Some(&host(n))).colour().to_string()).collect();
        prefixes.sort();
        prefixes.dedup();
        assert_eq!(prefixes.len(), 8);
    }

    #[test]
    fn this_machine_is_called_local() {
        assert_eq!(Prefix::Host.of(None, Style::Plain), "[local] ");
        assert_eq!(Prefix::Host.of(Some(&Host::local()), Style::Plain), "[local] ");
        assert_eq!(Prefix::None.of(None, Style::Colour), "");
    }
}
