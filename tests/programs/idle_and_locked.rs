//! Four threads share a mutex of the standard library; each holds it for a millisecond, a hundred times. As long waits one
//! more thread, which has nothing to do until the end.

use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::Duration;

#[inline(never)]
fn use_shared(shared: &Mutex<u32>) {
    for _ in 0..100 {
        let mut count = shared.lock().unwrap();
        *count += 1;
        thread::sleep(Duration::from_millis(1));
    }
}

#[inline(never)]
fn wait_for_end(end: &(Mutex<bool>, Condvar)) {
    let mut has_ended = end.0.lock().unwrap();
    while !*has_ended {
        has_ended = end.1.wait(has_ended).unwrap();
    }
}

fn main() {
    let shared = Mutex::new(0);
    let end = (Mutex::new(false), Condvar::new());
    thread::scope(|scope| {
        scope.spawn(|| wait_for_end(&end));
        thread::scope(|users| {
            for _ in 0..4 {
                users.spawn(|| use_shared(&shared));
            }
        });
        *end.0.lock().unwrap() = true;
        end.1.notify_all();
    });
    assert_eq!(*shared.lock().unwrap(), 400);
}
