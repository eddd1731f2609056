//! Peak memory of transfers from hostile hosts, and of transfers through a gateway.
//!
//! Each transfer runs in a separate process. The process reports the peak before and after the
//! transfer. Arguments select cases by a part of their names.

mod case;
mod gateway;
mod hostile;

use std::io::{self, Write as _};
use std::process::ExitCode;

use case::Case;

/// A check of a promise. The error describes the failure.
type Check = fn() -> Result<(), String>;

fn main() -> ExitCode {
    if let Some(case) = Case::from_env() {
        return case.finish();
    }
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part));
    let tests: [(&str, Check); 2] = [
        ("a_hostile_host_costs_no_memory", hostile::check),
        ("a_put_through_a_slow_gateway_costs_little_more_than_a_direct_one", gateway::check),
    ];
    let checks = tests.into_iter().filter(|(name, _)| is_wanted(name));
    let results: Vec<_> = checks.map(|(name, check)| (name, check())).collect();
    let failed = results.iter().filter(|(_, result)| result.is_err()).count();
    let mut out = io::stdout();
    for (name, result) in &results {
        let verdict = if result.is_ok() { "ok" } else { "FAILED" };
        let why = result.as_ref().err().map(String::as_str).unwrap_or_default();
        writeln!(out, "test {name} ... {verdict}\n{why}").expect("stdout is open");
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    let passed = results.len() - failed;
    writeln!(out, "test result: {verdict}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out")
        .expect("stdout is open");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
