//! The value of LD_PRELOAD: libraries, separated by colons or spaces.

use crate::life::programs::last_part;
use crate::sys;

/// Room for the path of our library in bytes. A longer path is not checked.
const LONGEST: usize = 256;

/// Returns our library among those of an entry.
pub fn ours(text: &[u8]) -> Option<&[u8]> {
    libraries(text).find(|library| is_ours(library))
}

/// Writes an entry without our library, and a NUL. Returns how many bytes that takes, which is at most the entry's
/// length and 1. `None` if the entry names no other library.
///
/// # Safety
/// `room` has one byte more than the entry.
pub unsafe fn without_ours(text: &[u8], room: *mut u8) -> Option<usize> {
    let mut length = 0;
    let mut push = |part: &[u8]| {
        // SAFETY: the caller guarantees the room.
        unsafe {
            room.add(length)
                .copy_from_nonoverlapping(part.as_ptr(), part.len());
        }
        length += part.len();
    };
    let mut others = libraries(text).filter(|library| !is_ours(library));
    push(super::PRELOAD);
    push(others.next()?);
    for other in others {
        push(b":");
        push(other);
    }
    push(b"\0");
    Some(length)
}

/// Whether the calling process may not read our library at this path. It may be outside the root directory, or belong
/// to another user. The dynamic linker would then print an error in the program's name.
pub fn is_out_of_reach(library: &[u8]) -> bool {
    let mut path = [0; LONGEST];
    let is_searched = !library.contains(&b'/') || library.contains(&b'$');
    if is_searched || library.len() >= LONGEST {
        return false;
    }
    path[..library.len()].copy_from_slice(library);
    let error = sys::access(path.as_ptr().cast(), libc::R_OK);
    matches!(error, libc::EACCES | libc::ENOENT | libc::ENOTDIR)
}

fn libraries(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let value = text.strip_prefix(super::PRELOAD).unwrap_or(text);
    let libraries = value.split(|byte| matches!(byte, b':' | b' '));
    libraries.filter(|library| !library.is_empty())
}

/// Whether this is Weir's library, of this or another build: the name is that of an installation, or that of a file
/// which `weir` unpacks.
fn is_ours(library: &[u8]) -> bool {
    let name = last_part(library);
    let version = name
        .strip_prefix(b"libweir")
        .and_then(|rest| rest.strip_suffix(b".so"));
    version.is_some_and(|version| version.is_empty() || version.starts_with(b"-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(text: &str) -> Option<String> {
        let mut room = vec![0; text.len() + 1];
        // SAFETY: `room` has as many bytes as the entry, and 1.
        let length = unsafe { without_ours(text.as_bytes(), room.as_mut_ptr()) }?;
        assert_eq!(room[length - 1], 0);
        Some(String::from_utf8(room[..length - 1].to_vec()).expect("UTF-8"))
    }

    #[test]
    fn ours_is_taken_out_and_the_others_stay() {
        assert_eq!(without("LD_PRELOAD=/a/libweir.so"), None);
        assert_eq!(without("LD_PRELOAD= /a/libweir-0123.so:libweir.so "), None);
        for text in [
            "LD_PRELOAD=/a/libweir.so:/b.so",
            "LD_PRELOAD=/b.so libweir.so",
            "LD_PRELOAD=./libweir.so /b.so",
        ] {
            assert_eq!(without(text).as_deref(), Some("LD_PRELOAD=/b.so"));
        }
        let others = "LD_PRELOAD=libweird.so:/libweir.so/x.so";
        assert_eq!(without(others).as_deref(), Some(others));
        assert_eq!(ours(others.as_bytes()), None);
    }

    #[test]
    fn a_library_that_is_not_there_is_out_of_reach() {
        assert!(is_out_of_reach(b"/nonexistent/libweir.so"));
        assert!(!is_out_of_reach(b"/etc/passwd"));
        assert!(!is_out_of_reach(b"libweir.so"), "who knows where that is");
    }
}
