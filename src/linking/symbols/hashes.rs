//! The hash table of an object's symbols: which symbols may have a name.

use std::ptr;

use super::read;
use crate::arch::prefetch;

/// A table as `DT_GNU_HASH` has it.
pub struct Gnu {
    /// The Bloom filter before the table. It lets the dynamic linker skip most objects.
    filter: *const u64,
    filter_mask: usize,
    filter_shift: u32,
    buckets: *const u32,
    bucket_count: u32,
    /// The hash of each symbol from `first` on.
    chain: *const u32,
    /// The first symbol in the table: those before it are not defined here.
    pub first: u32,
}

impl Gnu {
    /// # Safety
    /// There is a table at the address, which stays while the result is used.
    pub unsafe fn at(table: usize) -> Gnu {
        // SAFETY: as the caller promises: four words, the filter, the buckets, the chain.
        let [bucket_count, first, filter_words, filter_shift] = unsafe { read::<[u32; 4]>(table) };
        let filter = table + size_of::<[u32; 4]>();
        let buckets = filter + filter_words as usize * size_of::<u64>();
        let chain = buckets + bucket_count as usize * size_of::<u32>();
        Gnu {
            filter: ptr::with_exposed_provenance(filter),
            filter_mask: (filter_words as usize).wrapping_sub(1),
            filter_shift,
            buckets: ptr::with_exposed_provenance(buckets),
            bucket_count,
            chain: ptr::with_exposed_provenance(chain),
            first,
        }
    }

    /// Whether the table has no symbol. It does not say then how many symbols come before those that it has.
    pub fn is_empty(&self) -> bool {
        // SAFETY: a bucket of the table of an object that is loaded.
        self.bucket_count == 0 || (self.bucket_count == 1 && unsafe { self.buckets.read() } == 0)
    }

    /// Prefetches the first link of a hash's chain, and calls `expect` with the index of its symbol.
    pub fn expect(&self, hash: u32, expect: impl FnOnce(u32)) {
        if self.bucket_count == 0 {
            return;
        }
        // SAFETY: within the table of an object that is loaded.
        let index = unsafe { self.buckets.add((hash % self.bucket_count) as usize).read() };
        if index >= self.first {
            prefetch(self.chain.wrapping_add((index - self.first) as usize));
            expect(index);
        }
    }

    /// Calls `show` with the index of each symbol that has this hash, until it returns false.
    ///
    /// # Safety
    /// The same as for [`Gnu::at`].
    pub unsafe fn each(&self, hash: u32, mut show: impl FnMut(u32) -> bool) {
        // SAFETY: as the caller promises. The table's own numbers keep every index within the table.
        unsafe {
            let place = (hash / u64::BITS) as usize & self.filter_mask;
            let word = self.filter.add(place).read_unaligned();
            let bit = |hash: u32| word >> (hash % u64::BITS) & 1;
            if self.bucket_count == 0 || bit(hash) & bit(hash >> (self.filter_shift & 31)) == 0 {
                return;
            }
            let mut index = self.buckets.add((hash % self.bucket_count) as usize).read();
            if index < self.first {
                return;
            }
            loop {
                let found = self.chain.add((index - self.first) as usize).read();
                if found | 1 == hash | 1 && !show(index) {
                    return;
                }
                // This is the last symbol of its bucket.
                if found & 1 != 0 {
                    return;
                }
                index += 1;
            }
        }
    }
}

/// The hash of a name, as `DT_GNU_HASH` defines it.
pub const fn gnu_hash(name: &[u8]) -> u32 {
    let mut hash = 5381_u32;
    let mut index = 0;
    while index < name.len() {
        hash = hash.wrapping_mul(33).wrapping_add(name[index] as u32);
        index += 1;
    }
    hash
}

/// The hash of a name, as `DT_HASH` defines it.
pub fn system_v_hash(name: &[u8]) -> u32 {
    name.iter().fold(0_u32, |hash, &byte| {
        let hash = (hash << 4).wrapping_add(byte.into());
        let high = hash & 0xf000_0000;
        (hash ^ high >> 24) & !high
    })
}
