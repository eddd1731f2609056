//! The gate for a value of munin-node.

use std::sync::Arc;

use fabrs::{Error, Hide, ShellLine, TaskError, cmd};

use crate::gates::gate::{Gate, GateFuture, Measurement, measure_each};
use crate::gates::threshold::Threshold;
use crate::gates::watched_host::WatchedHost;

/// Prints the answer of a munin-node. Its hosts always have Perl.
const SCRIPT: &str = include_str!("munin_value.sh");

/// A gate for a value of a munin-node, read on each host.
///
/// A missing value and an unreachable node are inconclusive.
///
/// ```
/// use fabrs_deploy::{MuninValue, Site};
///
/// let load = MuninValue::fetch("load", "load").at_most(4.0);
/// let site = Site::new("/srv/shop").gate(load);
/// # drop(site);
/// ```
#[derive(Debug, Clone)]
#[must_use = "a gate does nothing until a site or a canary has it"]
pub struct MuninValue {
    plugin: String,
    field: String,
    address: String,
    port: u16,
    threshold: Threshold,
}

impl MuninValue {
    /// Reads a field of a plugin. Defaults to the node on the host itself (`127.0.0.1`, port 4949).
    ///
    /// ```
    /// # use fabrs_deploy::{Gate, MuninValue};
    /// assert_eq!(MuninValue::fetch("memory", "swap").name(), "munin value memory.swap");
    /// ```
    pub fn fetch(plugin: impl Into<String>, field: impl Into<String>) -> Self {
        let (plugin, field) = (plugin.into(), field.into());
        Self { plugin, field, address: "127.0.0.1".to_owned(), port: 4949, threshold: Threshold::default() }
    }

    /// Sets the address and the port of the node, as seen from the host.
    ///
    /// ```
    /// # use fabrs_deploy::MuninValue;
    /// let load = MuninValue::fetch("load", "load").node("10.0.0.5", 4949);
    /// assert!(format!("{load:?}").contains("10.0.0.5"));
    /// ```
    pub fn node(mut self, address: impl Into<String>, port: u16) -> Self {
        (self.address, self.port) = (address.into(), port);
        self
    }

    /// Sets the highest good value.
    ///
    /// ```
    /// # use fabrs_deploy::MuninValue;
    /// let load = MuninValue::fetch("load", "load").at_most(4.0);
    /// assert!(format!("{load:?}").contains("at_most: Some(4.0)"));
    /// ```
    pub fn at_most(mut self, value: f64) -> Self {
        self.threshold.at_most = Some(value);
        self
    }

    /// Sets the lowest good value.
    ///
    /// ```
    /// # use fabrs_deploy::MuninValue;
    /// let workers = MuninValue::fetch("gunicorn", "workers").at_least(2.0);
    /// assert!(format!("{workers:?}").contains("at_least: Some(2.0)"));
    /// ```
    pub fn at_least(mut self, value: f64) -> Self {
        self.threshold.at_least = Some(value);
        self
    }

    async fn measure_host(self, host: WatchedHost) -> Result<Measurement, TaskError> {
        let (plugin, address, port) = (&self.plugin, &self.address, self.port);
        let variables = cmd!("plugin={plugin} address={address} port={port}");
        let script = ShellLine::raw(format!("{}\n{}", variables.as_str(), SCRIPT.trim_end()));
        let probe = host.app().host().with_shell("sh -c").probe(script);
        let output = probe.named(format!("read the {}", self.name())).hide(Hide::Both).warn().capture_all().await?;
        if !output.ok()? {
            return Ok(Measurement::inconclusive(output.stderr()?.trim().to_owned()));
        }
        Ok(self.judge(&output.stdout()?))
    }

    /// Judges the answer of a node: one line for each field, such as `load.value 0.15`.
    fn judge(&self, answer: &str) -> Measurement {
        let prefix = format!("{}.value ", self.field);
        match answer.lines().find_map(|line| line.strip_prefix(&prefix)) {
            Some("U") => Measurement::inconclusive("the value is unknown (`U`)"),
            Some(value) => match value.trim().parse() {
                Ok(value) => self.threshold.judge(value),
                Err(_) => Measurement::inconclusive(format!("`{value}` is not a number")),
            },
            None => {
                let reason = answer.lines().find(|line| line.starts_with("# Unknown"));
                let reason = reason.map_or_else(String::new, |line| line.replace("# ", ": "));
                Measurement::inconclusive(format!("munin-node has no value `{}`{reason}", self.field))
            }
        }
    }
}

impl Gate for MuninValue {
    fn name(&self) -> String {
        format!("munin value {}.{}", self.plugin, self.field)
    }

    fn check(&self) -> Result<(), Error> {
        self.threshold.check(&self.name())
    }

    fn measure(&self, hosts: Arc<[WatchedHost]>) -> GateFuture {
        let gate = self.clone();
        measure_each(hosts, move |host| gate.clone().measure_host(host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gates::gate::Verdict;

    #[test]
    fn an_answer_of_a_node_is_compared_with_the_limit() {
        let gate = MuninValue::fetch("load", "load").at_most(4.0);
        let verdict = |answer| gate.judge(answer).verdict;
        assert_eq!(verdict("# munin node at web1\nload.value 0.15\n.\n"), Verdict::Good);
        assert_eq!(verdict("load.value 4.5\n.\n"), Verdict::Bad);
        assert_eq!(verdict("load.value U\n.\n"), Verdict::Inconclusive);
        let unknown = gate.judge("# munin node at web1\n# Unknown service\n.\n");
        assert_eq!(unknown.text, "munin-node has no value `load`: Unknown service");
    }
}
