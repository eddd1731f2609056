//! [`PuppetLog`]: changes and errors in the output of `puppet apply`.

/// The changed resources and the errors of a run of Puppet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PuppetLog {
    /// `File[/etc/motd]/content: content changed ..`
    pub(super) changes: Vec<String>,
    pub(super) errors: Vec<String>,
}

impl PuppetLog {
    /// Reads the lines of stdout and stderr, without colours.
    pub(super) fn parse(stdout: &str, stderr: &str) -> Self {
        let lines = || stdout.lines().chain(stderr.lines());
        let changes = lines().filter_map(|line| line.strip_prefix("Notice: /Stage[").map(resource));
        // Only `Error:` lines count. Warnings about skipped resources follow from an earlier error.
        let errors = lines().filter_map(|line| line.strip_prefix("Error: "));
        Self {
            changes: changes.map(str::to_owned).collect(),
            errors: errors.map(|line| line.strip_prefix("/Stage[").map_or(line, resource).to_owned()).collect(),
        }
    }
}

/// Returns the text without the stage and the class: `main]/Main/File[/etc/motd]/..`.
fn resource(text: &str) -> &str {
    let text = text.split_once("]/").map_or(text, |(_, rest)| rest);
    let bracket = text.find('[').unwrap_or(text.len());
    match text[..bracket].rfind('/') {
        Some(slash) => &text[slash + 1..],
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_have_neither_stage_nor_class() {
        let stdout = "Notice: Compiled catalog for web1 in environment production in 0.02 seconds\n\
                      Notice: /Stage[main]/Shop::Web/File[/etc/motd]/ensure: defined content as '{sha256}aa'\n\
                      Notice: Applied catalog in 0.01 seconds\n";
        let stderr = "Error: /Stage[main]/Main/Exec[migrate]/returns: change from 'notrun' to ['0'] failed\n";
        let log = PuppetLog::parse(stdout, stderr);
        assert_eq!(log.changes, ["File[/etc/motd]/ensure: defined content as '{sha256}aa'"]);
        assert_eq!(log.errors, ["Exec[migrate]/returns: change from 'notrun' to ['0'] failed"]);
    }
}
