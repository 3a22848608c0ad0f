//! Locks that a language or a library brings itself. A wait for one is a system call at a futex, as other waits are: the
//! functions on its stack say which it is.

use super::Sites;

/// Where functions are, and what those are called in which a thread waits for a lock that another one has. They are out of
/// line, so they are on the stack of every wait (library/std/src/sys/sync of Rust; raw_mutex.rs and raw_rwlock.rs of
/// parking_lot; synchronization/mutex.cc of Abseil).
const WAITS: [(&str, &[&str]); 3] = [
    (
        "std::sys::",
        &["lock_contended", "read_contended", "write_contended"],
    ),
    (
        "parking_lot::",
        &[
            "lock_slow",
            "lock_shared_slow",
            "lock_exclusive_slow",
            "lock_upgradable_slow",
            "upgrade_slow",
            "wait_for_readers",
        ],
    ),
    (
        "absl::",
        &["LockSlow", "LockSlowLoop", "LockSlowWithDeadline"],
    ),
];

impl Sites {
    /// For each frame, whether a call from there at a futex waits for such a lock.
    pub fn lock_waits(&self) -> Vec<bool> {
        let mut waits: Vec<bool> = Vec::with_capacity(self.stacks.frames.len());
        for (index, frame) in (0..).zip(&self.stacks.frames) {
            let points = self.points.of_frame(index).iter();
            let mut functions = points.map(|&point| self.points.get(point).function.as_str());
            // A frame comes after its caller.
            let caller = frame.parent.is_some_and(|parent| waits[parent as usize]);
            waits.push(caller || functions.any(is_lock_wait));
        }
        waits
    }
}

fn is_lock_wait(function: &str) -> bool {
    let without_arguments = function.split('(').next().unwrap_or_default();
    let name = without_arguments.rsplit("::").next().unwrap_or_default();
    WAITS
        .iter()
        .any(|(place, names)| without_arguments.contains(place) && names.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_that_wait_for_locks_are_known_by_their_names() {
        for function in [
            "std::sys::sync::mutex::futex::Mutex::lock_contended",
            "<std::sys::sync::rwlock::futex::RwLock>::write_contended",
            "parking_lot::raw_mutex::RawMutex::lock_slow",
            "<parking_lot::raw_rwlock::RawRwLock>::lock_exclusive_slow",
            "absl::lts_20220623::Mutex::LockSlow(absl::MuHowS const*, absl::Condition const*, int)",
        ] {
            assert!(is_lock_wait(function), "{function}");
        }
        for function in [
            "std::sys::sync::condvar::futex::Condvar::wait_optional_timeout",
            "std::sys::sync::thread_parking::futex::Parker::park",
            "parking_lot::condvar::Condvar::wait_until_internal",
            "app::queue::lock_slow",
            "app::run(parking_lot::raw_mutex::RawMutex::lock_slow)",
        ] {
            assert!(!is_lock_wait(function), "{function}");
        }
    }
}
