//! [`PuppetLog`]: changes and errors in the output of `puppet apply`.

/// The changed resources, failed resources and other errors of a run of Puppet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PuppetLog {
    /// `File[/etc/motd]/content: content changed ..`
    pub(super) changes: Vec<String>,
    /// `Exec[migrate]/returns: change from 'notrun' to ['0'] failed ..`
    pub(super) failures: Vec<String>,
    /// Errors without a resource: an invalid manifest, or a custom fact.
    pub(super) other_errors: Vec<String>,
}

impl PuppetLog {
    /// Reads the lines of stdout and stderr, without colours.
    pub(super) fn parse(stdout: &str, stderr: &str) -> Self {
        let with_prefix = |prefix: &'static str| {
            stdout.lines().chain(stderr.lines()).filter_map(move |line| line.strip_prefix(prefix))
        };
        // Warnings about skipped resources follow from an earlier error.
        let other_errors = with_prefix("Error: ").filter(|line| !line.starts_with("/Stage["));
        Self {
            changes: with_prefix("Notice: /Stage[").map(resource).map(str::to_owned).collect(),
            failures: with_prefix("Error: /Stage[").map(resource).map(str::to_owned).collect(),
            other_errors: other_errors.map(str::to_owned).collect(),
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
        let stderr = "Error: Facter: a custom fact failed\n\
                      Error: /Stage[last]/Main/Exec[migrate]/returns: change from 'notrun' to ['0'] failed\n";
        let log = PuppetLog::parse(stdout, stderr);
        assert_eq!(log.changes, ["File[/etc/motd]/ensure: defined content as '{sha256}aa'"]);
        assert_eq!(log.other_errors, ["Facter: a custom fact failed"]);
        assert_eq!(log.failures, ["Exec[migrate]/returns: change from 'notrun' to ['0'] failed"]);
    }
}
