//! Signals by the names that RFC 4254 §6.10 gives them, and those that sshd passes on besides.

use russh::Sig;
use rustix::process::Signal;

/// Returns both forms of each signal that has a name.
fn signal_names() -> [(Sig, Signal); 14] {
    let custom = |name: &str| Sig::Custom(name.to_owned());
    [
        (Sig::ABRT, Signal::ABORT),
        (Sig::ALRM, Signal::ALARM),
        (Sig::FPE, Signal::FPE),
        (Sig::HUP, Signal::HUP),
        (Sig::ILL, Signal::ILL),
        (Sig::INT, Signal::INT),
        (Sig::KILL, Signal::KILL),
        (Sig::PIPE, Signal::PIPE),
        (Sig::QUIT, Signal::QUIT),
        (Sig::SEGV, Signal::SEGV),
        (Sig::TERM, Signal::TERM),
        (Sig::USR1, Signal::USR1),
        (custom("USR2"), Signal::USR2),
        (custom("BUS"), Signal::BUS),
    ]
}

/// Returns the signal that a client named, where there is such a one.
pub(super) fn from_russh(named: &Sig) -> Option<Signal> {
    signal_names().into_iter().find(|(sig, _)| is_same_name(sig, named)).map(|(_, signal)| signal)
}

/// Returns what a client is told of the signal that ended a command. One that has no name is told by its number, so that
/// it is not taken for a lost channel.
pub(super) fn to_russh(number: i32) -> Sig {
    let known = signal_names().into_iter().find(|(_, signal)| signal.as_raw() == number);
    known.map_or_else(|| Sig::Custom(format!("{number}@fabrs-demo")), |(sig, _)| sig)
}

fn is_same_name(one: &Sig, other: &Sig) -> bool {
    match (one, other) {
        (Sig::Custom(one), Sig::Custom(other)) => one == other,
        _ => std::mem::discriminant(one) == std::mem::discriminant(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_named_signal_is_the_same_both_ways() {
        for (sig, signal) in signal_names() {
            assert_eq!(from_russh(&sig), Some(signal));
            assert!(is_same_name(&to_russh(signal.as_raw()), &sig));
        }
    }

    #[test]
    fn a_signal_without_a_name_is_passed_on_by_nobody() {
        assert_eq!(from_russh(&Sig::Custom("WINCH".to_owned())), None);
    }
}
