//! Whether programs that are about to be started can load Weir's library.
//!
//! The dynamic linker of another C library, or of another word size, also obeys LD_PRELOAD: it prints an error for our
//! library, or gives up. So this examines a program as the kernel will: its ELF header and its dynamic linker's name,
//! through the interpreters of scripts. Nothing may be allocated from the program's heap here. A child of vfork runs on
//! its parent's stack, which may be small. If anything is not as expected, the result is [`Kind::Unknown`], and nothing
//! is changed: the kernel will report errors itself.
//!
//! AddressSanitizer's library ends a program if it is not the first library to be loaded. This finds it in programs
//! that are linked against it, but not if another library loads it.

use std::ffi::{CStr, c_char, c_int};

use crate::arch;
use crate::memory::bytes::Bytes;
use crate::program_memory::with_text_after;
use crate::sys::looking::{self, Looked, Unseen};

mod known;
mod links;
mod search;

/// The program that is started.
#[derive(Clone, Copy, Debug)]
pub enum Program {
    /// The path of the program.
    Path(*const c_char),
    /// The path of the program, or its name, which is looked for in PATH.
    Searched(*const c_char),
    /// A directory, and a path that starts there. If the path is empty, the descriptor is the program's.
    At(c_int, *const c_char),
    /// A descriptor of the program.
    Open(c_int),
}

/// What kind of program it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The path is in memory that cannot be read.
    Unreadable,
    /// The file does not exist, or its interpreter or dynamic linker.
    Missing,
    /// The kind is not known.
    Unknown,
    /// The kernel knows no such format: a script without a `#!` line, a damaged ELF file.
    Formless,
    /// The GNU C library's dynamic linker starts it.
    Dynamic,
    /// No dynamic linker starts it, so LD_PRELOAD has no effect.
    Static,
    /// It is for another machine or word size.
    OtherMachine,
    /// The dynamic linker of another C library starts it.
    OtherLibc,
    /// It is dynamic, but a sanitizer's library must be loaded first, and ends the program otherwise, unless its
    /// options say something else.
    MustBeFirst,
}

impl Kind {
    /// Whether our library would harm the program.
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

/// How many bytes the kernel reads for a `#!` line. An ELF header and some program headers fit in.
const HEAD: usize = 256;
/// How many nested interpreters the kernel accepts.
const DEPTH: usize = 5;

/// Examines a program.
pub fn look(program: Program) -> Kind {
    match program {
        Program::Path(path) => at(libc::AT_FDCWD, path),
        Program::Searched(name) => search::look(name),
        Program::At(dir, path) => at(dir, path),
        Program::Open(fd) => open(fd),
    }
}

/// Examines the file at a path.
fn at(dir: c_int, path: *const c_char) -> Kind {
    // Only a regular file can be executed. To open another kind of file may have effects.
    let kind = match looking::status(dir, path) {
        Ok(file) if file.st_mode & libc::S_IFMT == libc::S_IFREG => known::kind(&file),
        Ok(_) => return Kind::Unknown,
        Err(unseen) => return unseen.into(),
    };
    let opened = || Looked::open(dir, path).map(through_scripts);
    match kind.or_else(opened) {
        // A dynamic linker gets the program as an argument, and obeys LD_PRELOAD.
        Some(Kind::Static) => of_name(path),
        Some(kind) => kind,
        // If the path is empty, the descriptor is the program's.
        None if dir != libc::AT_FDCWD => open(dir),
        None => Kind::Unknown,
    }
}

/// Examines the file of a descriptor.
fn open(fd: c_int) -> Kind {
    match looking::status(fd, c"".as_ptr()) {
        Ok(file) if file.st_mode & libc::S_IFMT == libc::S_IFREG => {
            if let Some(kind) = known::kind(&file) {
                return kind;
            }
        }
        _ => return Kind::Unknown,
    }
    let borrowed = Looked::borrow(fd);
    if borrowed.read_at(0, &mut []).is_some() {
        return through_scripts(borrowed);
    }
    // The descriptor was opened with O_PATH, so the file is opened again.
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
            let kind = of_binary(&file, &mut head, read);
            known::remember(&file, kind);
            return kind;
        };
        match looking::status(libc::AT_FDCWD, interpreter.as_ptr()) {
            Ok(status) => {
                if let Some(kind) = known::kind(&status) {
                    return kind;
                }
            }
            // The kernel says of the script that it does not exist.
            Err(Unseen::Missing) => return Kind::Missing,
            Err(_) => return Kind::Unknown,
        }
        match Looked::open(libc::AT_FDCWD, interpreter.as_ptr()) {
            Some(next) => file = next,
            None => return Kind::Unknown,
        }
    }
    Kind::Unknown
}

/// The interpreter that a `#!` line names, read as the kernel reads it.
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

/// Where the fields of an ELF file are, in bytes, for one word size (elf(5)). All numbers are little-endian.
struct Layout {
    /// The size of the file header in bytes.
    head: usize,
    /// Offset of the word that has the offset of the program headers.
    headers: usize,
    /// Offsets of two 16-bit numbers: the size of a program header in bytes, and the number of program headers.
    size: usize,
    count: usize,
    /// The sizes of a word and of a program header in bytes.
    word: usize,
    header: usize,
    /// Offsets within a program header of two words: the offset of its part of the file, and that part's size in bytes.
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

/// The types of ELF files that the kernel executes (`ET_EXEC` and `ET_DYN`, elf(5)).
const EXECUTABLE: u16 = 2;
const SHARED: u16 = 3;

/// No program has more program headers than this.
const MOST_HEADERS: u64 = 512;

/// Examines an ELF file, of whose head `read` bytes were read.
fn of_binary(file: &Looked, head: &mut [u8; HEAD], read: usize) -> Kind {
    if !head.starts_with(b"\x7fELF") {
        return Kind::Formless;
    }
    let machine = half(head, 18);
    let is_ours = (head[4], machine) == (2, arch::MACHINE);
    let is_kernel_s = [arch::MACHINE, arch::COMPATIBLE_MACHINE].contains(&machine);
    // The kernel asks for neither the word size nor the byte order, but takes what fits its own.
    let fits = |layout| is_program(head, read, layout);
    if is_kernel_s && !fits(&OF_64_BITS) && !fits(&OF_32_BITS) {
        return Kind::Formless;
    }
    let layout = match (head[4], head[5]) {
        (1, 1) => &OF_32_BITS,
        (2, 1) => &OF_64_BITS,
        (1 | 2, 2) => return Kind::OtherMachine,
        _ if is_kernel_s => return Kind::Unknown,
        // No emulator takes that.
        _ => return Kind::Formless,
    };
    let start = word(head, layout.headers, layout.word);
    let count = u64::from(half(head, layout.count));
    let has_headers = read >= layout.head && usize::from(half(head, layout.size)) == layout.header;
    if !has_headers || count > MOST_HEADERS {
        return Kind::Unknown;
    }
    // In most files the program headers are in the bytes that were already read.
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
            if !is_kernel_s {
                return Kind::OtherMachine;
            }
            let offset = word(header, layout.offset, layout.word);
            let bytes = word(header, layout.bytes, layout.word);
            return match of_dynamic_linker(file, offset, bytes, head) {
                Kind::Missing => Kind::Missing,
                _ if !is_ours => Kind::OtherMachine,
                Kind::Dynamic if links::must_be_first(file, start, count, head) => {
                    Kind::MustBeFirst
                }
                kind => kind,
            };
        }
    }
    Kind::Static
}

/// Whether the kernel takes a file with this head for a program, by its type and its table of program headers.
fn is_program(head: &[u8; HEAD], read: usize, layout: &Layout) -> bool {
    read >= layout.head
        && [EXECUTABLE, SHARED].contains(&half(head, 16))
        && usize::from(half(head, layout.size)) == layout.header
        && half(head, layout.count) > 0
}

/// The kind of a program whose dynamic linker's name is at `offset` in the file, and has `bytes` bytes.
fn of_dynamic_linker(file: &Looked, offset: u64, bytes: u64, buffer: &mut [u8; HEAD]) -> Kind {
    let place = usize::try_from(bytes).ok();
    let Some(place) = place.and_then(|bytes| buffer.get_mut(..bytes)) else {
        return Kind::Unknown;
    };
    if file.read_at(offset, place) != Some(place.len()) {
        return Kind::Unknown;
    }
    let Ok(name) = CStr::from_bytes_until_nul(place) else {
        return Kind::Unknown;
    };
    if looking::mode(libc::AT_FDCWD, name.as_ptr()) == Err(Unseen::Missing) {
        // The kernel says of the program that it does not exist.
        return Kind::Missing;
    }
    match is_glibc(name.to_bytes()) {
        true => Kind::Dynamic,
        false => Kind::OtherLibc,
    }
}

/// Whether a dynamic linker is the GNU C library's, by its path. Before version 2.34 its file name had the version. The
/// Linux Standard Base has another name for it.
fn is_glibc(path: &[u8]) -> bool {
    let names: [&[u8]; 3] = [b"ld-linux", b"ld-2.", b"ld-lsb"];
    names.iter().any(|start| last_part(path).starts_with(start))
}

/// The kind of a file that no dynamic linker starts, by its path: it may be a dynamic linker itself.
fn of_name(path: *const c_char) -> Kind {
    let kind = with_text_after(path, |path| {
        if is_glibc(path) {
            Kind::Dynamic
        } else if last_part(path).starts_with(b"ld-musl") {
            Kind::OtherLibc
        } else {
            Kind::Static
        }
    });
    kind.unwrap_or(Kind::Unreadable)
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
