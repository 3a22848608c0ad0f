//! Which file has the code, and which ones have its symbols.
//!
//! The file that ran has often none: distributions put them into files of their own, which are found by the build id
//! (`/usr/lib/debug/.build-id/ab/cdef.debug`), by a name that the file has (`.gnu_debuglink`), or where debuginfod-find put them.
//! What such files have in common may be in one more (`.gnu_debugaltlink`).

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use object::read::Object as _;

use super::object::{Object, Unusable, hexadecimal};
use super::{Asked, Lack};

/// The files of one object.
pub struct Files {
    /// The one that ran.
    own: Option<Object>,
    /// The one with its debug information.
    separate: Option<Object>,
    /// What debug files have in common.
    pub supplement: Option<Object>,
    /// What is wrong with the one that ran.
    pub lack: Option<Lack>,
}

/// The section with most of the debug information.
pub const DEBUG_INFO: &str = ".debug_info";

impl Files {
    /// Looks for them.
    pub fn of(asked: &Asked<'_>, debug_directories: &[PathBuf]) -> Files {
        let (own, lack) = match own(asked) {
            Ok(own) => {
                let lack = asked.build_id.is_none().then_some(Lack::Unverified);
                (Some(own), lack)
            }
            Err(lack) => (None, Some(lack)),
        };
        let has_debug_info = own.as_ref().is_some_and(|own| own.has_section(DEBUG_INFO));
        let mut files = Files {
            own,
            separate: None,
            supplement: None,
            lack,
        };
        if !has_debug_info {
            files.separate = asked
                .build_id
                .and_then(|id| by_build_id(id, debug_directories))
                .or_else(|| by_link(files.own.as_ref()?, debug_directories));
        }
        if files.separate.is_some() && files.own.is_none() {
            // What it has is all that is needed.
            files.lack = None;
        }
        files.supplement = files
            .with_dwarf()
            .and_then(|debug| supplement(debug, debug_directories));
        files
    }

    /// Those that are there.
    pub fn all(&self) -> impl Iterator<Item = &Object> {
        self.separate.iter().chain(&self.own)
    }

    /// Whether there is any.
    pub fn has_any(&self) -> bool {
        self.all().next().is_some()
    }

    /// The one that has debug information.
    pub fn with_dwarf(&self) -> Option<&Object> {
        self.all().find(|object| object.has_section(DEBUG_INFO))
    }
}

/// The file that ran, if it is still the same.
fn own(asked: &Asked<'_>) -> Result<Object, Lack> {
    let path = Path::new(asked.path);
    if !path.is_absolute() {
        return Err(Lack::Missing);
    }
    let own = Object::open(path).map_err(|error| match error {
        Unusable::Io(error) if error.kind() == io::ErrorKind::NotFound => Lack::Missing,
        error => Lack::Unreadable(error.to_string()),
    })?;
    match own.build_id().as_deref() == asked.build_id {
        true => Ok(own),
        false => Err(Lack::Changed),
    }
}

/// The debug file of an object with this build id.
fn by_build_id(id: &str, debug_directories: &[PathBuf]) -> Option<Object> {
    // It becomes a part of a path.
    let is_id = id.len() > 2 && id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let (first, rest) = is_id.then(|| id.split_at(2))?;
    let in_directories = debug_directories
        .iter()
        .map(|directory| directory.join(format!(".build-id/{first}/{rest}.debug")));
    let in_cache = debuginfod_cache().map(|cache| cache.join(id).join("debuginfo"));
    in_directories
        .chain(in_cache)
        .filter_map(|path| Object::open(&path).ok())
        .find(|object| object.build_id().as_deref() == Some(id))
}

/// Where debuginfod-find keeps what it got.
fn debuginfod_cache() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(cache) = variable("DEBUGINFOD_CACHE_PATH") {
        return Some(cache.into());
    }
    let cache = match variable("XDG_CACHE_HOME") {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(variable("HOME")?).join(".cache"),
    };
    Some(cache.join("debuginfod_client"))
}

/// The debug file that an object names, which has the same build id; where there is none, it is known by a checksum.
fn by_link(own: &Object, debug_directories: &[PathBuf]) -> Option<Object> {
    let elf = own.elf().ok()?;
    let (name, checksum) = elf.gnu_debuglink().ok()??;
    let name = OsStr::from_bytes(name);
    // A name in the file's own directory, and no path.
    if Path::new(name).file_name() != Some(name) {
        return None;
    }
    let beside = own.path.canonicalize().ok()?;
    let beside = beside.parent()?;
    let elsewhere = beside.strip_prefix("/").ok()?;
    let in_directories = debug_directories
        .iter()
        .map(|directory| directory.join(elsewhere).join(name));
    [beside.join(name), beside.join(".debug").join(name)]
        .into_iter()
        .chain(in_directories)
        .filter_map(|path| Object::open(&path).ok())
        .filter(|object| object.identity != own.identity)
        .find(|object| match own.build_id() {
            Some(id) => object.build_id() == Some(id),
            None => has_checksum(object, checksum),
        })
}

fn has_checksum(object: &Object, checksum: u32) -> bool {
    let mut crc = flate2::Crc::new();
    object.each_piece(|piece| crc.update(piece)).is_ok() && crc.sum() == checksum
}

/// The file that a debug file has parts in common with.
fn supplement(debug: &Object, debug_directories: &[PathBuf]) -> Option<Object> {
    let elf = debug.elf().ok()?;
    let (name, id) = elf.gnu_debugaltlink().ok()??;
    let id = hexadecimal(id);
    let named = debug.path.canonicalize().ok()?;
    let named = named.parent()?.join(OsStr::from_bytes(name));
    Object::open(&named)
        .ok()
        .filter(|object| object.build_id().as_ref() == Some(&id))
        .or_else(|| by_build_id(&id, debug_directories))
}
