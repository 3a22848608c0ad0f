//! A file with code or its symbols. It may be damaged or hostile, or something else than a file: a report names it.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::fmt::Write;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use object::read::elf::ElfFile64;
use object::read::{Object as _, ObjectSection as _, ReadCache, ReadRef};

/// The most bytes that are read of one file, or made of what is compressed in it.
const MAX_BYTES: u64 = 4 << 30;

/// A file that is open.
pub struct Object {
    pub path: PathBuf,
    /// The device and the number on it: which file it is, by whatever name.
    pub identity: (u64, u64),
    cache: ReadCache<File>,
    left: Cell<u64>,
}

/// Why a file is of no use.
#[derive(Debug)]
pub enum Unusable {
    /// The system would not let it be read.
    Io(io::Error),
    /// It is a directory, a pipe, a device.
    NotAFile,
    /// It is not ELF, or is damaged.
    NotElf,
    /// It has more than [`MAX_BYTES`].
    TooLarge,
    /// What is in it makes no sense.
    Damaged(String),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unusable::Io(error) => match error.to_string().split_once(" (os error ") {
                Some((words, _)) => f.write_str(words),
                None => error.fmt(f),
            },
            Unusable::NotAFile => f.write_str("it is not a regular file"),
            Unusable::NotElf => f.write_str("it is not a 64-bit ELF file"),
            Unusable::TooLarge => write!(f, "it is larger than {} GiB", MAX_BYTES >> 30),
            Unusable::Damaged(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Unusable {
    /// `Io` has the text of the inner error, so its source is the inner one's.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Unusable::Io(error) => error.source(),
            _ => None,
        }
    }
}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Unusable {
        Unusable::Io(error)
    }
}

impl From<object::Error> for Unusable {
    fn from(error: object::Error) -> Unusable {
        Unusable::Damaged(error.to_string())
    }
}

/// A reader of an object's bytes.
pub type Elf<'d> = ElfFile64<'d, object::Endianness, Bytes<'d>>;

impl Object {
    /// Opens an ELF file. Links are followed: libraries are often named by one.
    pub fn open(path: &Path) -> Result<Object, Unusable> {
        // Looked at before it is opened: to open a device can do something, and nobody may be at the other end of a pipe.
        if !fs::metadata(path)?.is_file() {
            return Err(Unusable::NotAFile);
        }
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(Unusable::NotAFile);
        }
        let object = Object {
            path: path.to_owned(),
            identity: (metadata.dev(), metadata.ino()),
            cache: ReadCache::new(file),
            left: Cell::new(MAX_BYTES),
        };
        object.elf()?;
        Ok(object)
    }

    /// Its headers.
    pub fn elf(&self) -> Result<Elf<'_>, Unusable> {
        Elf::parse(Bytes(self)).map_err(|_| match self.is_exhausted() {
            true => Unusable::TooLarge,
            false => Unusable::NotElf,
        })
    }

    /// Its build id in lower-case hexadecimal.
    pub fn build_id(&self) -> Option<String> {
        let elf = self.elf().ok()?;
        Some(hexadecimal(elf.build_id().ok()??))
    }

    /// Whether a section has something in it.
    pub fn has_section(&self, name: &str) -> bool {
        self.section_bytes(name) > 0
    }

    /// Bytes of a section, when it is not compressed; 0 where there is none.
    pub fn section_bytes(&self, name: &str) -> u64 {
        let Ok(elf) = self.elf() else { return 0 };
        let section = elf.section_by_name(name);
        let range = section.and_then(|section| section.compressed_file_range().ok());
        range.map_or(0, |range| range.uncompressed_size)
    }

    /// What is in a section; nothing where there is no such section.
    pub fn section(&self, name: &str) -> Result<Cow<'_, [u8]>, Unusable> {
        let elf = self.elf()?;
        let Some(section) = elf.section_by_name(name) else {
            return Ok(Cow::Borrowed(&[]));
        };
        let range = section.compressed_file_range()?;
        if range.compressed_size != range.uncompressed_size && !self.pay(range.uncompressed_size) {
            return Err(Unusable::TooLarge);
        }
        let data = range.data(Bytes(self)).and_then(|data| data.decompress());
        data.map_err(|error| match self.is_exhausted() {
            true => Unusable::TooLarge,
            false => error.into(),
        })
    }

    /// All of its bytes, in pieces.
    pub fn each_piece(&self, mut take: impl FnMut(&[u8])) -> Result<(), Unusable> {
        let mut file = File::open(&self.path)?;
        let metadata = file.metadata()?;
        if (metadata.dev(), metadata.ino()) != self.identity {
            return Err(Unusable::NotAFile);
        }
        if metadata.len() > MAX_BYTES {
            return Err(Unusable::TooLarge);
        }
        let mut piece = vec![0; 1 << 16];
        loop {
            match io::Read::read(&mut file, &mut piece)? {
                0 => return Ok(()),
                count => take(&piece[..count]),
            }
        }
    }

    fn pay(&self, bytes: u64) -> bool {
        let left = self.left.get().checked_sub(bytes);
        self.left.set(left.unwrap_or(0));
        left.is_some()
    }

    fn is_exhausted(&self) -> bool {
        self.left.get() == 0
    }
}

/// An object's bytes, as many as may be read of one.
#[derive(Clone, Copy)]
pub struct Bytes<'d>(&'d Object);

impl<'d> ReadRef<'d> for Bytes<'d> {
    fn len(self) -> Result<u64, ()> {
        (&self.0.cache).len()
    }

    fn read_bytes_at(self, offset: u64, size: u64) -> Result<&'d [u8], ()> {
        // What was read before is paid for again: that is little, but for tables that are read twice.
        match self.0.pay(size) {
            true => self.0.cache.read_bytes_at(offset, size),
            false => Err(()),
        }
    }

    fn read_bytes_at_until(self, range: Range<u64>, delimiter: u8) -> Result<&'d [u8], ()> {
        self.0.cache.read_bytes_at_until(range, delimiter)
    }
}

/// Bytes in lower-case hexadecimal.
pub fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
