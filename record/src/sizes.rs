//! Calls by the size that they ask for.

use crate::counter::Counter;
use crate::functions::{Function, SELDOM_SIZED_COUNT, Sized};

/// Classes of size, by the position of the highest bit; sizes 0 and 1 share the first. Every size has one: the hot path need not
/// ask whether it is too large.
pub const SIZE_CLASSES: usize = u64::BITS as usize;

/// The calls of one function, by class of size.
pub type SizeClasses = [Counter; SIZE_CLASSES];

/// The class of a size in bytes.
#[inline(always)]
pub(crate) fn class_of(bytes: u64) -> usize {
    (63 - (bytes | 1).leading_zeros()) as usize
}

/// The calls of seldom functions by size: one table for all threads, so that the memory of a thread is small.
#[derive(Debug)]
#[repr(C)]
pub struct SeldomSizes {
    classes: [SizeClasses; SELDOM_SIZED_COUNT],
}

impl SeldomSizes {
    /// Counts a call of a function that has its classes here.
    pub fn count(&self, function: Function, requested: u64) {
        if let Some(classes) = self.of(function) {
            classes[class_of(requested)].add_shared(1);
        }
    }

    /// Calls of a function by size class; none if they are not counted here.
    pub fn of(&self, function: Function) -> Option<&SizeClasses> {
        match function.sized()? {
            Sized::Seldom(index) => Some(&self.classes[index]),
            Sized::Often(_) => None,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn only_seldom_functions_are_counted_in_the_table_of_the_process() {
        // SAFETY: made of atomics, for which zeroes are valid.
        let sizes = unsafe { Box::<SeldomSizes>::new_zeroed().assume_init() };
        sizes.count(Function::Mmap, 4096);
        sizes.count(Function::Mmap, 8191);
        sizes.count(Function::Malloc, 4096);
        let classes = sizes.of(Function::Mmap).unwrap();
        assert_eq!(classes[12].get(), 2);
        assert!(sizes.of(Function::Malloc).is_none());
        let all = sizes.classes.iter().flatten();
        assert_eq!(all.map(Counter::get).sum::<u64>(), 2);
    }
}
