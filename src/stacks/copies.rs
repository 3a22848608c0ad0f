//! Memory that may be taken away while it is read: it is copied by the kernel, page by page.

use std::ptr;

use crate::sys;

const PAGE: usize = 4096;

/// Copies of so many pages.
#[repr(C)]
pub struct Copies<const PAGES: usize> {
    next: usize,
    /// The pages' addresses; 0 where there is none.
    at: [usize; PAGES],
    /// What the kernel is asked, and what it says: here, because the thread's stack may be small.
    from: libc::iovec,
    to: libc::iovec,
    state: u8,
    pages: [[u8; PAGE]; PAGES],
}

impl<const PAGES: usize> Copies<PAGES> {
    /// Forgets what was copied.
    #[inline(always)]
    pub fn forget(&mut self) {
        self.at = [0; PAGES];
    }

    /// The word at an aligned address.
    #[inline(always)]
    pub fn word(&mut self, at: usize) -> Option<usize> {
        let index = self.index(at)?;
        let (words, _) = self.pages[index].as_chunks::<{ size_of::<usize>() }>();
        let word = words[(at % PAGE) / size_of::<usize>()];
        Some(usize::from_ne_bytes(word))
    }

    /// Copies what is at an address.
    #[inline(never)]
    pub fn copy(&mut self, mut at: usize, mut into: &mut [u8]) -> Option<()> {
        while !into.is_empty() {
            let page = &self.pages[self.index(at)?];
            let part = &page[at % PAGE..];
            let count = part.len().min(into.len());
            let (now, rest) = into.split_at_mut(count);
            now.copy_from_slice(&part[..count]);
            at += count;
            into = rest;
        }
        Some(())
    }

    /// Which page has an address.
    #[inline(always)]
    fn index(&mut self, address: usize) -> Option<usize> {
        let page = address & !(PAGE - 1);
        match self.at.iter().position(|&at| at == page) {
            Some(index) => Some(index),
            None => self.fetch(page),
        }
    }

    #[cold]
    #[inline(never)]
    fn fetch(&mut self, page: usize) -> Option<usize> {
        let _allowed = sys::allowed()?;
        // The kernel would wait for what fills a page (userfaultfd(2)) which nobody has touched yet.
        if page == 0 || !sys::is_resident(page, &mut self.state) {
            return None;
        }
        let index = self.next % PAGES;
        self.next = index + 1;
        self.at[index] = 0;
        self.from = libc::iovec {
            iov_base: ptr::with_exposed_provenance_mut(page),
            iov_len: PAGE,
        };
        self.to = libc::iovec {
            iov_base: self.pages[index].as_mut_ptr().cast(),
            iov_len: PAGE,
        };
        // SAFETY: the page of this index is ours alone.
        let copied = unsafe { sys::peek_to(&self.to, std::slice::from_ref(&self.from)) };
        if copied != Some(PAGE) {
            return None;
        }
        self.at[index] = page;
        Some(index)
    }
}
