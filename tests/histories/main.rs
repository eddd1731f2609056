//! Lock histories: five runs compete for the locks of five hosts, and are stopped, killed, cut off
//! and blocked at random times.
//!
//! Each run appends the steps to a journal on each host. A run must not append an entry after
//! another run has acquired the lock. Such an entry shows a change by a run without the lock. Ten
//! histories run by default. `FABRS_HISTORIES` sets another number, and `scripts/full lock` runs
//! 200. The test prints the seed of each failed history. `FABRS_SEED` repeats the history.

mod fault;
mod history;
mod journal;
mod rng;
mod run;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use history::History;
use rng::Rng;

/// The number of concurrent histories.
const AT_ONCE: usize = 5;

fn main() -> ExitCode {
    if let Some(run) = run::Run::from_env() {
        return run.finish();
    }
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let count: usize = number("FABRS_HISTORIES").map_or(10, |count: u64| usize::try_from(count).unwrap_or(10));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs());
    let first: u64 = number("FABRS_SEED").unwrap_or(now * 1000);
    let seeds: Vec<u64> = (first..).take(count).collect();
    let mut failures = Vec::new();
    let (mut switches, mut failed_runs) = (0, 0);
    for batch in seeds.chunks(AT_ONCE) {
        let results = std::thread::scope(|scope| {
            let started = batch.iter().map(|seed| scope.spawn(|| History::of(Rng::new(*seed)).play()));
            let started: Vec<_> = started.collect();
            started.into_iter().map(|history| history.join().expect("a history does not panic")).collect::<Vec<_>>()
        });
        for (seed, result) in batch.iter().zip(results) {
            match result {
                Ok(done) => {
                    switches += done.switches;
                    failed_runs += done.failed_runs;
                }
                Err(why) => failures.push(format!("FABRS_SEED={seed} FABRS_HISTORIES=1: {why}")),
            }
        }
    }
    assert!(switches > 0, "no run of any history came to its end");
    let mut out = io::stdout();
    let verdict = if failures.is_empty() { "ok" } else { "FAILED" };
    let report = format!(
        "\nrunning 1 test\ntest no_run_changes_a_host_after_a_later_run_has_locked_the_host ... {verdict}\n{}\n\
         {count} histories, {switches} runs completed, {failed_runs} runs failed\n\n\
         test result: {verdict}. {} passed; {} failed; 0 ignored; 0 measured; 0 filtered out\n",
        failures.join("\n"),
        usize::from(failures.is_empty()),
        usize::from(!failures.is_empty()),
    );
    out.write_all(report.as_bytes()).expect("stdout is open");
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
