//! Concurrent compilations of the same project.

use std::fs::File;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use fabrs_launcher::{BuildEvent, BuildProgress, ensure_compiled};

use crate::test_dir::{TestDir, output};

#[test]
fn two_processes_compile_once() {
    let dir = TestDir::new();
    let project = dir.project("shop", "fabrs::task!(\"hello\");");
    let runs = thread::scope(|scope| {
        let runs = [(), ()].map(|()| scope.spawn(|| dir.try_compile(&project, &[])));
        runs.map(|run| run.join().unwrap())
    });
    assert_eq!(runs.iter().filter(|(_, events)| events.is_compiling()).count(), 1);
    for (compiled, _) in runs {
        assert!(output(&compiled.unwrap()).starts_with("hello"));
    }
}

struct WaitObserver(Sender<()>);

impl BuildProgress for WaitObserver {
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
fn waiting_for_another_process_is_reported() {
    let dir = TestDir::new();
    let project = dir.project("shop", "");
    dir.run(&project);
    // A changed file needs the lock.
    dir.project("shop", "fabrs::task!(\"hello\");");

    let other = File::options().write(true).open(dir.cache_folder(&project).join("lock")).unwrap();
    other.lock().unwrap();
    let (sender, waits) = channel();
    let compiled = thread::scope(|scope| {
        let run = scope.spawn(|| ensure_compiled(&project, &dir.environment(&[]), &mut WaitObserver(sender)));
        waits.recv().unwrap();
        other.unlock().unwrap();
        run.join().unwrap()
    });
    assert!(output(&compiled.unwrap()).starts_with("hello"));
}
