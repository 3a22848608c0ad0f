//! Programs that are about to be started: whether they can load us.
//!
//! The dynamic linker of another C library, or of another word size, takes LD_PRELOAD for its own: it complains of our
//! library, or gives up. So a program is looked at as the kernel will look at it: its ELF header and its dynamic
//! linker's name, through interpreters of scripts. Nothing may be allocated here, and a child of vfork is on its
//! parent's stack, which may be small. Where anything is not as expected, the kernel will say so itself: what is not
//! known is left as it is.
//!
//! AddressSanitizer's library ends a program in which it is not the first to be loaded. It is seen in a program that is
//! linked against it; one that a library brings along is not looked for.

use std::ffi::{CStr, c_char, c_int};

use crate::arch;
use crate::memory::bytes::Bytes;
use crate::sys::looking::{self, Looked, Unseen};

mod links;
mod search;

/// The program that is started.
#[derive(Clone, Copy, Debug)]
pub enum Program {
    /// At a path.
    Path(*const c_char),
    /// At a path, or under a name that is looked for in PATH.
    Searched(*const c_char),
    /// At a path that starts from a directory; at none, what the descriptor is of.
    At(c_int, *const c_char),
    /// What a descriptor is of.
    Open(c_int),
}

/// What a program is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The path that leads to it cannot be read.
    Unreadable,
    /// There is none.
    Missing,
    /// It is not known.
    Unknown,
    /// It is no program that the kernel knows, as a script without a `#!` line is.
    Formless,
    /// The GNU C library's dynamic linker starts it.
    Dynamic,
    /// No dynamic linker starts it: LD_PRELOAD is nothing to it.
    Static,
    /// It is for another machine or word size.
    OtherMachine,
    /// The dynamic linker of another C library starts it.
    OtherLibc,
    /// It is as a dynamic one, and a sanitizer ends it that must be loaded before all else, unless it is told otherwise.
    MustBeFirst,
}

impl Kind {
    /// Whether our library would harm it.
    pub fn cannot_load_us(self) -> bool {
        matches!(
            self,
            Kind::OtherMachine | Kind::OtherLibc | Kind::MustBeFirst
        )
    }
}

impl From<Unseen> for Kind {
    fn from(unseen: Unseen) -> Kind {
        match unseen {
            Unseen::Unreadable => Kind::Unreadable,
            Unseen::Missing => Kind::Missing,
            Unseen::Otherwise => Kind::Unknown,
        }
    }
}

/// As many bytes as the kernel looks at for a `#!` line; an ELF header, and some program headers, fit in.
const HEAD: usize = 256;
/// How many interpreters the kernel goes through.
const DEPTH: usize = 5;

/// Looks at a program.
pub fn look(program: Program) -> Kind {
    match program {
        Program::Path(path) => at(libc::AT_FDCWD, path),
        Program::Searched(name) => search::look(name),
        Program::At(dir, path) => at(dir, path),
        Program::Open(fd) => open(fd),
    }
}

/// What is at a path.
fn at(dir: c_int, path: *const c_char) -> Kind {
    // What is no regular file is not executed, and to open it may have effects.
    match looking::mode(dir, path) {
        Ok(mode) if mode & libc::S_IFMT == libc::S_IFREG => {}
        Ok(_) => return Kind::Unknown,
        Err(unseen) => return unseen.into(),
    }
    match Looked::open(dir, path) {
        Some(file) => match through_scripts(file) {
            // A dynamic linker is told what to start, and obeys LD_PRELOAD.
            Kind::Static => of_name(path),
            kind => kind,
        },
        // The path may be empty: then the descriptor is of the program.
        None if dir != libc::AT_FDCWD => open(dir),
        None => Kind::Unknown,
    }
}

/// What a descriptor is of.
fn open(fd: c_int) -> Kind {
    match looking::mode(fd, c"".as_ptr()) {
        Ok(mode) if mode & libc::S_IFMT == libc::S_IFREG => {}
        _ => return Kind::Unknown,
    }
    let borrowed = Looked::borrow(fd);
    if borrowed.read_at(0, &mut []).is_some() {
        return through_scripts(borrowed);
    }
    // It is open as a path only.
    let mut path = Bytes::<32>::new();
    let number = u64::from(fd.unsigned_abs());
    let fits = path.push(b"/proc/self/fd/") && path.push_number(number);
    let path = path.as_c_str().as_ptr();
    let again = fits.then(|| Looked::open(libc::AT_FDCWD, path)).flatten();
    again.map_or(Kind::Unknown, through_scripts)
}

#[inline(never)]
fn through_scripts(first: Looked) -> Kind {
    let mut file = first;
    let mut head = [0; HEAD];
    for _ in 0..=DEPTH {
        let Some(read) = file.read_at(0, &mut head) else {
            return Kind::Unknown;
        };
        head[read..].fill(0);
        let Some(interpreter) = interpreter(&mut head) else {
            return of_binary(&file, &mut head, read);
        };
        match Looked::open(libc::AT_FDCWD, interpreter.as_ptr()) {
            Some(next) => file = next,
            None => return Kind::Unknown,
        }
    }
    Kind::Unknown
}

/// The interpreter that a `#!` line names, as the kernel reads it.
fn interpreter(head: &mut [u8; HEAD]) -> Option<&CStr> {
    let line = head.strip_prefix(b"#!")?;
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = 2 + line.iter().take_while(|byte| blank(byte)).count();
    let ends = |byte: &u8| blank(byte) || matches!(byte, b'\n' | 0);
    let end = start + head[start..].iter().position(ends)?;
    head[end] = 0;
    let name = CStr::from_bytes_with_nul(&head[start..=end]).ok()?;
    (!name.is_empty()).then_some(name)
}

/// Where an ELF file says what it has, in either word size (elf(5)); all numbers are little-endian.
struct Layout {
    /// Bytes of the file's own header.
    head: usize,
    /// A word: where the program headers are.
    headers: usize,
    /// Two bytes each: a header's size, and how many there are.
    size: usize,
    count: usize,
    /// The bytes of a word, and of a program header.
    word: usize,
    header: usize,
    /// Words of a program header: where its part of the file is, and how much.
    offset: usize,
    bytes: usize,
}

const OF_32_BITS: Layout = Layout {
    head: size_of::<libc::Elf32_Ehdr>(),
    headers: 28,
    size: 42,
    count: 44,
    word: 4,
    header: size_of::<libc::Elf32_Phdr>(),
    offset: 4,
    bytes: 16,
};
const OF_64_BITS: Layout = Layout {
    head: size_of::<libc::Elf64_Ehdr>(),
    headers: 32,
    size: 54,
    count: 56,
    word: 8,
    header: size_of::<libc::Elf64_Phdr>(),
    offset: 8,
    bytes: 32,
};

/// More program headers than this nobody has.
const MOST_HEADERS: u64 = 512;

/// What an ELF file is like, of which the head has been read.
fn of_binary(file: &Looked, head: &mut [u8; HEAD], read: usize) -> Kind {
    if !head.starts_with(b"\x7fELF") {
        return Kind::Formless;
    }
    let is_ours = (head[4], half(head, 18)) == (2, arch::MACHINE);
    let layout = match (head[4], head[5]) {
        (1, 1) => &OF_32_BITS,
        (2, 1) => &OF_64_BITS,
        (0, _) | (_, 0) => return Kind::Unknown,
        _ => return Kind::OtherMachine,
    };
    if read < layout.head {
        return Kind::Unknown;
    }
    let start = word(head, layout.headers, layout.word);
    let count = u64::from(half(head, layout.count));
    if usize::from(half(head, layout.size)) != layout.header || count > MOST_HEADERS {
        return Kind::Unknown;
    }
    // Those that have been read already are what is needed in most files.
    let (mut from, mut has) = (0, read as u64);
    let header = layout.header as u64;
    for index in 0..count {
        let Some(end) = start.checked_add((index + 1) * header) else {
            return Kind::Unknown;
        };
        let place = end - header;
        if place < from || end > from + has {
            (from, has) = (place, file.read_at(place, head).unwrap_or(0) as u64);
            if has < header {
                return Kind::Unknown;
            }
        }
        let header = &head[(place - from) as usize..][..layout.header];
        if word(header, 0, 4) == u64::from(libc::PT_INTERP) {
            if !is_ours {
                return Kind::OtherMachine;
            }
            let offset = word(header, layout.offset, layout.word);
            let bytes = word(header, layout.bytes, layout.word);
            return match of_dynamic_linker(file, offset, bytes, head) {
                Kind::Dynamic if links::must_be_first(file, start, count, head) => {
                    Kind::MustBeFirst
                }
                kind => kind,
            };
        }
    }
    Kind::Static
}

/// What a program is like whose dynamic linker has its name at this place of the file.
fn of_dynamic_linker(file: &Looked, offset: u64, bytes: u64, buffer: &mut [u8; HEAD]) -> Kind {
    let place = usize::try_from(bytes).ok();
    let Some(place) = place.and_then(|bytes| buffer.get_mut(..bytes)) else {
        return Kind::Unknown;
    };
    if file.read_at(offset, place) != Some(place.len()) {
        return Kind::Unknown;
    }
    match CStr::from_bytes_until_nul(place) {
        Ok(name) if is_glibc(name.to_bytes()) => Kind::Dynamic,
        Ok(_) => Kind::OtherLibc,
        Err(_) => Kind::Unknown,
    }
}

/// Whether a dynamic linker is the GNU C library's, by its path. Before 2.34 its file had the version in its name, and
/// the Linux Standard Base has a name of its own for it.
fn is_glibc(path: &[u8]) -> bool {
    let names: [&[u8]; 3] = [b"ld-linux", b"ld-2.", b"ld-lsb"];
    names.iter().any(|start| last_part(path).starts_with(start))
}

/// What it is that no dynamic linker starts, by its path.
fn of_name(path: *const c_char) -> Kind {
    // SAFETY: the kernel has just read it.
    let path = unsafe { CStr::from_ptr(path) }.to_bytes();
    if is_glibc(path) {
        Kind::Dynamic
    } else if last_part(path).starts_with(b"ld-musl") {
        Kind::OtherLibc
    } else {
        Kind::Static
    }
}

/// The last part of a path.
pub fn last_part(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
}

fn half(bytes: &[u8], at: usize) -> u16 {
    word(bytes, at, 2) as u16
}

fn word(bytes: &[u8], at: usize, size: usize) -> u64 {
    let mut word = [0; 8];
    word[..size].copy_from_slice(&bytes[at..at + size]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests;
