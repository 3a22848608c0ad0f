//! The program's own image, with the texts in its code: it stays, and can be read.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::environment;

/// The most segments that are known.
const MOST: usize = 8;

/// Where the readable segments begin and end.
static SEGMENTS: [[AtomicUsize; 2]; MOST] = [const { [const { AtomicUsize::new(0) }; 2] }; MOST];
static ARE_KNOWN: AtomicBool = AtomicBool::new(false);

/// Where the readable segment ends that has an address; none if none has.
pub fn end_from(address: usize) -> Option<usize> {
    if !ARE_KNOWN.load(Ordering::Acquire) {
        look();
    }
    SEGMENTS.iter().find_map(|[start, end]| {
        let end = end.load(Ordering::Relaxed);
        (start.load(Ordering::Relaxed)..end)
            .contains(&address)
            .then_some(end)
    })
}

#[cold]
#[inline(never)]
fn look() {
    let (at, count) = environment::get().program_headers;
    if at != 0 {
        // SAFETY: where the kernel says that they are, for as long as the program runs.
        let headers: &[libc::Elf64_Phdr] =
            unsafe { std::slice::from_raw_parts(ptr::with_exposed_provenance(at), count) };
        let own = headers.iter().find(|of| of.p_type == libc::PT_PHDR);
        // Without this entry, the addresses are fixed.
        let base = own.map_or(0, |own| at.wrapping_sub(own.p_vaddr as usize));
        let is_readable =
            |of: &&libc::Elf64_Phdr| of.p_type == libc::PT_LOAD && of.p_flags & libc::PF_R != 0;
        for (place, of) in SEGMENTS.iter().zip(headers.iter().filter(is_readable)) {
            let start = base.wrapping_add(of.p_vaddr as usize);
            place[0].store(start, Ordering::Relaxed);
            place[1].store(start.saturating_add(of.p_memsz as usize), Ordering::Relaxed);
        }
    }
    ARE_KNOWN.store(true, Ordering::Release);
}
