//! Which thread has a slot.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::counter::Counter;

/// Whose a slot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Tenancy {
    /// Nobody has had it.
    Free = 0,
    /// A thread has it.
    Taken = 1,
    /// Its thread ended; another may take over.
    Ended = 2,
}

/// The thread that has a slot.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Owner {
    tenancy: AtomicU32,
    /// Thread id of the latest owner.
    tid: AtomicU32,
    /// How many threads have had the slot.
    threads: Counter,
    /// The time-stamp counter when the first owner took it.
    began_ticks: Counter,
    /// The name of the latest owner: 16 bytes, NUL-padded, as the kernel keeps it.
    name: [Counter; 2],
}

impl Owner {
    /// Takes the slot if it is as `from` says.
    pub fn take(&self, from: Tenancy, tid: u32, name: [u64; 2], now_ticks: u64) -> bool {
        let taken = self.tenancy.compare_exchange(
            from as u32,
            Tenancy::Taken as u32,
            Ordering::Acquire,
            Ordering::Relaxed,
        );
        if taken.is_err() {
            return false;
        }
        if self.threads.get() == 0 {
            self.began_ticks.set(now_ticks);
        }
        self.threads.add(1);
        self.tid.store(tid, Ordering::Relaxed);
        self.rename(name);
        true
    }

    /// Sets the name of the owner.
    pub fn rename(&self, name: [u64; 2]) {
        self.name[0].set(name[0]);
        self.name[1].set(name[1]);
    }

    /// Leaves the slot to the next thread, which will see all that this one wrote.
    pub fn leave(&self) {
        self.tenancy.store(Tenancy::Ended as u32, Ordering::Release);
    }

    /// Whether a thread has the slot now.
    pub fn is_taken(&self) -> bool {
        self.tenancy.load(Ordering::Relaxed) == Tenancy::Taken as u32
    }

    /// Thread id of the latest owner.
    pub fn tid(&self) -> u32 {
        self.tid.load(Ordering::Relaxed)
    }

    /// How many threads have had the slot.
    pub fn threads(&self) -> u64 {
        self.threads.get()
    }

    /// The time-stamp counter when the first owner took it.
    pub fn began_ticks(&self) -> u64 {
        self.began_ticks.get()
    }

    /// The name of the latest owner, NUL-padded.
    pub fn name(&self) -> [u8; 16] {
        let mut name = [0; 16];
        name[..8].copy_from_slice(&self.name[0].get().to_ne_bytes());
        name[8..].copy_from_slice(&self.name[1].get().to_ne_bytes());
        name
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::slot::tests::zeroed;

    #[test]
    fn a_slot_passes_from_thread_to_thread() {
        let slot = zeroed();
        let name = [u64::from_ne_bytes(*b"worker\0\0"), 0];
        assert!(slot.owner.take(Tenancy::Free, 10, name, 99));
        assert!(!slot.owner.take(Tenancy::Free, 11, name, 100));
        slot.owner.leave();
        assert!(!slot.owner.is_taken());
        assert!(slot.owner.take(Tenancy::Ended, 12, name, 101));
        assert_eq!(
            (
                slot.owner.tid(),
                slot.owner.threads(),
                slot.owner.began_ticks()
            ),
            (12, 2, 99)
        );
        assert_eq!(&slot.owner.name()[..7], b"worker\0");
    }
}
