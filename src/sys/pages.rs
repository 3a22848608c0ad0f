//! The size of a page. The kernel passes it when the process begins: 4 KiB on x86-64, and 4, 16 or 64 KiB on AArch64.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::arch::LARGEST_PAGE;

/// The size of a page in bytes. Until it is known, the largest possible size: whole pages of that size are whole
/// pages of any size.
static BYTES: AtomicUsize = AtomicUsize::new(LARGEST_PAGE);

/// Stores the size that the kernel passed, in bytes.
pub fn set_page_bytes(bytes: u64) {
    let is_possible = |bytes: &usize| bytes.is_power_of_two() && *bytes <= LARGEST_PAGE;
    if let Some(bytes) = usize::try_from(bytes).ok().filter(is_possible) {
        BYTES.store(bytes, Ordering::Relaxed);
    }
}

/// The size of a page in bytes.
pub fn page_bytes() -> usize {
    BYTES.load(Ordering::Relaxed)
}

/// The whole pages around `bytes` bytes at `from`: the start, and the length in bytes.
pub fn pages_around(from: usize, bytes: usize) -> (usize, usize) {
    let page = page_bytes();
    let start = from & !(page - 1);
    (start, (from - start + bytes).next_multiple_of(page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_pages_are_around() {
        let page = page_bytes();
        assert_eq!(pages_around(page, page), (page, page));
        assert_eq!(pages_around(page + 1, page), (page, 2 * page));
        assert_eq!(pages_around(3 * page - 1, 1), (2 * page, page));
    }
}
