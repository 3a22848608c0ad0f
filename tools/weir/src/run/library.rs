//! Finds the library that is preloaded, in a place that LD_PRELOAD can name.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::StatVfsMountFlags;
use tempfile::TempDir;

use super::trust;
use crate::failure::Failure;

const NAME: &str = "libweir.so";

/// Where the library may be, from the command's directory. The first is where cargo builds it along with
/// the command; beside the command it has one that was asked for by itself, perhaps long ago.
const PLACES: [&str; 4] = [
    "deps/libweir.so",
    "libweir.so",
    "../lib/weir/libweir.so",
    "../lib/libweir.so",
];

/// The library as it was built with this command, for where none stands beside it.
const EMBEDDED: &[u8] = include_bytes!(env!("WEIR_LIBRARY"));

/// The library, in a place that LD_PRELOAD can name.
#[derive(Debug)]
pub struct Library {
    path: PathBuf,
    is_as_built: bool,
    /// Where it was unpacked for this run alone; gone when this is dropped.
    _private: Option<TempDir>,
}

impl Library {
    /// Finds it: what stands beside the command, else what is installed with it, else a copy of the one that the
    /// command brings with it.
    ///
    /// # Errors
    /// Where no copy can be made.
    pub fn locate(session: &Path) -> Result<Library, Failure> {
        let ((library, length), private) = match installed() {
            Some(installed) => (installed, None),
            None => {
                let (library, private) = unpacked(session)?;
                ((library, EMBEDDED.len() as u64), private)
            }
        };
        let path = if is_nameable(&library) {
            library
        } else {
            let link = session.join(NAME);
            symlink(&library, &link).map_err(|error| Failure::of_file("make", &link, &error))?;
            link
        };
        Ok(Library {
            path,
            is_as_built: length == EMBEDDED.len() as u64,
            _private: private,
        })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is as long as the one that was built with this command: then it runs with the C library that the command runs
    /// with.
    pub fn is_as_built(&self) -> bool {
        self.is_as_built
    }
}

/// Whether LD_PRELOAD can hold the path: spaces and colons are between paths there, and the dynamic
/// linker replaces what begins with a dollar sign.
fn is_nameable(path: &Path) -> bool {
    let special = |byte: &u8| matches!(byte, b' ' | b':' | b'$');
    !path.as_os_str().as_bytes().iter().any(special)
}

/// The library beside the command, and its length.
fn installed() -> Option<(PathBuf, u64)> {
    let command = std::env::current_exe().ok()?;
    let directory = command.parent()?;
    PLACES.into_iter().find_map(|place| {
        let library = directory.join(place);
        let there = fs::symlink_metadata(&library).ok()?;
        if there.is_file() && !place.starts_with("..") {
            return Some((library, there.len()));
        }
        // Through links, or other directories: the real path, which they cannot turn elsewhere.
        let library = fs::canonicalize(&library).ok()?;
        let there = fs::metadata(&library).ok()?;
        there.is_file().then_some((library, there.len()))
    })
}

/// The embedded library as a file: one that an earlier run left in the user's cache, or a new one. Where another user
/// could put something else in its place, as in a home that is not ours, it is a copy of this run alone.
fn unpacked(session: &Path) -> Result<(PathBuf, Option<TempDir>), Failure> {
    if let Some(library) = cache().and_then(|cache| unpack_into_cache(&cache).ok()) {
        return Ok((library, None));
    }
    let failure = match unpack_into(session) {
        Ok(library) => return Ok((library, None)),
        Err(error) => Failure::of_file("make", &session.join(NAME), &error),
    };
    // Nothing may be executed where the session is.
    let elsewhere = || -> io::Result<_> {
        let directory = private_directory(&trust::out_of_reach(&std::env::temp_dir())?)?;
        Ok((unpack_into(directory.path())?, Some(directory)))
    };
    elsewhere().map_err(|_| failure)
}

fn private_directory(parent: &Path) -> io::Result<TempDir> {
    tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o700))
        .prefix("weir.")
        .rand_bytes(10)
        .tempdir_in(parent)
}

fn cache() -> Option<PathBuf> {
    let variable = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    variable("XDG_CACHE_HOME")
        .or_else(|| Some(variable("HOME")?.join(".cache")))
        .map(|cache| cache.join("weir"))
}

/// Makes the cache, unless it would be another user's, or is.
fn unpack_into_cache(cache: &Path) -> io::Result<PathBuf> {
    trust::may_be_made_out_of_reach(cache)?;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(cache)?;
    unpack_into(&trust::out_of_reach(cache)?)
}

/// The library in a directory that is out of others' reach.
fn unpack_into(directory: &Path) -> io::Result<PathBuf> {
    let mounted = rustix::fs::statvfs(directory)?;
    if mounted.f_flag.contains(StatVfsMountFlags::NOEXEC) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let path = directory.join(format!("libweir-{:016x}.so", fingerprint(EMBEDDED)));
    if is_whole(&path) {
        return Ok(path);
    }
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(EMBEDDED)?;
    file.as_file()
        .set_permissions(fs::Permissions::from_mode(0o755))?;
    file.persist(&path)?;
    Ok(path)
}

/// Whether this is the embedded library, and nobody but this user and root can have changed it since it was compared.
fn is_whole(path: &Path) -> bool {
    let check = || -> io::Result<bool> {
        let mut file = fs::OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(path)?;
        let there = file.metadata()?;
        let trusted = there.is_file()
            && trust::is_ours(there.uid())
            && there.mode() & 0o022 == 0
            && there.len() == EMBEDDED.len() as u64;
        if !trusted {
            return Ok(false);
        }
        // In parts: memory for all of it would take longer to have than it takes to compare.
        let mut part = [0; 8 * 1024];
        for expected in EMBEDDED.chunks(part.len()) {
            let part = &mut part[..expected.len()];
            file.read_exact(part)?;
            if part != expected {
                return Ok(false);
            }
        }
        Ok(true)
    };
    check().unwrap_or(false)
}

/// FNV-1a over the length, the beginning and the end, where builds differ: names, symbols, sections. It keeps
/// the copies of different versions apart; what counts is that the content is compared.
fn fingerprint(library: &[u8]) -> u64 {
    const PART: usize = 32 * 1024;
    let end = library.len().saturating_sub(PART);
    let length = library.len().to_le_bytes();
    let parts = [
        &length[..],
        &library[..PART.min(library.len())],
        &library[end..],
    ];
    parts
        .into_iter()
        .flatten()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_paths_are_more_than_ld_preload_can_name() {
        assert!(is_nameable(Path::new("/usr/lib/weir/libweir.so")));
        for path in ["/a b/libweir.so", "/a:b/libweir.so", "/$LIB/libweir.so"] {
            assert!(!is_nameable(Path::new(path)), "{path}");
        }
    }

    #[test]
    fn the_library_is_unpacked_once_and_never_trusted_blindly() {
        let directory = tempfile::tempdir().unwrap();
        let nested = directory.path().join("cache/weir");
        let library = unpack_into_cache(&nested).unwrap();
        let inode = |path: &Path| path.metadata().unwrap().ino();
        assert_eq!(fs::read(&library).unwrap(), EMBEDDED);
        assert_eq!(nested.metadata().unwrap().mode() & 0o777, 0o700);

        let first = inode(&library);
        let again = || inode(&unpack_into_cache(&nested).unwrap());
        assert_eq!(again(), first);

        // Whoever may write to it may have changed it since it was compared.
        fs::set_permissions(&library, fs::Permissions::from_mode(0o777)).unwrap();
        assert_ne!(again(), first);
        fs::write(&library, "something else").unwrap();
        again();
        assert_eq!(fs::read(&library).unwrap(), EMBEDDED);
        assert_eq!(nested.read_dir().unwrap().count(), 1);

        // Others may exchange it.
        fs::set_permissions(&nested, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(unpack_into_cache(&nested).is_err());
    }
}
