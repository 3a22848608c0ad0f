//! The dynamic linker's list of the system's libraries (`/etc/ld.so.cache`, ldconfig(8)).

use std::collections::HashMap;
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

/// The list; empty where there is none that can be read.
#[derive(Debug, Default)]
pub struct Cache(HashMap<Vec<u8>, PathBuf>);

impl Cache {
    /// The system's.
    pub fn of_system() -> Cache {
        let mut bytes = Vec::new();
        let file = File::open("/etc/ld.so.cache");
        let read = file.and_then(|file| file.take(MOST_BYTES).read_to_end(&mut bytes));
        match read {
            Ok(_) => Cache(parse(&bytes)),
            Err(_) => Cache::default(),
        }
    }

    /// Where a library is.
    pub fn find(&self, name: &[u8]) -> Option<PathBuf> {
        self.0.get(name).cloned()
    }
}

fn parse(bytes: &[u8]) -> HashMap<Vec<u8>, PathBuf> {
    let mut list = HashMap::new();
    if !bytes.starts_with(MAGIC) {
        return list;
    }
    let word = |at: usize| {
        let part = bytes.get(at..).and_then(<[u8]>::first_chunk);
        part.map(|&part| u32::from_le_bytes(part))
    };
    let text = |at: u32| bytes.get(at as usize..)?.split(|&byte| byte == 0).next();
    for index in 0..word(MAGIC.len()).unwrap_or(0) as usize {
        let at = HEAD + index * ENTRY;
        let (Some(flags), Some(key), Some(value)) = (word(at), word(at + 4), word(at + 8)) else {
            break;
        };
        if flags != CACHE_FLAGS {
            continue;
        }
        if let (Some(name), Some(path)) = (text(key), text(value)) {
            // The best for this processor comes first.
            list.entry(name.to_owned())
                .or_insert_with(|| PathBuf::from(OsStr::from_bytes(path)));
        }
    }
    list
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
            let _ = parse(&whole[..length]);
        }
    }
}
