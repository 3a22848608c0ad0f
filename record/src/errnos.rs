//! Failed calls by errno: a small open-addressed table, keyed by function and errno.
//!
//! Programs have only a few pairs. A call that does not fit is still in the function's `errors`; the
//! reader reports the difference.

use crate::counter::{Adder, Counter};
use crate::functions::Function;
use crate::sync::{AtomicU64, Ordering};

/// How many pairs of function and errno a table holds.
pub const CAPACITY: usize = 256;

/// The table of one slot.
#[derive(Debug)]
#[repr(C)]
pub struct Errnos {
    entries: [Entry; CAPACITY],
}

#[derive(Debug)]
#[repr(C)]
struct Entry {
    /// 0, or function and errno (never 0) as [`key`] packs them.
    key: AtomicU64,
    count: Counter,
}

fn key(function: Function, errno: i32) -> u64 {
    (function.index() as u64) << 32 | u64::from(errno.cast_unsigned())
}

impl Errnos {
    /// Counts a call of `function` that failed with `errno`.
    pub fn count<A: Adder>(&self, function: Function, errno: i32) {
        if errno == 0 {
            return;
        }
        let key = key(function, errno);
        let first = (function.index() * 31 + errno as usize) % CAPACITY;
        for step in 0..CAPACITY {
            let entry = &self.entries[(first + step) % CAPACITY];
            let mut found = entry.key.load(Ordering::Relaxed);
            if found == 0 {
                // A signal handler, or a thread of the common slot, may be filling it too.
                let claim =
                    entry
                        .key
                        .compare_exchange(0, key, Ordering::Relaxed, Ordering::Relaxed);
                found = claim.map_or_else(|other| other, |_| key);
            }
            if found == key {
                A::add(&entry.count, 1);
                return;
            }
        }
    }

    /// Every pair that makes sense, with its count.
    pub fn iter(&self) -> impl Iterator<Item = (Function, i32, u64)> {
        self.entries.iter().filter_map(|entry| {
            let key = entry.key.load(Ordering::Relaxed);
            let function = Function::from_index(usize::try_from(key >> 32).ok()?)?;
            let errno = (key as u32).cast_signed();
            let count = entry.count.get();
            (errno != 0 && count != 0).then_some((function, errno, count))
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::counter::{Alone, Shared};

    fn empty() -> Box<Errnos> {
        Box::new(Errnos {
            entries: std::array::from_fn(|_| Entry {
                key: AtomicU64::new(0),
                count: Counter::new(),
            }),
        })
    }

    #[test]
    fn counts_by_function_and_errno() {
        let errnos = empty();
        errnos.count::<Alone>(Function::Read, 11);
        errnos.count::<Shared>(Function::Read, 11);
        errnos.count::<Alone>(Function::Write, 11);
        errnos.count::<Alone>(Function::Write, 0);
        let mut pairs: Vec<_> = errnos.iter().collect();
        pairs.sort_by_key(|&(function, ..)| function.index());
        assert_eq!(pairs, [(Function::Read, 11, 2), (Function::Write, 11, 1)]);
    }

    #[test]
    fn a_full_table_leaves_the_rest_out() {
        let errnos = empty();
        for errno in 1..=300 {
            errnos.count::<Alone>(Function::Open, errno);
        }
        assert_eq!(errnos.iter().count(), CAPACITY);
        assert!(errnos.iter().all(|(_, _, count)| count == 1));
    }
}
