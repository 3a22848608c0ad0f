//! The headers and tables of an ELF file. The file may be damaged or hostile: every offset in it is
//! checked, and no part larger than [`MAX_PART`] is read.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::ops::Range;
use std::os::unix::ffi::OsStringExt;

use object::LittleEndian;
use object::elf;
use object::read::elf::{
    Dyn, FileHeader as _, GnuHashTable, HashTable, ProgramHeader as _, Sym as _,
};
use object::read::{ReadCache, ReadRef};
use weir_record::functions::Function;

use crate::arch::MACHINE;

type FileHeader = elf::FileHeader64<LittleEndian>;
type ProgramHeader = elf::ProgramHeader64<LittleEndian>;
type Symbol = elf::Sym64<LittleEndian>;

const ENDIAN: LittleEndian = LittleEndian;
/// More than any program's headers, symbols or strings take.
const MAX_PART: u64 = 64 << 20;
/// More symbol versions than any library has.
const MAX_VERSIONS: usize = 512;
/// What one takes: the heads of a version, and of its name and its predecessor's.
const VERSION_BYTES: u64 = 36;
/// A version that is needed only where it is there (VER_FLG_WEAK).
const IS_WEAK: u16 = 2;
/// The version that is the library's own name (VER_FLG_BASE).
const IS_BASE: u16 = 1;
/// What every sanitizer with an allocator has (sanitizer/allocator_interface.h).
const OF_SANITIZERS: &[u8] = b"__sanitizer_get_ownership";

/// How much of a file is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// What it is linked against.
    Links,
    /// And what it defines.
    Symbols,
}

/// An executable for this machine, or a library for one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// What PT_INTERP names.
    pub dynamic_linker: Option<OsString>,
    /// The libraries that it is linked against.
    pub needed: Vec<String>,
    /// The name that it has as a library.
    pub soname: Option<String>,
    /// Whether it loads at a fixed address, or is marked as position-independent executable.
    pub is_executable: bool,
    /// Whether the Go linker made it.
    pub is_go: bool,
    /// Where its libraries are looked for before all else (DT_RPATH).
    pub rpath: Option<String>,
    /// And after what LD_LIBRARY_PATH names (DT_RUNPATH).
    pub runpath: Option<String>,
    /// The symbol versions that other libraries must have: a library's name and a version's.
    pub needed_versions: Vec<(String, String)>,
    /// The symbol versions that it has itself.
    pub versions: Vec<String>,
    /// Which of the interposed functions it defines and exports itself; none where its symbols
    /// cannot be read, or were not wanted.
    pub defines: Option<Vec<&'static str>>,
    /// Whether it has a sanitizer's allocator.
    pub has_sanitizer: bool,
}

impl Image {
    /// Whether it defines an interposed function itself.
    pub fn defines(&self, name: &str) -> bool {
        let names = self.defines.as_deref().unwrap_or_default();
        names.contains(&name)
    }
}

/// Why a file is not such an executable; reads on after the file's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsuitable {
    /// Not ELF at all.
    NotElf,
    /// For another machine, or with another word size.
    Foreign(String),
    /// ELF, but an object file or a core dump.
    NotAProgram,
    /// What it says of itself makes no sense.
    Damaged(&'static str),
}

impl fmt::Display for Unsuitable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unsuitable::NotElf => f.write_str(
                "is neither an ELF program nor a script with a #! line; to trace a shell script without that line, give: sh FILE",
            ),
            Unsuitable::Foreign(kind) => {
                let own = machine_name(MACHINE, 64);
                write!(f, "is a {kind} program; Weir traces 64-bit {own} programs")
            }
            Unsuitable::NotAProgram => f.write_str("is an ELF file, but an object file or a core dump, not a program"),
            Unsuitable::Damaged(part) => write!(f, "is damaged: its {part} cannot be read"),
        }
    }
}

impl std::error::Error for Unsuitable {}

/// Reads what matters of an ELF file.
pub fn read(file: File, depth: Depth) -> Result<Image, Unsuitable> {
    let cache = ReadCache::new(file);
    let data = Bounded(&cache);
    check_identity(data)?;
    let header: &FileHeader = data
        .read_at(0)
        .map_err(|()| Unsuitable::Damaged("header"))?;
    let segments = header
        .program_headers(ENDIAN, data)
        .map_err(|_| Unsuitable::Damaged("table of program headers"))?;

    let mut image = Image {
        is_executable: header.e_type(ENDIAN) == elf::ET_EXEC,
        is_go: segments.iter().any(|segment| is_go_note(segment, data)),
        ..Image::default()
    };
    for segment in segments {
        let name = segment
            .interpreter(ENDIAN, data)
            .map_err(|_| Unsuitable::Damaged("dynamic linker's name"))?;
        if let Some(name) = name {
            image.dynamic_linker = Some(OsString::from_vec(name.to_vec()));
        }
        let entries = segment
            .dynamic(ENDIAN, data)
            .map_err(|_| Unsuitable::Damaged("dynamic section"))?;
        if let Some(entries) = entries {
            let dynamic = Dynamic {
                data,
                segments,
                entries,
            };
            dynamic
                .describe(&mut image)
                .map_err(|()| Unsuitable::Damaged("dynamic section"))?;
            // A damaged table of versions is none: the dynamic linker will say so itself.
            image.needed_versions = dynamic.needed_versions().unwrap_or_default();
            image.versions = dynamic.versions().unwrap_or_default();
            if depth == Depth::Symbols {
                image.defines = dynamic.interposed_functions_defined(&mut image).ok();
            }
        }
    }
    Ok(image)
}

/// Refuses what is no program for this machine. The first twenty bytes are alike in all ELF files.
fn check_identity(data: Bounded<'_>) -> Result<(), Unsuitable> {
    let identity = data.read_bytes_at(0, 20).map_err(|()| Unsuitable::NotElf)?;
    if identity[..4] != elf::ELFMAG {
        return Err(Unsuitable::NotElf);
    }
    let bits = match identity[4] {
        1 => 32,
        2 => 64,
        _ => return Err(Unsuitable::Damaged("class")),
    };
    let is_little = match identity[5] {
        1 => true,
        2 => false,
        _ => return Err(Unsuitable::Damaged("byte order")),
    };
    let half = |at: usize| {
        let bytes = [identity[at], identity[at + 1]];
        if is_little {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        }
    };
    let (kind, machine) = (half(16), elf::Machine(half(18)));
    if (bits, is_little, machine) != (64, true, MACHINE) {
        return Err(Unsuitable::Foreign(format!(
            "{bits}-bit {}",
            machine_name(machine, bits)
        )));
    }
    match elf::FileType(kind) {
        elf::ET_EXEC | elf::ET_DYN => Ok(()),
        _ => Err(Unsuitable::NotAProgram),
    }
}

fn machine_name(machine: elf::Machine, bits: u8) -> String {
    let name = match machine {
        elf::EM_386 => "x86",
        elf::EM_X86_64 if bits == 32 => "x86-64 (x32)",
        elf::EM_X86_64 => "x86-64",
        elf::EM_ARM => "Arm",
        elf::EM_AARCH64 => "AArch64",
        elf::EM_RISCV => "RISC-V",
        elf::EM_MIPS => "MIPS",
        elf::EM_PPC | elf::EM_PPC64 => "PowerPC",
        elf::EM_S390 => "S/390",
        elf::EM_LOONGARCH => "LoongArch",
        other => return format!("(machine {})", other.0),
    };
    name.to_owned()
}

fn is_go_note(segment: &ProgramHeader, data: Bounded<'_>) -> bool {
    let Ok(Some(mut notes)) = segment.notes(ENDIAN, data) else {
        return false;
    };
    while let Ok(Some(note)) = notes.next() {
        if note.name() == b"Go" {
            return true;
        }
    }
    false
}

/// The dynamic section, and what it leads to.
struct Dynamic<'d> {
    data: Bounded<'d>,
    segments: &'d [ProgramHeader],
    entries: &'d [elf::Dyn64<LittleEndian>],
}

impl<'d> Dynamic<'d> {
    fn describe(&self, image: &mut Image) -> Result<(), ()> {
        let flags = self.value(elf::DT_FLAGS_1).unwrap_or(0);
        image.is_executable |= flags & elf::DF_1_PIE.0 != 0;
        for (tag, value) in self.values() {
            match tag {
                elf::DT_NEEDED => image.needed.push(self.string(value)?),
                elf::DT_SONAME => image.soname = Some(self.string(value)?),
                elf::DT_RPATH => image.rpath = Some(self.string(value)?),
                elf::DT_RUNPATH => image.runpath = Some(self.string(value)?),
                _ => {}
            }
        }
        Ok(())
    }

    /// The interposed functions that other objects find here first.
    fn interposed_functions_defined(&self, image: &mut Image) -> Result<Vec<&'static str>, ()> {
        let names = self.strings()?;
        let mut defined = [false; Function::COUNT];
        for symbol in self.symbols()? {
            let is_visible = matches!(
                symbol.st_visibility(),
                elf::STV_DEFAULT | elf::STV_PROTECTED
            );
            if symbol.is_undefined(ENDIAN) || symbol.is_local() || !is_visible {
                continue;
            }
            let Ok(name) = string_at(names, u64::from(symbol.st_name(ENDIAN))) else {
                continue;
            };
            let known = str::from_utf8(name).ok().and_then(Function::from_name);
            if let Some(known) = known {
                defined[known.index()] = true;
            }
            image.has_sanitizer |= name == OF_SANITIZERS;
        }
        let defined = Function::ALL.iter().filter(|known| defined[known.index()]);
        Ok(defined.map(|known| known.name()).collect())
    }

    /// The versions that it needs of other libraries, with the libraries' names.
    fn needed_versions(&self) -> Result<Vec<(String, String)>, ()> {
        let mut needed = Vec::new();
        let Some(address) = self.value(elf::DT_VERNEED) else {
            return Ok(needed);
        };
        let table = self.versions_from(address)?;
        let mut at = 0;
        loop {
            let library = self.string(word(table, at + 4)?.into())?;
            let mut aux = at + word(table, at + 8)? as usize;
            loop {
                if needed.len() == MAX_VERSIONS {
                    return Err(());
                }
                if half(table, aux + 4)? & IS_WEAK == 0 {
                    let version = self.string(word(table, aux + 8)?.into())?;
                    needed.push((library.clone(), version));
                }
                match word(table, aux + 12)? {
                    0 => break,
                    next => aux += next as usize,
                }
            }
            match word(table, at + 12)? {
                0 => return Ok(needed),
                next => at += next as usize,
            }
        }
    }

    /// The versions that it has.
    fn versions(&self) -> Result<Vec<String>, ()> {
        let mut versions = Vec::new();
        let Some(address) = self.value(elf::DT_VERDEF) else {
            return Ok(versions);
        };
        let table = self.versions_from(address)?;
        let mut at = 0;
        while versions.len() < MAX_VERSIONS {
            if half(table, at + 2)? & IS_BASE == 0 {
                let aux = at + word(table, at + 12)? as usize;
                versions.push(self.string(word(table, aux)?.into())?);
            }
            match word(table, at + 16)? {
                0 => return Ok(versions),
                next => at += next as usize,
            }
        }
        Err(())
    }

    /// The symbols that the hash table has, which is how the dynamic linker finds them.
    fn symbols(&self) -> Result<&'d [Symbol], ()> {
        let count = if let Some(address) = self.value(elf::DT_GNU_HASH) {
            let table = GnuHashTable::<FileHeader>::parse(ENDIAN, self.bytes_from(address)?);
            // A table without a symbol has no length.
            table
                .map_err(|_| ())?
                .symbol_table_length(ENDIAN)
                .unwrap_or(0)
        } else if let Some(address) = self.value(elf::DT_HASH) {
            let table = HashTable::<FileHeader>::parse(ENDIAN, self.bytes_from(address)?);
            table.map_err(|_| ())?.symbol_table_length()
        } else {
            return Err(());
        };
        if count == 0 {
            return Ok(&[]);
        }
        let range = self
            .file_range(self.value(elf::DT_SYMTAB).ok_or(())?)
            .ok_or(())?;
        self.data.read_slice_at(range.start, count as usize)
    }

    fn string(&self, offset: u64) -> Result<String, ()> {
        Ok(String::from_utf8_lossy(string_at(self.strings()?, offset)?).into_owned())
    }

    fn strings(&self) -> Result<&'d [u8], ()> {
        let range = self
            .file_range(self.value(elf::DT_STRTAB).ok_or(())?)
            .ok_or(())?;
        let size = self.value(elf::DT_STRSZ).ok_or(())?;
        self.data.read_bytes_at(range.start, size)
    }

    /// What the file has from an address on, to the end of its segment.
    fn bytes_from(&self, address: u64) -> Result<&'d [u8], ()> {
        self.at_most_from(address, MAX_PART)
    }

    /// The same, as far as a table of versions may reach.
    fn versions_from(&self, address: u64) -> Result<&'d [u8], ()> {
        self.at_most_from(address, MAX_VERSIONS as u64 * VERSION_BYTES)
    }

    fn at_most_from(&self, address: u64, bytes: u64) -> Result<&'d [u8], ()> {
        let range = self.file_range(address).ok_or(())?;
        self.data
            .read_bytes_at(range.start, (range.end - range.start).min(bytes))
    }

    /// Where in the file an address and the rest of its segment are.
    fn file_range(&self, address: u64) -> Option<Range<u64>> {
        self.segments.iter().find_map(|segment| {
            let offset_in = address.checked_sub(segment.p_vaddr(ENDIAN))?;
            let is_in =
                segment.p_type(ENDIAN) == elf::PT_LOAD && offset_in < segment.p_filesz(ENDIAN);
            let start = segment.p_offset(ENDIAN).checked_add(offset_in)?;
            let end = segment
                .p_offset(ENDIAN)
                .checked_add(segment.p_filesz(ENDIAN))?;
            is_in.then_some(start..end)
        })
    }

    fn value(&self, wanted: elf::DynamicTag) -> Option<u64> {
        self.values()
            .find(|&(tag, _)| tag == wanted)
            .map(|(_, value)| value)
    }

    fn values(&self) -> impl Iterator<Item = (elf::DynamicTag, u64)> {
        let values = self
            .entries
            .iter()
            .map(|entry| (entry.d_tag(ENDIAN), entry.d_val(ENDIAN)));
        values.take_while(|&(tag, _)| tag != elf::DT_NULL)
    }
}

fn half(bytes: &[u8], at: usize) -> Result<u16, ()> {
    let part = bytes.get(at..).and_then(<[u8]>::first_chunk);
    part.map(|&part| u16::from_le_bytes(part)).ok_or(())
}

fn word(bytes: &[u8], at: usize) -> Result<u32, ()> {
    let part = bytes.get(at..).and_then(<[u8]>::first_chunk);
    part.map(|&part| u32::from_le_bytes(part)).ok_or(())
}

fn string_at(strings: &[u8], offset: u64) -> Result<&[u8], ()> {
    let rest = strings
        .get(usize::try_from(offset).map_err(|_| ())?..)
        .ok_or(())?;
    let end = rest.iter().position(|&byte| byte == 0).ok_or(())?;
    Ok(&rest[..end])
}

/// A file of which no part larger than [`MAX_PART`] is read into memory.
#[derive(Clone, Copy, Debug)]
struct Bounded<'d>(&'d ReadCache<File>);

impl<'d> ReadRef<'d> for Bounded<'d> {
    fn len(self) -> Result<u64, ()> {
        self.0.len()
    }

    fn read_bytes_at(self, offset: u64, size: u64) -> Result<&'d [u8], ()> {
        if size > MAX_PART {
            Err(())
        } else {
            self.0.read_bytes_at(offset, size)
        }
    }

    fn read_bytes_at_until(self, range: Range<u64>, delimiter: u8) -> Result<&'d [u8], ()> {
        self.0.read_bytes_at_until(range, delimiter)
    }
}
