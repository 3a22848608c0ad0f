//! The slowest calls of a family of functions in one thread, with facts for which a sample has no room.
//!
//! The calling thread keeps them. They are not taken from the samples, so a full ring loses none of them.

use crate::counter::Counter;

/// How many calls are kept for a family in a thread.
pub const KEPT: usize = 12;

/// What is known of a slow call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowCall {
    /// The function's place in the table.
    pub function: u64,
    /// Duration in ticks.
    pub took_ticks: u64,
    /// The time-stamp counter when it began.
    pub began_ticks: u64,
    /// The size it asked for.
    pub size: u64,
    /// Its descriptor; -1 where it has none.
    pub fd: i32,
    /// The thread that made it.
    pub tid: u32,
}

/// The slowest calls of one family.
#[derive(Debug)]
#[repr(C)]
pub struct SlowCalls {
    entries: [Entry; KEPT],
}

#[derive(Debug)]
#[repr(C)]
struct Entry {
    function: Counter,
    took_ticks: Counter,
    began_ticks: Counter,
    size: Counter,
    fd_and_tid: Counter,
}

impl SlowCalls {
    /// Keeps a call in place of the least slow one. Returns how slow a call must now be to be kept.
    ///
    /// A signal handler that comes here in the middle of it may leave an entry made of two calls, both
    /// slow and of this family.
    pub fn keep(&self, call: SlowCall) -> u64 {
        let mut least = &self.entries[0];
        for entry in &self.entries {
            if entry.took_ticks.get() < least.took_ticks.get() {
                least = entry;
            }
        }
        least.function.set(call.function);
        least.began_ticks.set(call.began_ticks);
        least.size.set(call.size);
        least
            .fd_and_tid
            .set(u64::from(call.fd.cast_unsigned()) << 32 | u64::from(call.tid));
        least.took_ticks.set(call.took_ticks);
        self.entries
            .iter()
            .map(|entry| entry.took_ticks.get())
            .min()
            .unwrap_or(0)
    }

    /// The calls that were kept, in no order.
    pub fn iter(&self) -> impl Iterator<Item = SlowCall> {
        self.entries
            .iter()
            .filter(|entry| entry.took_ticks.get() != 0)
            .map(|entry| {
                let fd_and_tid = entry.fd_and_tid.get();
                SlowCall {
                    function: entry.function.get(),
                    took_ticks: entry.took_ticks.get(),
                    began_ticks: entry.began_ticks.get(),
                    size: entry.size.get(),
                    fd: ((fd_and_tid >> 32) as u32).cast_signed(),
                    tid: fd_and_tid as u32,
                }
            })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_slowest() {
        let slow = SlowCalls {
            entries: std::array::from_fn(|_| Entry {
                function: Counter::new(),
                took_ticks: Counter::new(),
                began_ticks: Counter::new(),
                size: Counter::new(),
                fd_and_tid: Counter::new(),
            }),
        };
        let mut floor = 0;
        for took_ticks in (1..=KEPT as u64).chain([5, 900, 3, 70, 40, 8, 41]) {
            if took_ticks > floor {
                floor = slow.keep(SlowCall {
                    function: 3,
                    took_ticks,
                    began_ticks: 1,
                    size: 2,
                    fd: -1,
                    tid: 7,
                });
            }
        }
        let mut kept: Vec<u64> = slow.iter().map(|call| call.took_ticks).collect();
        kept.sort_unstable();
        assert_eq!(kept, [6, 7, 8, 8, 9, 10, 11, 12, 40, 41, 70, 900]);
        assert_eq!(floor, 6);
        assert!(
            slow.iter()
                .all(|call| (call.function, call.fd, call.tid, call.size) == (3, -1, 7, 2))
        );
    }
}
