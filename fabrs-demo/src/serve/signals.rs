//! Signal names of RFC 4254 §6.10, and the extra names accepted by sshd.

use russh::Sig;
use rustix::process::Signal;

/// Returns all named signals as russh and system values.
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

/// Returns the system signal for a name of the client, or `None` for an unknown name.
pub(super) fn from_russh(named: &Sig) -> Option<Signal> {
    signal_names().into_iter().find(|(sig, _)| is_same_name(sig, named)).map(|(_, signal)| signal)
}

/// Returns the name of a signal for the client: the standard name, or else the number. Without a
/// name, the client would report a lost channel.
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
    fn every_named_signal_converts_in_both_directions() {
        for (sig, signal) in signal_names() {
            assert_eq!(from_russh(&sig), Some(signal));
            assert!(is_same_name(&to_russh(signal.as_raw()), &sig));
        }
    }

    #[test]
    fn an_unknown_signal_name_is_ignored() {
        assert_eq!(from_russh(&Sig::Custom("WINCH".to_owned())), None);
    }
}
