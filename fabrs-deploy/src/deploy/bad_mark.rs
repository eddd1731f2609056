//! The mark of a bad release: rollbacks and deploys choose a marked release only on request.

use fabrs::{Connection, Error, Outcomes, cmd};

use crate::deploy::log_positions::LogLines;
use crate::deploy::rollout::Rollout;
use crate::release::{BAD_FILE, BadMark, ReleaseId};

/// Marks the target release as bad on all locked hosts, with the reason.
pub(super) async fn mark_target(rollout: &Rollout<'_>, error: &Error) {
    let reason = rollout.hosts.client().redact(&reason(error));
    let bad = BadMark::new(rollout.target.by.clone(), reason).to_json_line();
    let hosts = rollout.recovery_hosts(|_| true);
    let marked = hosts.each(|host| {
        let bad = &bad;
        async move { mark(rollout, &host, &rollout.target.release, bad).await }
    });
    warn_of_failures(rollout, &marked.await);
}

/// Marks the release replaced by a rollback as bad on each host, if it is later than the target
/// release. The hosts may have had different releases.
pub(super) async fn mark_replaced(rollout: &Rollout<'_>) {
    let target = &rollout.target;
    let bad = BadMark::new(target.by.clone(), format!("rolled back to {}", target.release)).to_json_line();
    let marked = rollout.hosts.group.each(|host| {
        let bad = &bad;
        async move {
            match target.live_before(&host).filter(|replaced| **replaced > target.release) {
                Some(replaced) => mark(rollout, &host, replaced, bad).await,
                None => Ok(()),
            }
        }
    });
    warn_of_failures(rollout, &marked.await);
}

async fn mark(rollout: &Rollout<'_>, host: &Connection, release: &ReleaseId, bad: &str) -> Result<(), Error> {
    let dir = rollout.hosts.layouts.of(host)?.release(release);
    host.run(cmd!("if [ -d {dir} ]; then printf '%s\\n' {bad} > {dir}/{BAD_FILE}; fi"))
        .named(format!("mark {release} as bad"))
        .await?;
    Ok(())
}

/// Returns the reason of a failure as one line. For a group, this is the reason of the first host.
fn reason(error: &Error) -> String {
    let cause = std::error::Error::source(error);
    // Log lines are not the reason, but the reason may be below them.
    let below = cause.and_then(|cause| cause.downcast_ref::<LogLines>()).map(std::error::Error::source);
    match below.unwrap_or(cause) {
        Some(cause) => format!("{}: {}", error.message(), cause.to_string().lines().next().unwrap_or_default()),
        None => error.message().to_owned(),
    }
}

fn warn_of_failures(rollout: &Rollout<'_>, marked: &Outcomes<()>) {
    for (host, outcome) in marked {
        if let Some(error) = outcome.error() {
            let text = format!("could not mark the release as bad: {}", error.message());
            rollout.hosts.client().warn(Some(host), text);
        }
    }
}
