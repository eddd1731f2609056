//! A host during a watch: its new release, and the positions of its logs before the switch.

use std::collections::HashMap;
use std::sync::Arc;

use crate::service_log::{LogMark, ServiceLog};
use crate::step::App;

/// The positions of a log at the start of the run and at the switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogSpan {
    pub(crate) start: LogMark,
    pub(crate) switch: LogMark,
}

impl LogSpan {
    /// A span that begins at a mark. The switch is not recorded yet.
    pub(crate) fn starting(start: LogMark) -> Self {
        Self { switch: start.clone(), start }
    }
}

/// A host with the new release, during the measurements of the gates.
#[derive(Debug, Clone)]
pub struct WatchedHost {
    app: App,
    spans: Arc<HashMap<ServiceLog, LogSpan>>,
}

impl WatchedHost {
    pub(crate) fn new(app: App, spans: HashMap<ServiceLog, LogSpan>) -> Self {
        Self { app, spans: Arc::new(spans) }
    }

    /// Returns the new release on the host.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Returns the positions of a log, if they were recorded.
    pub(super) fn span(&self, log: &ServiceLog) -> Option<&LogSpan> {
        self.spans.get(log)
    }
}
