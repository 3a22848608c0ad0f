//! What an environment contains.

use std::ffi::{CStr, c_void};
use std::ptr;

use libc::iovec;

use super::without_us::Size;
use super::{POINTER, PRELOAD, Strings, looking, preload, sys};
use crate::linking::objects;

unsafe extern "C" {
    static environ: Strings;
}

/// How many entries are read at a time.
const STEP: usize = 32;
const _: () = assert!((STEP as u32) < u64::BITS);
/// How many bytes of an entry are enough for the longest name and its equals sign.
const HEAD: usize = 16;
/// How many bytes are read at a time, from an address that is a multiple of this: so they are in one page.
const AROUND: usize = 1024;
/// How many entries for LD_PRELOAD are remembered. If there are several, C libraries disagree about which one counts.
const PRELOADS: usize = 4;

/// What was found in an environment.
pub struct Found {
    /// Which of the names it has: one bit for each.
    names: u32,
    /// How many entries it has.
    pub entries: usize,
    environment: Strings,
    /// The places of the entries for LD_PRELOAD.
    preloads: [usize; PRELOADS],
    preloaded: usize,
}

impl Found {
    fn nothing(environment: Strings) -> Found {
        Found {
            names: 0,
            entries: 0,
            environment,
            preloads: [0; PRELOADS],
            preloaded: 0,
        }
    }

    /// Whether it has the name of this number.
    pub fn has(&self, name: usize) -> bool {
        self.names & 1 << name != 0
    }

    /// The value of the first entry that begins with `name`, which includes the equals sign. `None` if there is no such
    /// entry, or if an entry cannot be read.
    pub fn value(&self, name: &[u8]) -> Option<&[u8]> {
        for place in 0..self.entries {
            let mut entry = [0; POINTER];
            let pointer = self.environment.wrapping_add(place);
            sys::peek(&[part(pointer.cast(), POINTER)], &mut entry)?;
            // SAFETY: the program passes these strings to an exec, and must not change them during it.
            let text = unsafe {
                let entry = usize::from_ne_bytes(entry);
                looking::text(ptr::without_provenance(entry))
            };
            if let Some(value) = text?.to_bytes().strip_prefix(name) {
                return Some(value);
            }
        }
        None
    }

    /// Its entries for LD_PRELOAD.
    fn preloads(&self) -> impl Iterator<Item = &[u8]> {
        let places = self.preloads[..self.preloaded].iter();
        // SAFETY: each of these strings was read up to its NUL.
        places.map(|&place| unsafe { CStr::from_ptr(*self.environment.add(place)).to_bytes() })
    }

    /// Whether the entry at this place is for LD_PRELOAD.
    pub fn is_preload(&self, place: usize) -> bool {
        self.preloads[..self.preloaded].contains(&place)
    }

    /// The most that a copy without our library needs.
    pub fn size_without_us(&self) -> Size {
        let lengths = self.preloads().map(|text| text.len() + 1);
        Size {
            entries: self.entries,
            texts: lengths.sum(),
        }
    }

    /// The name of our library, as LD_PRELOAD has it.
    pub fn library(&self) -> Option<&[u8]> {
        self.preloads().find_map(preload::ours)
    }

    fn see(&mut self, place: usize, head: &[u8], names: &[&[u8]]) {
        for (bit, name) in names.iter().enumerate() {
            if head.starts_with(name) {
                self.names |= 1 << bit;
            }
        }
        if head.starts_with(PRELOAD) {
            self.see_preload(place);
        }
    }

    /// Keeps the lowest places, in ascending order.
    fn see_preload(&mut self, mut place: usize) {
        for known in &mut self.preloads[..self.preloaded] {
            if place < *known {
                std::mem::swap(known, &mut place);
            }
        }
        if self.preloaded < PRELOADS {
            self.preloads[self.preloaded] = place;
            self.preloaded += 1;
        }
    }

    /// Reads the entries for LD_PRELOAD up to their NULs. `None` if one cannot be read.
    fn read_preloads(self) -> Option<Found> {
        for &place in &self.preloads[..self.preloaded] {
            // SAFETY: the list was just read; the program must not change the strings during the exec.
            unsafe { looking::text(*self.environment.add(place)) }?;
        }
        Some(self)
    }
}

/// Whether an environment is the process's own, which is readable without asking the kernel.
pub fn is_own(environment: Strings) -> bool {
    // SAFETY: this reads a variable of the C library.
    !environment.is_null() && environment == unsafe { environ }
}

/// Looks for names in the process's own environment, without a system call. `None` if this is another one.
fn look_at_own(environment: Strings, names: &[&[u8]]) -> Option<Found> {
    if !is_own(environment) {
        return None;
    }
    let mut found = Found::nothing(environment);
    // SAFETY: the C library's own list of strings, which NULL ends.
    unsafe {
        while !(*environment.add(found.entries)).is_null() {
            let entry = CStr::from_ptr(*environment.add(found.entries));
            found.see(found.entries, entry.to_bytes(), names);
            found.entries += 1;
        }
    }
    Some(found)
}

/// Looks for names in an environment. `None` if it cannot be read.
pub fn look(environment: Strings, names: &[&[u8]]) -> Option<Found> {
    let mut found = Found::nothing(environment);
    if environment.is_null() {
        return Some(found);
    }
    if let Some(found) = look_at_own(environment, names) {
        return Some(found);
    }
    loop {
        let list = environment.wrapping_add(found.entries).addr();
        let mut pointers = [0; STEP * POINTER];
        let read = objects::peek(list, &mut pointers);
        let pointers = pointers[..read].as_chunks::<POINTER>().0;
        let mut entries = [0; STEP];
        let mut count = 0;
        for (entry, pointer) in entries.iter_mut().zip(pointers) {
            *entry = usize::from_ne_bytes(*pointer);
            if *entry == 0 {
                see_all(&entries[..count], names, &mut found)?;
                return found.read_preloads();
            }
            count += 1;
        }
        if count < STEP {
            // The list has no readable end: the kernel will not accept it either.
            return None;
        }
        see_all(&entries, names, &mut found)?;
    }
}

fn part(start: *const c_void, bytes: usize) -> iovec {
    iovec {
        iov_base: start.cast_mut(),
        iov_len: bytes,
    }
}

/// Looks at the beginnings of some entries, at most [`STEP`]. Most entries are close together, and the kernel reads
/// many bytes as fast as few. So this reads the bytes around an entry, and looks at all entries in them, in any order.
fn see_all(entries: &[usize], names: &[&[u8]], found: &mut Found) -> Option<()> {
    let first = found.entries;
    found.entries += entries.len();
    // One bit for each entry that was not looked at.
    let mut left = (1_u64 << entries.len()) - 1;
    while left != 0 {
        let start = entries[left.trailing_zeros() as usize] / AROUND * AROUND;
        let mut around = [0; AROUND];
        let place = ptr::without_provenance(start);
        let read = sys::peek(&[part(place, AROUND)], &mut around)?;
        for (index, &entry) in entries.iter().enumerate() {
            let at = entry.wrapping_sub(start);
            if left & 1 << index == 0 || at >= AROUND {
                continue;
            }
            left &= !(1 << index);
            let head = &around[at.min(read)..read];
            if head.len() >= HEAD || head.contains(&0) {
                found.see(first + index, head, names);
            } else {
                // The beginning crosses the end of these bytes, or readable memory ends.
                let mut head = [0; HEAD];
                let read = objects::peek(entry, &mut head);
                found.see(first + index, &head[..read], names);
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_is_read_to_its_end_wherever_that_is() {
        let page = 4096;
        let memory = sys::Memory::new(2 * page).expect("memory");
        // SAFETY: the second page of our own mapping, which nothing uses.
        let closed =
            unsafe { libc::mprotect(memory.start().byte_add(page), page, libc::PROT_NONE) };
        assert_eq!(closed, 0);
        let end = memory.start() as usize + page;
        let text = b"LD_PRELOAD=\0";
        // SAFETY: the first page is mapped.
        let last = unsafe {
            let last = (end - text.len()) as *mut u8;
            last.copy_from_nonoverlapping(text.as_ptr(), text.len());
            last
        };
        let mut entries = vec![c"A=1".as_ptr(); 70];
        entries.push(last.cast());
        entries.push(ptr::null());
        let look = |environment| look(environment, &[PRELOAD, b"A="]);
        let found = look(entries.as_ptr()).expect("readable");
        assert_eq!((found.names, found.entries), (3, 71));
        assert_eq!(found.preloads().collect::<Vec<_>>(), [PRELOAD]);
        assert!(found.is_preload(70) && !found.is_preload(69));
        let names = |environment| look(environment).map(|found| found.names);
        // The places are in the order of the list, though the texts are in another; and no more places than there is
        // room for.
        let texts: Vec<_> = (0..40)
            .map(|index| format!("LD_PRELOAD={index}\0"))
            .collect();
        let places = [39, 3, 21, 8, 33, 12].map(|index| texts[index].as_ptr().cast());
        let several = [&places[..], &[ptr::null()]].concat();
        let found = look(several.as_ptr()).expect("readable");
        let lengths: Vec<_> = found.preloads().map(<[u8]>::len).collect();
        assert_eq!(lengths, [13, 12, 13, 12]);
        assert!((0..4).all(|place| found.is_preload(place)) && !found.is_preload(4));
        assert_eq!(names(entries[70..].as_ptr()), Some(1));
        assert_eq!(names(entries[71..].as_ptr()), Some(0));
        assert_eq!(names(ptr::null()), Some(0));
        assert_eq!(names(end as Strings), None);
        // A list that ends where readable memory ends, without NULL.
        // SAFETY: the last bytes of the first page, which is mapped.
        unsafe { ((end - POINTER) as *mut usize).write(1) };
        assert_eq!(names((end - POINTER) as Strings), None);
    }
}
