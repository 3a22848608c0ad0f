//! A region's file is copied, never mapped: so no process can cut it off while it is read, and a process that still uses it is not
//! disturbed. It may have any content.

use std::error::Error;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use weir_record::region::{Header, MAGIC, MAX_SLOTS, Maker, NotARegion, Region};

use crate::failure::Failure;
use crate::run::mapping::Mapping;
use crate::run::moment;

/// Who made a region file; none where it is none, or none yet.
pub fn maker(path: &Path) -> Option<Maker> {
    maker_of(&open(path).ok()?)
}

/// The same of an open file.
pub fn maker_of(file: &File) -> Option<Maker> {
    let mut first = [0; Header::MAKER_BYTES];
    file.read_exact_at(&mut first, 0).ok()?;
    Header::maker(&first)
}

/// A copy of a region, whose process may go on.
pub struct Copied {
    memory: Mapping,
    /// The file.
    pub file: File,
    path: PathBuf,
}

impl Copied {
    /// Copies a region file, in the memory of a copy that is no longer needed, if there is one.
    ///
    /// # Errors
    /// Where it cannot be read, or is no region.
    pub fn over(before: Option<Copied>, path: &Path) -> Result<Copied, Failure> {
        Copied::of_file(open(path)?, before, path)
    }

    /// The same of an open file, which has this path.
    ///
    /// # Errors
    /// As above.
    pub fn of_file(file: File, before: Option<Copied>, path: &Path) -> Result<Copied, Failure> {
        let memory = before.map(|before| before.memory);
        let memory = copy(&file, memory).map_err(|trouble| trouble.about(path))?;
        let copied = Copied {
            memory,
            file,
            path: path.to_owned(),
        };
        moment::note_steadiness(copied.region()?.header);
        Ok(copied)
    }

    /// The region.
    ///
    /// # Errors
    /// Where it is none.
    pub fn region(&self) -> Result<Region<'_>, Failure> {
        region_of(&self.memory).map_err(|trouble| trouble.about(&self.path))
    }
}

/// Why there is no region.
#[derive(Debug)]
pub enum Trouble {
    /// The file cannot be read.
    Io(io::Error),
    /// It has no bytes.
    Empty,
    /// It does not begin as a region.
    NotARegion(NotARegion),
    /// Its header has impossible numbers.
    Damaged,
    /// It ends before the region does.
    CutOff {
        /// Bytes of the file.
        length: u64,
    },
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Io(error) => error.fmt(f),
            Trouble::Empty => f.write_str("it is empty"),
            Trouble::NotARegion(reason) => reason.fmt(f),
            Trouble::Damaged => f.write_str("it is not a region: its header is damaged"),
            Trouble::CutOff { length } => {
                write!(
                    f,
                    "it is cut off: the region is not complete after {length} bytes"
                )
            }
        }
    }
}

impl Error for Trouble {
    /// The text is that of the inner error, where there is one; so the source is the inner one's.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Trouble::Io(error) => error.source(),
            Trouble::NotARegion(reason) => reason.source(),
            Trouble::Empty | Trouble::Damaged | Trouble::CutOff { .. } => None,
        }
    }
}

impl Trouble {
    fn about(self, path: &Path) -> Failure {
        let remedy = match self {
            Trouble::Io(error) => return Failure::of_file("read", path, error),
            Trouble::NotARegion(NotARegion::Layout) => {
                Some("use the weir that came with the library")
            }
            Trouble::NotARegion(_) | Trouble::Damaged => {
                Some("a program that runs under Weir has its region in /dev/shm or WEIR_REGION_DIR")
            }
            Trouble::Empty | Trouble::CutOff { .. } => None,
        };
        let failure = cannot_recover(path).because(self);
        match remedy {
            Some(remedy) => failure.with_remedy(remedy),
            None => failure,
        }
    }
}

/// A failure that is about this file.
pub fn cannot_recover(path: &Path) -> Failure {
    Failure::of_weir(format!("cannot recover {}", path.display()))
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Trouble {
        Trouble::Io(error)
    }
}

/// Opens what may be a region, and is a file.
pub fn open(path: &Path) -> Result<File, Failure> {
    let failed = |error| Failure::of_file("read", path, error);
    let file = OpenOptions::new()
        .read(true)
        // A pipe without a writer must not keep us waiting.
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let kind = match metadata.file_type() {
        kind if kind.is_file() => return Ok(file),
        kind if kind.is_dir() => "it is a directory, not a region",
        _ => "it is not a regular file",
    };
    Err(cannot_recover(path).because(kind))
}

/// Copies the part of a region file that has been used, into this memory if it is large enough.
fn copy(file: &File, memory: Option<Mapping>) -> Result<Mapping, Trouble> {
    let length = file.metadata()?.len();
    let head = size_of::<Header>();
    if length < head as u64 {
        return Err(short(file, length)?);
    }
    let memory = match memory {
        Some(before) => Mapping::copy_over(before, file, head)?,
        None => Mapping::copy(file, head)?,
    };
    let header = region_of(&memory)?.header;
    if header.slots_used() > MAX_SLOTS {
        return Err(Trouble::Damaged);
    }
    let bytes = header.bytes_used();
    if length < bytes as u64 {
        return Err(Trouble::CutOff { length });
    }
    Ok(Mapping::copy_over(memory, file, bytes)?)
}

/// What is wrong with a file that is shorter than a header.
fn short(file: &File, length: u64) -> io::Result<Trouble> {
    let mut magic = [0; size_of_val(&MAGIC)];
    if length == 0 {
        return Ok(Trouble::Empty);
    }
    if length < magic.len() as u64 {
        return Ok(Trouble::NotARegion(NotARegion::Short));
    }
    file.read_exact_at(&mut magic, 0)?;
    Ok(match u64::from_ne_bytes(magic) {
        MAGIC => Trouble::CutOff { length },
        _ => Trouble::NotARegion(NotARegion::Magic),
    })
}

/// The region in this memory, where it is one.
pub fn region_of(memory: &Mapping) -> Result<Region<'_>, Trouble> {
    memory.region().map_err(Trouble::NotARegion)
}
