//! Two at once.

use std::fs::File;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use fabrs_launcher::{BuildEvent, BuildProgress, ensure_compiled};

use crate::test_dir::{Place, output};

#[test]
fn two_at_once_compile_once() {
    let place = Place::new();
    let project = place.project("shop", "fabrs::task!(\"hello\");");
    let runs = thread::scope(|scope| {
        let runs = [(), ()].map(|()| scope.spawn(|| place.try_prepare(&project, &[])));
        runs.map(|run| run.join().unwrap())
    });
    assert_eq!(runs.iter().filter(|(_, heard)| heard.compiling()).count(), 1);
    for (prepared, _) in runs {
        assert!(output(&prepared.unwrap()).starts_with("hello"));
    }
}

struct Waits(Sender<()>);

impl BuildProgress for Waits {
    fn allow_colour(&self) -> bool {
        false
    }

    fn report(&mut self, event: BuildEvent<'_>) {
        if event == BuildEvent::Waiting {
            self.0.send(()).expect("the test waits");
        }
    }
}

#[test]
fn who_waits_for_another_says_so() {
    let place = Place::new();
    let project = place.project("shop", "");
    place.run(&project);
    // A changed file, so that the lock is wanted.
    place.project("shop", "fabrs::task!(\"hello\");");

    let other = File::options().write(true).open(place.room(&project).join("lock")).unwrap();
    other.lock().unwrap();
    let (sender, waits) = channel();
    let prepared = thread::scope(|scope| {
        let run = scope.spawn(|| ensure_compiled(&project, &place.environment(&[]), &mut Waits(sender)));
        waits.recv().unwrap();
        other.unlock().unwrap();
        run.join().unwrap()
    });
    assert!(output(&prepared.unwrap()).starts_with("hello"));
}
