//! What a path or a pointer of the program's leads to. The kernel is asked, because the pointer may be invalid and
//! the file may not exist.

use std::ffi::{CStr, c_char, c_int};
use std::mem::MaybeUninit;

use super::locks;
use super::{call, peek};

/// Why nothing was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unseen {
    /// The path cannot be read.
    Unreadable,
    /// No file has this path.
    Missing,
    /// Another error of the kernel's.
    Otherwise,
}

/// The type and mode of the file with this path, relative to a directory. With an empty path, those of the file that
/// `dir` itself leads to.
///
/// # Errors
/// The reason why they are not known.
pub fn mode(dir: c_int, path: *const c_char) -> Result<u32, Unseen> {
    status(dir, path).map(|status| status.st_mode)
}

/// What the kernel says of that file: its type, and its identity.
///
/// # Errors
/// The reason why it is not known.
pub fn status(dir: c_int, path: *const c_char) -> Result<libc::stat, Unseen> {
    if path.is_null() {
        // Newer kernels take NULL for an empty path.
        return Err(Unseen::Unreadable);
    }
    let mut answer = MaybeUninit::<libc::stat>::uninit();
    let arguments = [
        dir as usize,
        path.addr(),
        answer.as_mut_ptr().addr(),
        libc::AT_EMPTY_PATH as usize,
        0,
    ];
    // SAFETY: the kernel reads the path, and fails if it cannot; it writes a `struct stat`.
    let result = unsafe { call(libc::SYS_newfstatat, arguments) };
    match -result as c_int {
        // SAFETY: the kernel has written it.
        0 => Ok(unsafe { answer.assume_init() }),
        libc::EFAULT => Err(Unseen::Unreadable),
        libc::ENOENT | libc::ENOTDIR => Err(Unseen::Missing),
        _ => Err(Unseen::Otherwise),
    }
}

/// An open file that Weir reads.
pub struct Looked {
    fd: c_int,
    is_ours: bool,
}

impl Looked {
    /// Opens a file for reading. `None` if that fails. If the process has the file open, its descriptor is used: to close one of our
    /// own would release the locks that the process has on the file (fcntl(2), "Advisory record locking").
    pub fn open(dir: c_int, path: *const c_char) -> Option<Looked> {
        if let Some(fd) = locks::descriptor_of(&status(dir, path).ok()?) {
            let borrowed = Looked::borrow(fd);
            return borrowed.read_at(0, &mut []).map(|_| borrowed);
        }
        let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NOCTTY | libc::O_NONBLOCK;
        let arguments = [dir as usize, path.addr(), flags as usize, 0, 0];
        // SAFETY: the kernel reads the path, and fails if it cannot.
        let fd = unsafe { call(libc::SYS_openat, arguments) };
        let fd = c_int::try_from(fd).ok().filter(|&fd| fd >= 0)?;
        Some(Looked { fd, is_ours: true })
    }

    /// A file that is open already. Its descriptor stays open.
    pub fn borrow(fd: c_int) -> Looked {
        Looked { fd, is_ours: false }
    }

    /// What the kernel says of the file.
    pub fn status(&self) -> Option<libc::stat> {
        status(self.fd, c"".as_ptr()).ok()
    }

    /// Reads from an offset in bytes, and keeps the descriptor's own offset. Returns the number of bytes read; `None`
    /// if that fails.
    pub fn read_at(&self, offset: u64, into: &mut [u8]) -> Option<usize> {
        let arguments = [
            self.fd as usize,
            into.as_mut_ptr().addr(),
            into.len(),
            offset as usize,
            0,
        ];
        // SAFETY: the kernel writes no more than `into` holds.
        let read = unsafe { call(libc::SYS_pread64, arguments) };
        usize::try_from(read).ok()
    }
}

impl Drop for Looked {
    fn drop(&mut self) {
        if self.is_ours {
            // SAFETY: the descriptor is ours, and nothing else uses it.
            unsafe { call(libc::SYS_close, [self.fd as usize, 0, 0, 0, 0]) };
        }
    }
}

/// A C string of the program's. `None` if it cannot be read up to its NUL.
///
/// # Safety
/// The string stays unchanged while the result is used.
pub unsafe fn text<'t>(start: *const c_char) -> Option<&'t CStr> {
    const STEP: usize = 128;
    const PAGE: usize = 4096;
    let mut at = start;
    loop {
        let bytes = STEP.min(PAGE - at.addr() % PAGE);
        let part = libc::iovec {
            iov_base: at.cast_mut().cast(),
            iov_len: bytes,
        };
        let mut buffer = [0; STEP];
        let read = peek(&[part], &mut buffer)?;
        if buffer[..read].contains(&0) {
            // SAFETY: the kernel has just read it up to its NUL. The caller promises that it stays.
            return Some(unsafe { CStr::from_ptr(start) });
        }
        if read < bytes {
            return None;
        }
        at = at.wrapping_add(bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;
    use crate::sys::Memory;

    #[test]
    fn a_string_is_read_up_to_where_memory_ends() {
        let page = 4096;
        let memory = Memory::new(2 * page).expect("memory");
        let end = memory.start().cast::<u8>().wrapping_add(page);
        // SAFETY: the second page of our own mapping, which nothing uses; the writes are to the first.
        unsafe {
            assert_eq!(libc::mprotect(end.cast(), page, libc::PROT_NONE), 0);
            memory.start().cast::<u8>().write_bytes(b'a', page - 1);
            let long = memory.start().cast::<c_char>();
            assert_eq!(text(long).map(CStr::count_bytes), Some(page - 1));
            assert_eq!(text(end.sub(1).cast()), Some(c""));
            end.sub(1).write(b'a');
            assert_eq!(text(long), None);
            assert_eq!(text(end.cast()), None);
            assert_eq!(text(ptr::null()), None);
        }
    }

    #[test]
    fn what_a_path_leads_to_is_reported() {
        let mode = |path: &CStr| mode(libc::AT_FDCWD, path.as_ptr());
        assert_eq!(
            mode(c"/").map(|mode| mode & libc::S_IFMT),
            Ok(libc::S_IFDIR)
        );
        assert_eq!(mode(c"/nonexistent"), Err(Unseen::Missing));
        assert_eq!(mode(c"/dev/null/x"), Err(Unseen::Missing));
        assert_eq!(
            super::mode(libc::AT_FDCWD, ptr::null()),
            Err(Unseen::Unreadable)
        );
        assert!(Looked::open(libc::AT_FDCWD, c"/nonexistent".as_ptr()).is_none());
    }
}
