//! The positions of the logs of a site at the start of a rollout and at the switch of each host,
//! and the lines since the switch in the errors of a host.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use fabrs::{Connection, Error, ErrorKind, Host, TaskError};

use crate::deploy::connected_site::ConnectedSite;
use crate::gates::{LogSpan, Watch};
use crate::outcomes::all_ok;
use crate::scope::Scope;
use crate::service_log::{LogMark, ServiceLog};

/// The number of log lines in the error of a host.
const ERROR_LINES: usize = 20;

/// The recorded positions of all hosts.
#[derive(Debug, Default)]
pub(super) struct LogPositions(Mutex<HashMap<Host, HashMap<ServiceLog, LogSpan>>>);

impl LogPositions {
    /// Records the positions on all hosts before any change.
    ///
    /// # Errors
    ///
    /// As [`ServiceLog::mark`] for the log of a gate. Other logs are left out if they cannot be
    /// read.
    pub(super) async fn record_start(&self, hosts: &ConnectedSite) -> Result<(), Error> {
        let (gate_logs, site) = (gate_logs(hosts), &hosts.site);
        if gate_logs.is_empty() && site.logs.is_empty() {
            return Ok(());
        }
        let recorded = hosts.group.each(|host| {
            let gate_logs = &gate_logs;
            async move {
                let root = hosts.layouts.of(&host)?.root();
                let mut spans = HashMap::new();
                for (scope, log) in gate_logs {
                    if !scope.has(&host)? {
                        continue;
                    }
                    spans.insert(log.clone(), LogSpan::starting(log.mark(&host, root).await?));
                }
                for (scope, log) in &site.logs {
                    if !spans.contains_key(log)
                        && scope.has(&host)?
                        && let Ok(mark) = log.mark(&host, root).await
                    {
                        spans.insert(log.clone(), LogSpan::starting(mark));
                    }
                }
                Ok::<_, Error>(spans)
            }
        });
        let recorded = all_ok(recorded.await)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(recorded);
        Ok(())
    }

    /// Records the positions on a host immediately before its switch.
    ///
    /// # Errors
    ///
    /// As [`ServiceLog::mark`].
    pub(super) async fn record_switch(&self, hosts: &ConnectedSite, host: &Connection) -> Result<(), Error> {
        let root = hosts.layouts.of(host)?.root();
        for log in self.spans(host).into_keys() {
            let mark = log.mark(host, root).await?;
            self.set_switch(host, &log, mark);
        }
        Ok(())
    }

    /// Returns the recorded positions of a host.
    pub(super) fn spans(&self, host: &Connection) -> HashMap<ServiceLog, LogSpan> {
        let spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        host.host().and_then(|name| spans.get(name)).cloned().unwrap_or_default()
    }

    fn set_switch(&self, host: &Connection, log: &ServiceLog, mark: LogMark) {
        let mut spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(span) = host.host().and_then(|name| spans.get_mut(name)?.get_mut(log)) {
            span.switch = mark;
        }
    }

    /// Adds the last log lines since the switch to the error of a host. A lost host and a stopped
    /// run are returned unchanged.
    pub(super) async fn with_lines(&self, hosts: &ConnectedSite, host: &Connection, error: TaskError) -> TaskError {
        let error = error.into_error();
        if matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::Channel | ErrorKind::Connect) {
            return error.into();
        }
        let Ok(layout) = hosts.layouts.of(host) else { return error.into() };
        let mut shown = Vec::new();
        for (log, span) in self.spans(host) {
            // A missing log must not hide the error.
            let lines = log.lines_since(host, layout.root(), &span.switch, ERROR_LINES).await.unwrap_or_default();
            if !lines.trim().is_empty() {
                let lines = lines.trim_end().replace('\n', "\n  ");
                shown.push(format!("last lines of the {log} since the switch:\n  {lines}"));
            }
        }
        if shown.is_empty() {
            return error.into();
        }
        let lines = LogLines { text: shown.join("\n"), error: error.clone() };
        // The shown hint of an error may be the hint of its cause.
        let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<Error>());
        let hint = error.hint_text().or_else(|| cause?.hint_text()).map(str::to_owned);
        let error = error.caused_by(lines);
        hint.map_or(error.clone(), |hint| error.hint(hint)).into()
    }
}

/// Returns the logs of all gates with their scopes.
fn gate_logs(hosts: &ConnectedSite) -> Vec<(&Scope, ServiceLog)> {
    let canary = hosts.site.strategy.canary().map(|canary| &canary.watch);
    canary.into_iter().chain([&hosts.site.watch]).flat_map(Watch::logs).collect()
}

/// Log lines as the cause of an error, above its other causes.
#[derive(Debug)]
pub(super) struct LogLines {
    text: String,
    error: Error,
}

impl fmt::Display for LogLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for LogLines {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.error)
    }
}
