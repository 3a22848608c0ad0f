//! The process's arguments, read at the place where the kernel has put them. /proc/self/cmdline shows the same
//! memory, but takes four system calls.

use std::ffi::CStr;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{peek, read_file};

/// The addresses of the first argument, and of the byte after the last argument's NUL. Both are 0 if they are not
/// known.
static FROM: AtomicUsize = AtomicUsize::new(0);
static TO: AtomicUsize = AtomicUsize::new(0);

/// Finds the arguments. `stack_end` is the address of the dynamic linker's variable `__libc_stack_end`, or 0. For the
/// start of the process.
pub fn find(stack_end: usize) {
    // The variable contains the stack pointer with which the kernel started the process.
    let place: *const usize = ptr::with_exposed_provenance(stack_end);
    // SAFETY: the dynamic linker's variable, a word.
    let stack = unsafe { place.as_ref() }.map_or(0, |place| *place);
    if let Some((from, to)) = at(stack) {
        FROM.store(from, Ordering::Relaxed);
        TO.store(to, Ordering::Relaxed);
    }
}

/// The largest number of arguments that is accepted.
const MOST: usize = 1 << 20;

/// A process's stack starts with the number of arguments, a pointer to each, and NULL (System V ABI, AMD64
/// supplement, 3.4.1). The texts lie above, one after the other.
fn at(stack: usize) -> Option<(usize, usize)> {
    const WORD: usize = size_of::<usize>();
    if stack == 0 || !stack.is_multiple_of(WORD) {
        return None;
    }
    // SAFETY: the stack of the process's first thread, upwards from its start, which stays mapped.
    let word = |index: usize| unsafe {
        ptr::with_exposed_provenance::<usize>(stack + index * WORD).read()
    };
    let count = word(0);
    if count == 0 || count > MOST || word(count + 1) != 0 {
        return None;
    }
    let (first, last) = (word(1), word(count));
    if first <= stack || last < first {
        return None;
    }
    // SAFETY: the last argument, a C string.
    let length = unsafe { CStr::from_ptr(ptr::with_exposed_provenance(last)) }.count_bytes();
    Some((first, last + length + 1))
}

/// Copies the arguments, each ended by NUL, as far as they fit. The process may have overwritten them by now.
pub fn command_line(buffer: &mut [u8]) -> &[u8] {
    let (from, to) = (FROM.load(Ordering::Relaxed), TO.load(Ordering::Relaxed));
    let length = to.saturating_sub(from).min(buffer.len());
    let part = libc::iovec {
        iov_base: ptr::with_exposed_provenance_mut(from),
        iov_len: length,
    };
    if length > 0 && peek(&[part], &mut buffer[..length]) == Some(length) {
        return &buffer[..length];
    }
    read_file(c"/proc/self/cmdline", buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C" {
        /// The dynamic linker's variable.
        static __libc_stack_end: usize;
    }

    #[test]
    fn they_are_what_the_kernel_shows() {
        let (mut shown, mut read) = ([0; 4096], [0; 4096]);
        let shown = read_file(c"/proc/self/cmdline", &mut shown);
        assert!(!shown.is_empty());
        find((&raw const __libc_stack_end).expose_provenance());
        assert_ne!(FROM.load(Ordering::Relaxed), 0);
        assert_eq!(command_line(&mut read), shown);
        let (few, _) = shown.split_at(5);
        assert_eq!(command_line(&mut read[..5]), few);
    }

    #[test]
    fn what_is_no_start_of_a_stack_is_not_believed() {
        let text = c"text";
        let of = |words: &[usize]| at(words.as_ptr().expose_provenance());
        assert_eq!(of(&[0, 0]), None);
        assert_eq!(of(&[MOST + 1, 0]), None);
        assert_eq!(of(&[1, text.as_ptr().expose_provenance(), 7]), None);
        assert_eq!(of(&[1, 1, 0]), None);
        assert_eq!(at(0), None);
        assert_eq!(at(7), None);
    }
}
