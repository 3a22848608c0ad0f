//! The dynamic linker's list of the system's libraries (`/etc/ld.so.cache`, ldconfig(8)).

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::arch::CACHE_FLAGS;

const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
/// The bytes of the head, and of an entry.
const HEAD: usize = 48;
const ENTRY: usize = 24;
/// More than the list of any system takes.
const MOST_BYTES: u64 = 64 << 20;

/// The list, as it is in its file; empty where there is none that can be read.
#[derive(Debug, Default)]
pub struct Cache(Vec<u8>);

impl Cache {
    /// The system's.
    pub fn of_system() -> Cache {
        let mut bytes = Vec::new();
        let file = File::open("/etc/ld.so.cache");
        let read = file.and_then(|file| file.take(MOST_BYTES).read_to_end(&mut bytes));
        match read {
            Ok(_) if bytes.starts_with(MAGIC) => Cache(bytes),
            _ => Cache::default(),
        }
    }

    /// Where a library is. Few are asked for, so the list is searched from its start each time.
    pub fn find(&self, name: &[u8]) -> Option<PathBuf> {
        let entries = 0..self.word(MAGIC.len())? as usize;
        // The best for this processor comes first.
        for index in entries {
            let at = HEAD + index * ENTRY;
            let (flags, key, value) = (self.word(at)?, self.word(at + 4)?, self.word(at + 8)?);
            if flags == CACHE_FLAGS && self.is_text(key, name) {
                let path = self.0.get(value as usize..)?;
                let path = path.split(|&byte| byte == 0).next()?;
                return Some(PathBuf::from(OsStr::from_bytes(path)));
            }
        }
        None
    }

    fn word(&self, at: usize) -> Option<u32> {
        let word = self.0.get(at..)?.first_chunk()?;
        Some(u32::from_le_bytes(*word))
    }

    /// Whether a name is what stands there.
    fn is_text(&self, at: u32, name: &[u8]) -> bool {
        let after = self.0.get(at as usize..);
        let rest = after.and_then(|after| after.strip_prefix(name));
        rest.is_some_and(|rest| matches!(rest, [0, ..] | []))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_s_list_has_its_c_library() {
        let path = Cache::of_system().find(b"libc.so.6").expect("listed");
        assert!(path.exists(), "{}", path.display());
        assert_eq!(Cache::of_system().find(b"nosuchlibrary.so"), None);
    }

    #[test]
    fn a_list_that_ends_too_soon_is_read_to_its_end() {
        let whole = std::fs::read("/etc/ld.so.cache").expect("there");
        for length in [0, 19, 20, 47, 48, 60, whole.len() / 2] {
            let cache = Cache(whole[..length].to_vec());
            assert_eq!(cache.find(b"nosuchlibrary.so"), None);
        }
    }
}
