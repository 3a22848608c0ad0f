//! Into the environments that programs are given: whether Weir is in them, and, where that is wanted, putting it
//! there ([`weir_record::settings::FOLLOW`]).
//!
//! An environment that is not the process's own may be anything: it is read through the kernel, which tells where
//! there is nothing. Nothing may be allocated here, and a child of vfork is on its parent's stack.

use std::ffi::{CStr, c_char, c_void};
use std::ptr;

use libc::iovec;

use crate::environment::{self, Additions};
use crate::{image, sys};

type Strings = *const *const c_char;

unsafe extern "C" {
    static environ: Strings;
}

/// How many entries are looked at in one go.
const STEP: usize = 32;
/// As many bytes of an entry as the longest name has, with its equals sign.
const HEAD: usize = 16;
const POINTER: usize = size_of::<*const c_char>();

/// What was found in an environment.
struct Found {
    /// The names that it has, as bits.
    names: u32,
    /// How many entries it has.
    entries: usize,
}

impl Found {
    fn see(&mut self, head: &[u8], names: &[&[u8]]) {
        for (bit, name) in names.iter().enumerate() {
            if head.starts_with(name) {
                self.names |= 1 << bit;
            }
        }
    }
}

/// Whether an environment has LD_PRELOAD; none where it cannot be read.
pub fn is_preloaded(environment: Strings) -> Option<bool> {
    Some(look(environment, &[b"LD_PRELOAD="])?.names != 0)
}

/// Calls `start` with this environment, and what Weir adds to it, which in most cases is nothing.
pub fn with<T>(environment: Strings, start: impl FnOnce(Strings) -> T) -> T {
    let additions = &environment::get().additions;
    if additions.is_empty() || image::is_sealed() {
        return start(environment);
    }
    match sys::with_errno_kept(|| missing(environment, additions)) {
        Some(missing) => missing.with(start),
        None => start(environment),
    }
}

/// What an environment lacks.
struct Missing<'a> {
    environment: Strings,
    entries: usize,
    additions: [*const c_char; Additions::MOST],
    count: usize,
    _of: &'a Additions,
}

fn missing(environment: Strings, additions: &Additions) -> Option<Missing<'_>> {
    let mut names = [&b""[..]; Additions::MOST];
    let mut count = 0;
    for (place, (name, _)) in names.iter_mut().zip(additions.all()) {
        *place = name;
        count += 1;
    }
    let found = look(environment, &names[..count])?;
    let mut missing = Missing {
        environment,
        entries: found.entries,
        additions: [ptr::null(); Additions::MOST],
        count: 0,
        _of: additions,
    };
    for (bit, (_, text)) in additions.all().enumerate() {
        if found.names & 1 << bit == 0 {
            missing.additions[missing.count] = text.as_ptr();
            missing.count += 1;
        }
    }
    (missing.count > 0).then_some(missing)
}

impl Missing<'_> {
    /// Few entries are gathered on the stack; many in a mapping of their own, which a child of vfork that
    /// succeeds leaves behind in its parent.
    fn with<T>(&self, start: impl FnOnce(Strings) -> T) -> T {
        const FEW: usize = 256;
        let mut few = [ptr::null::<c_char>(); FEW];
        let needed = self.entries + self.count + 1;
        let memory = if needed <= FEW {
            None
        } else {
            let memory = sys::with_errno_kept(|| sys::Memory::for_the_program(needed * POINTER));
            if memory.is_none() {
                return start(self.environment);
            }
            memory
        };
        let array: *mut *const c_char = memory
            .as_ref()
            .map_or(few.as_mut_ptr(), |memory| memory.start().cast());
        // SAFETY: there is room for the entries, the additions and NULL; the entries have just been read.
        unsafe {
            if self.entries > 0 {
                array.copy_from_nonoverlapping(self.environment, self.entries);
            }
            for (index, addition) in self.additions[..self.count].iter().enumerate() {
                array.add(self.entries + index).write(*addition);
            }
            array.add(needed - 1).write(ptr::null());
        }
        let result = start(array);
        sys::with_errno_kept(|| drop(memory));
        result
    }
}

fn look(environment: Strings, names: &[&[u8]]) -> Option<Found> {
    let mut found = Found {
        names: 0,
        entries: 0,
    };
    if environment.is_null() {
        return Some(found);
    }
    // SAFETY: a variable of the C library.
    if environment == unsafe { environ } {
        // SAFETY: the C library's own list of strings, ended by NULL.
        unsafe {
            while !(*environment.add(found.entries)).is_null() {
                let entry = CStr::from_ptr(*environment.add(found.entries));
                found.see(entry.to_bytes(), names);
                found.entries += 1;
            }
        }
        return Some(found);
    }
    loop {
        let mut parts = [part(ptr::null(), 0); STEP];
        for (index, place) in parts.iter_mut().enumerate() {
            let entry = environment.wrapping_add(found.entries + index);
            *place = part(entry.cast(), POINTER);
        }
        let mut entries = [0; STEP * POINTER];
        let read = sys::peek(&parts, &mut entries)?;
        let entries = entries[..read].as_chunks::<POINTER>().0;
        let entries = entries.iter().map(|entry| usize::from_ne_bytes(*entry));
        let mut count = 0;
        for (place, entry) in parts.iter_mut().zip(entries) {
            if entry == 0 {
                see_all(&parts[..count], names, &mut found)?;
                return Some(found);
            }
            *place = part(ptr::without_provenance(entry), HEAD);
            count += 1;
        }
        if count < STEP {
            // It has no end that could be read: the kernel will not take it either.
            return None;
        }
        see_all(&parts, names, &mut found)?;
    }
}

fn part(start: *const c_void, bytes: usize) -> iovec {
    iovec {
        iov_base: start.cast_mut(),
        iov_len: bytes,
    }
}

/// Looks at the heads of some entries.
fn see_all(entries: &[iovec], names: &[&[u8]], found: &mut Found) -> Option<()> {
    let mut rest = entries;
    while !rest.is_empty() {
        let mut heads = [0; STEP * HEAD];
        let read = sys::peek(rest, &mut heads)? / HEAD;
        for head in heads[..read * HEAD].as_chunks::<HEAD>().0 {
            found.see(head, names);
        }
        rest = &rest[read.min(rest.len())..];
        if let [short, others @ ..] = rest {
            // It ends where memory ends.
            for name in names {
                let mut head = [0; HEAD];
                let read = sys::peek(&[part(short.iov_base, name.len())], &mut head)?;
                found.see(&head[..read], names);
            }
            rest = others;
        }
    }
    found.entries += entries.len();
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_is_read_to_its_end_wherever_that_is() {
        let page = 4096;
        let memory = sys::Memory::new(2 * page).expect("memory");
        // SAFETY: the second page of our own mapping, which nothing is in.
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
        let found = look(entries.as_ptr(), &[b"LD_PRELOAD=", b"A="]).expect("readable");
        assert_eq!((found.names, found.entries), (3, 71));
        assert_eq!(is_preloaded(entries[..1].as_ptr()), Some(true));
        assert_eq!(is_preloaded(entries[71..].as_ptr()), Some(false));
        assert_eq!(is_preloaded(ptr::null()), Some(false));
        assert_eq!(is_preloaded(end as Strings), None);
        // A list that ends where memory ends, without NULL.
        // SAFETY: as above.
        unsafe { ((end - POINTER) as *mut usize).write(1) };
        assert_eq!(is_preloaded((end - POINTER) as Strings), None);
    }
}
