//! The rules that have been read, by return address: unwind information is looked up once for each.
//!
//! An entry is one word, a part of the return address and the rule, so that threads and signal handlers read and write entries
//! without a lock. The table has a fixed size. A full line gives up an entry, whose rule is read again if it is needed.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use super::rule::{self, Rule};
use crate::sys;

/// Bits of the number of lines.
const LINE_BITS: u32 = 13;
/// Entries of a line, which is a cache line.
const ENTRIES: usize = 8;
/// Bits of an address of a program. The kernel gives out higher ones only to who asks for them.
const ADDRESS_BITS: u32 = 47;
/// What of an address an entry has: the line has the rest.
const TAG_BITS: u32 = ADDRESS_BITS - LINE_BITS;
const _: () = assert!(TAG_BITS + rule::BITS == 64);

type Line = [AtomicU64; ENTRIES];

static LINES: AtomicPtr<Line> = AtomicPtr::new(ptr::null_mut());

/// Bytes of the table.
const BYTES: usize = size_of::<Line>() << LINE_BITS;

/// Makes the table, if there is none. False where there is no memory.
pub fn begin() -> bool {
    if !LINES.load(Ordering::Relaxed).is_null() {
        return true;
    }
    let Some(start) = sys::reserve(BYTES) else {
        return false;
    };
    LINES.store(start.cast(), Ordering::Release);
    true
}

/// Forgets all rules: code has gone, and other code may come to its addresses.
pub fn forget() {
    let lines = LINES.load(Ordering::Acquire);
    if !lines.is_null() {
        sys::empty(lines.cast(), BYTES);
    }
}

/// The line of a return address, and its tag: both together are one number, which no other address has, because a product with
/// an odd number can be undone.
#[inline(always)]
fn place(address: usize) -> (usize, u64) {
    const MASK: u64 = (1 << ADDRESS_BITS) - 1;
    let mixed = (address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) & MASK;
    let line = mixed >> TAG_BITS;
    (line as usize, mixed & ((1 << TAG_BITS) - 1))
}

fn line(index: usize) -> Option<&'static Line> {
    let lines = LINES.load(Ordering::Relaxed);
    // SAFETY: NULL, or the table, which is never given back, at a line of it.
    unsafe {
        lines.as_ref()?;
        lines.add(index).as_ref()
    }
}

/// The rule for a return address, if it has been read.
#[inline(always)]
pub fn find(address: usize) -> Option<Rule> {
    let (index, tag) = place(address);
    let entries = line(index)?;
    for entry in entries {
        let word = entry.load(Ordering::Relaxed);
        if word >> rule::BITS == tag && word != 0 {
            return Some(Rule::from_bits(word as u32 & ((1 << rule::BITS) - 1)));
        }
    }
    None
}

/// Keeps a rule.
pub fn keep(address: usize, rule: Rule) {
    if address as u64 >> ADDRESS_BITS != 0 {
        return;
    }
    let (index, tag) = place(address);
    let Some(entries) = line(index) else { return };
    let word = tag << rule::BITS | u64::from(rule.bits());
    // The address's own older rule, a free entry, or one that is given up.
    let is_own = |entry: &&AtomicU64| {
        let word = entry.load(Ordering::Relaxed);
        word == 0 || word >> rule::BITS == tag
    };
    let given_up = tag as usize % ENTRIES;
    let entry = entries.iter().find(is_own).unwrap_or(&entries[given_up]);
    entry.store(word, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stacks::call_frames::{Cfa, Row, Saved};

    fn rule(offset: i32) -> Rule {
        let row = Row {
            cfa: Cfa::Register(crate::arch::unwinding::STACK_POINTER, offset),
            frame_pointer: Saved::Same,
            return_address: Saved::AtCfa(-8),
            is_signal_frame: false,
        };
        Rule::of(Some(row), false)
    }

    /// Whatever is kept beside it, an address has its own rule or none.
    #[test]
    fn an_address_has_its_own_rule_or_none() {
        assert!(begin());
        let address = |index: usize| 0x5555_5555_0000 + index * 5;
        let offset = |index: usize| 16 + (index % 1000) as i32 * 16;
        for index in 0..200_000 {
            keep(address(index), rule(offset(index)));
            assert_eq!(find(address(index)), Some(rule(offset(index))));
        }
        let found = (0..200_000).filter(|&index| match find(address(index)) {
            None => false,
            Some(found) => {
                assert_eq!(found, rule(offset(index)));
                true
            }
        });
        let found = found.count();
        assert!(found > 40_000 && found <= ENTRIES << LINE_BITS, "{found}");
        assert_eq!(find(1 << 60), None);
        forget();
        assert_eq!(find(address(199_999)), None);
    }
}
