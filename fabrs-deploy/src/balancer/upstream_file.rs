//! The `server` lines in the configuration file of an nginx upstream.

use crate::balancer::balancer::{BalancerServer, ServerState};

/// A `server` line: the parts around the parameters.
struct ServerLine<'a> {
    /// The indentation, `server` and the address.
    start: &'a str,
    address: &'a str,
    parameters: &'a str,
    /// The semicolon and the rest of the line.
    end: &'a str,
}

impl<'a> ServerLine<'a> {
    /// Parses a line. Comments, blocks (`server {`) and other directives are no server lines.
    fn parse(line: &'a str) -> Option<Self> {
        let trimmed = line.trim_start();
        let rest = trimmed.strip_prefix("server")?;
        let address = rest.trim_start();
        if address.len() == rest.len() {
            return None;
        }
        let (body, _) = address.split_once(';')?;
        let name = body.split_whitespace().next().filter(|name| !name.starts_with(['{', '#']))?;
        let body_at = line.len() - address.len();
        let (start, _) = line.split_at_checked(body_at + name.len())?;
        let parameters = body.get(name.len()..)?;
        let end = line.get(body_at + body.len()..)?;
        Some(Self { start, address: name, parameters, end })
    }

    fn is_down(&self) -> bool {
        self.parameters.split_whitespace().any(|parameter| parameter == "down")
    }

    /// Returns the line with or without `down`. All other parameters stay.
    fn with_state(&self, state: ServerState) -> String {
        let Self { start, parameters, end, .. } = self;
        match (state, self.is_down()) {
            (ServerState::Ready, true) => {
                let others = parameters.split_whitespace().filter(|word| *word != "down");
                let words: Vec<&str> = std::iter::once(*start).chain(others).collect();
                format!("{}{end}", words.join(" "))
            }
            (ServerState::Drained | ServerState::Maintenance, false) => format!("{start}{parameters} down{end}"),
            _ => format!("{start}{parameters}{end}"),
        }
    }
}

/// Returns the servers in the text of a file.
pub(super) fn servers(text: &str) -> Vec<BalancerServer> {
    let lines = text.lines().filter_map(ServerLine::parse);
    lines
        .map(|line| {
            let state = if line.is_down() { ServerState::Drained } else { ServerState::Ready };
            BalancerServer::new(line.address, state)
        })
        .collect()
}

/// Returns the text with other states of servers.
pub(super) fn with_states(text: &str, states: &[(String, ServerState)]) -> String {
    let mut changed = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let server = ServerLine::parse(line);
        let state = server.as_ref().and_then(|server| states.iter().find(|(name, _)| name == server.address));
        match (server, state) {
            (Some(server), Some((_, state))) => changed += &server.with_state(*state),
            _ => changed += line,
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# server web0:8000;\nupstream shop {\n    least_conn;\n\
        \tserver web1:8000 weight=2  max_fails=1; # rack 1\n    server web2:8000 down backup;\n\
        server unix:/run/shop.sock;\n}\nserver {\n    listen 80;\n    server_name shop;\n}\n";

    fn set(text: &str, name: &str, state: ServerState) -> String {
        with_states(text, &[(name.to_owned(), state)])
    }

    #[test]
    fn only_server_lines_of_upstreams_are_servers() {
        let expected = [
            BalancerServer::new("web1:8000", ServerState::Ready),
            BalancerServer::new("web2:8000", ServerState::Drained),
            BalancerServer::new("unix:/run/shop.sock", ServerState::Ready),
        ];
        assert_eq!(servers(FILE), expected);
    }

    #[test]
    fn down_is_the_only_changed_parameter() {
        let drained = set(FILE, "web1:8000", ServerState::Drained);
        assert_eq!(drained, FILE.replace("max_fails=1;", "max_fails=1 down;"));
        assert_eq!(set(&drained, "web1:8000", ServerState::Drained), drained);
        let enabled = set(FILE, "web2:8000", ServerState::Ready);
        assert_eq!(enabled, FILE.replace("web2:8000 down backup;", "web2:8000 backup;"));
        assert_eq!(set(FILE, "unix:/run/shop.sock", ServerState::Maintenance), FILE.replace("sock;", "sock down;"));
        assert_eq!(set(FILE, "web1", ServerState::Drained), FILE, "the address includes the port");
    }
}
