//! Memory that may not be there: the kernel is asked about it, or copies it.

use std::ffi::c_void;
use std::ptr;

use std::sync::atomic::{AtomicU8, Ordering};

use super::{allowed, call, is_filtered, page_bytes, pid};

/// Whether the kernel can read `bytes` bytes from here on. Of more than 4096 bytes, only the first 4096 are checked.
pub fn is_readable(from: *const c_void, bytes: usize) -> bool {
    const WORD: usize = 8;
    const NO_SUCH_WAY: usize = usize::MAX;
    // Eight aligned bytes are within one page. The kernel reads the set before it looks at the operation
    // (kernel/signal.c, `sys_rt_sigprocmask`). Then it fails, because there is no such operation.
    let word_at = |address: usize| {
        let arguments = [NO_SUCH_WAY, address & !(WORD - 1), 0, WORD, 0];
        // SAFETY: the call changes nothing, because it fails for one reason or the other.
        let result = unsafe { call(libc::SYS_rt_sigprocmask, arguments) };
        result == -(libc::EINVAL as isize)
    };
    let last = bytes.saturating_sub(1).min(4095);
    let (first, last) = (from.addr(), from.addr().wrapping_add(last));
    word_at(first) && (first / WORD == last / WORD || word_at(last))
}

/// Whether the page of an address is mapped and in memory; true where the kernel does not say. To read it takes no time then.
/// The kernel writes what it says to `state`.
#[inline(always)]
pub fn is_resident(address: usize, state: &mut u8) -> bool {
    const IN_MEMORY: u8 = 1;
    let page = page_bytes();
    let arguments = [
        address & !(page - 1),
        page,
        ptr::from_mut(state).addr(),
        0,
        0,
    ];
    // SAFETY: the kernel writes a byte for one page (mincore(2)).
    let result = unsafe { call(libc::SYS_mincore, arguments) };
    match result {
        0 => *state & IN_MEMORY != 0,
        error => error == -(libc::ENOSYS as isize),
    }
}

/// Copies memory of the calling process that may not be mapped: these parts one after the other, as far as they can
/// be read. Returns how many bytes were copied; `None` if the kernel refuses the call.
pub fn peek(parts: &[libc::iovec], into: &mut [u8]) -> Option<usize> {
    let local = libc::iovec {
        iov_base: into.as_mut_ptr().cast(),
        iov_len: into.len(),
    };
    // SAFETY: ours alone.
    unsafe { peek_to(&local, parts) }
}

/// The same, where what describes the room for it stands in memory of the caller's: it takes less of the stack.
///
/// # Safety
/// The room can be written, and nobody else reads or writes it.
#[inline(always)]
pub unsafe fn peek_to(room: &libc::iovec, parts: &[libc::iovec]) -> Option<usize> {
    let _allowed = allowed()?;
    let arguments = [
        pid() as usize,
        ptr::from_ref(room).addr(),
        1,
        parts.as_ptr().addr(),
        parts.len(),
    ];
    // SAFETY: the kernel writes no more than the room, as the caller promises, and checks what it reads
    // (process_vm_readv(2)).
    let result = unsafe { call(libc::SYS_process_vm_readv, arguments) };
    match usize::try_from(result) {
        Ok(bytes) => Some(bytes),
        Err(_) if result == -(libc::EFAULT as isize) => Some(0),
        Err(_) => {
            COPIES.store(NO, Ordering::Relaxed);
            None
        }
    }
}

/// The same of so many bytes from an address on, up to the first page that cannot be read.
#[inline(always)]
pub fn peek_at(from: usize, into: &mut [u8]) -> Option<usize> {
    const SMALLEST_PAGE: usize = 4096;
    let mut done = 0;
    while done < into.len() {
        let at = from.wrapping_add(done);
        // The kernel may copy none of what it cannot copy to its end, so it is never asked for bytes of two pages.
        let asked = (into.len() - done).min(SMALLEST_PAGE - at % SMALLEST_PAGE);
        let part = libc::iovec {
            iov_base: ptr::with_exposed_provenance_mut(at),
            iov_len: asked,
        };
        let copied = peek(&[part], &mut into[done..done + asked])?;
        done += copied;
        if copied < asked {
            break;
        }
    }
    Some(done)
}

/// Where the heap ends now that brk(2) extends; 0 where the kernel does not say.
pub fn heap_end() -> usize {
    // SAFETY: no heap can end there, so the kernel only returns where it ends.
    let end = unsafe { call(libc::SYS_brk, [0; 5]) };
    usize::try_from(end).unwrap_or(0)
}

/// Whether the kernel copies: 0 as long as nobody has asked.
static COPIES: AtomicU8 = AtomicU8::new(0);
const YES: u8 = 1;
const NO: u8 = 2;

/// Whether the kernel copies the process's memory for it, as far as is known: it has not refused. A filter that the process was started
/// with may end it for a call that it does not expect: then it is not tried. In a sealed process it is not asked.
#[inline(always)]
pub fn can_peek() -> bool {
    match COPIES.load(Ordering::Relaxed) {
        0 => may_try(),
        known => known == YES,
    }
}

#[cold]
#[inline(never)]
fn may_try() -> bool {
    let Some(_allowed) = allowed() else {
        return false;
    };
    let may = !is_filtered();
    COPIES.store(if may { YES } else { NO }, Ordering::Relaxed);
    may
}

/// Finds out whether the kernel copies, unless that is known.
pub fn try_to_peek() {
    let word = [1; size_of::<usize>()];
    let mut copy = [0; size_of::<usize>()];
    if can_peek() && peek_at(word.as_ptr().addr(), &mut copy) != Some(word.len()) {
        COPIES.store(NO, Ordering::Relaxed);
    }
}
