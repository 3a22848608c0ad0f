//! Work of our own that can be given up, so that our failure never ends the program.
//!
//! If Rust gets no memory, or panics, it prints a message and ends the process. So [`attempt`] does the writer's
//! work. A failed allocation, or a panic, returns straight to it, as longjmp does. No frame in between is unwound:
//! what the frames held is leaked, including locks. So the caller must not use anything that the work may have left
//! half changed.

use std::cell::Cell;
use std::ffi::c_void;

use crate::arch::{go, go_back};
use crate::sys;

/// Why work was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Reason {
    /// There was no memory.
    Memory = 1,
    /// The work panicked.
    Panic = 2,
}

thread_local! {
    /// The stack pointer of the thread's current attempt; 0 if there is none.
    static WAY_OUT: Cell<usize> = const { Cell::new(0) };
}

/// From now on, a panic gives up the current attempt and prints nothing.
pub fn watch_panics() {
    // The closure captures nothing, so its box takes no memory.
    std::panic::set_hook(Box::new(|_| give_up(Reason::Panic)));
}

/// Does `work`, which may be given up.
///
/// # Errors
/// The reason for which it was given up.
pub fn attempt<F: FnOnce()>(work: F) -> Result<(), Reason> {
    extern "C" fn call<F: FnOnce()>(work: *mut c_void) {
        // SAFETY: `work` points to the variable below, and this is called once.
        if let Some(work) = unsafe { (*work.cast::<Option<F>>()).take() } {
            work();
        }
    }
    if !sys::has_thread_area() {
        // A thread without thread-local storage cannot store the way out.
        work();
        return Ok(());
    }
    let before = WAY_OUT.get();
    let mut work = Some(work);
    // SAFETY: `call` returns, or the thread comes back by `go_back` while this frame exists: `WAY_OUT` refers to this
    // frame only until the next statement.
    let reason = unsafe {
        go(
            (&raw mut work).cast(),
            call::<F>,
            WAY_OUT.with(Cell::as_ptr),
        )
    };
    WAY_OUT.set(before);
    match reason {
        0 => Ok(()),
        1 => Err(Reason::Memory),
        _ => Err(Reason::Panic),
    }
}

/// Gives up the calling thread's current attempt. Returns if there is none.
pub fn give_up(reason: Reason) {
    if sys::has_thread_area() {
        let way_out = WAY_OUT.get();
        if way_out != 0 {
            // SAFETY: `go` has stored it. Its frame still exists, because `attempt` resets `WAY_OUT` before it
            // returns.
            unsafe { go_back(way_out, reason as usize) }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::alloc::{Layout, alloc};
    use std::hint::black_box;

    use super::*;

    /// More bytes than there is memory.
    const TOO_MUCH: usize = 1 << 50;

    #[test]
    fn what_is_done_is_done() {
        let mut sum = 0;
        assert_eq!(
            attempt(|| sum = black_box(vec![1, 2, 3]).iter().sum()),
            Ok(())
        );
        assert_eq!(sum, 6);
    }

    #[test]
    fn what_gets_no_memory_is_given_up() {
        // The values that a function must preserve are preserved across a failed attempt.
        let kept: Vec<u64> = (0..12).map(black_box).collect();
        let mut reached = 0;
        for round in 1..=100 {
            let came_to = attempt(|| {
                reached += 1;
                drop(black_box(Vec::<u8>::with_capacity(black_box(TOO_MUCH))));
                reached += 1000;
            });
            assert_eq!(came_to, Err(Reason::Memory));
            assert_eq!(reached, round);
        }
        assert_eq!(kept, Vec::from_iter(0..12));
    }

    #[test]
    fn an_attempt_within_another_is_given_up_alone() {
        let mut inner = Ok(());
        let outer = attempt(|| {
            inner = attempt(|| drop(black_box(Vec::<u8>::with_capacity(black_box(TOO_MUCH)))));
        });
        assert_eq!((inner, outer), (Err(Reason::Memory), Ok(())));
    }

    #[test]
    fn outside_of_an_attempt_no_memory_is_an_answer() {
        let _ = attempt(|| ());
        let layout = Layout::from_size_align(TOO_MUCH, 16).unwrap();
        // SAFETY: the size is not zero.
        assert!(black_box(unsafe { alloc(layout) }).is_null());
    }

    /// Runs in a process of its own, because the hook that it sets applies to all tests.
    #[test]
    fn a_panic_is_given_up_in_silence() {
        const VARIABLE: &str = "WEIR_TEST_PANICS";
        if std::env::var_os(VARIABLE).is_some() {
            watch_panics();
            let came_to = std::thread::spawn(|| {
                attempt(|| {
                    let nothing: &[u32] = black_box(&[]);
                    assert_eq!(nothing[black_box(0)], 1);
                })
            });
            let is_given_up = came_to.join().unwrap() == Err(Reason::Panic);
            // The hook is never released, and the test harness's `main` would wait to replace it.
            std::process::exit(i32::from(!is_given_up));
        }
        let name = "giving_up::tests::a_panic_is_given_up_in_silence";
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact", "--nocapture"])
            .env(VARIABLE, "1")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
    }
}
