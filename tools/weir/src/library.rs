//! Finds the library that is preloaded, in a place that LD_PRELOAD can name; and the header.

use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::StatVfsMountFlags;
use tempfile::TempDir;

use crate::cli::LibraryArgs;
use crate::failure::Failure;
use crate::{kept, output, trust};

const NAME: &str = "libweir.so";
const HEADER_NAME: &str = "weir.h";

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

/// Where the header may be, from the command's directory.
const HEADER_PLACE: &str = "../include/weir.h";

/// The header, for where none is installed with the command.
const HEADER: &[u8] = include_bytes!("../include/weir.h");

/// The library, in a place that LD_PRELOAD can name.
#[derive(Debug)]
pub struct Library {
    path: PathBuf,
    /// Where it was unpacked for this run alone; gone when this is dropped.
    _private: Option<TempDir>,
}

impl Library {
    /// Finds it: the one beside the command, else the one that is installed with it, else a copy of the one that the
    /// command contains.
    ///
    /// # Errors
    /// Where no copy can be made.
    pub fn locate(session: &Path) -> Result<Library, Failure> {
        let (library, private) = match installed() {
            Some(installed) => (installed, None),
            None => unpacked(session)?,
        };
        let path = if is_nameable(&library) {
            library
        } else {
            let link = session.join(NAME);
            symlink(&library, &link).map_err(|error| Failure::of_file("make", &link, error))?;
            link
        };
        Ok(Library {
            path,
            _private: private,
        })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Whether LD_PRELOAD can hold the path: spaces and colons are between paths there, and the dynamic
/// linker replaces what begins with a dollar sign.
fn is_nameable(path: &Path) -> bool {
    let special = |byte: &u8| matches!(byte, b' ' | b':' | b'$');
    !path.as_os_str().as_bytes().iter().any(special)
}

/// The library beside the command.
fn installed() -> Option<PathBuf> {
    let command = std::env::current_exe().ok()?;
    let directory = command.parent()?;
    PLACES.into_iter().find_map(|place| {
        let library = directory.join(place);
        let there = fs::symlink_metadata(&library).ok()?;
        if there.is_file() && !place.starts_with("..") {
            return Some(library);
        }
        // Through links, or other directories: the real path, which they cannot turn elsewhere.
        let library = fs::canonicalize(&library).ok()?;
        fs::metadata(&library).ok()?.is_file().then_some(library)
    })
}

/// The embedded library as a file: one that an earlier run left in the user's cache, or a new one. Where another user
/// could put something else in its place, as in a home that is not ours, it is a copy of this run alone.
fn unpacked(session: &Path) -> Result<(PathBuf, Option<TempDir>), Failure> {
    if let Some(library) = kept::cache().and_then(|cache| unpack_into_cache(&cache).ok()) {
        return Ok((library, None));
    }
    let failure = match unpack_into(session) {
        Ok(library) => return Ok((library, None)),
        Err(error) => Failure::of_file("make", &session.join(NAME), error),
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

/// The library in the cache of the user.
fn unpack_into_cache(cache: &Path) -> io::Result<PathBuf> {
    unpack_into(&kept::directory(cache)?)
}

/// The library in a directory that is out of others' reach.
fn unpack_into(directory: &Path) -> io::Result<PathBuf> {
    let mounted = rustix::fs::statvfs(directory)?;
    if mounted.f_flag.contains(StatVfsMountFlags::NOEXEC) {
        return Err(io::Error::other("the file system is mounted noexec"));
    }
    let path = directory.join(format!("libweir-{:016x}.so", kept::fingerprint(EMBEDDED)));
    kept::file(&path, EMBEDDED, 0o755)?;
    Ok(path)
}

/// Prints the path of the library that `weir run` would preload, or that of the header.
///
/// # Errors
/// Where there is no such file that stays where it is, or LD_PRELOAD cannot name the library.
pub fn execute(args: &LibraryArgs) -> Result<(), Failure> {
    let path = if args.header { header() } else { lasting() }?;
    let mut line = path.into_os_string().into_vec();
    line.push(b'\n');
    output::print_bytes(&line)
}

/// The library where it stays, also when this process has ended.
fn lasting() -> Result<PathBuf, Failure> {
    let library = match installed() {
        Some(library) => beside_the_command(&library).unwrap_or(library),
        None => kept::in_cache(NAME, unpack_into)?,
    };
    if !is_nameable(&library) {
        let failure = Failure::of_weir(format!(
            "{} has a space, a colon or a dollar sign in its path, so LD_PRELOAD cannot name it",
            library.display()
        ));
        return Err(failure.with_remedy("copy it to another directory"));
    }
    Ok(library)
}

/// The file beside the command, where it is the same one. In a folder that cargo builds in, that is the path that stays: cargo
/// may remove what lies in `deps`.
fn beside_the_command(library: &Path) -> Option<PathBuf> {
    let beside = std::env::current_exe().ok()?.with_file_name(NAME);
    let file = |path: &Path| {
        let there = fs::symlink_metadata(path).ok()?;
        there.is_file().then(|| (there.dev(), there.ino()))
    };
    (file(&beside)? == file(library)?).then_some(beside)
}

/// The header: the one that is installed with the command, else a copy of the one that the command contains.
fn header() -> Result<PathBuf, Failure> {
    let installed = || {
        let command = std::env::current_exe().ok()?;
        let header = fs::canonicalize(command.parent()?.join(HEADER_PLACE)).ok()?;
        header.is_file().then_some(header)
    };
    match installed() {
        Some(header) => Ok(header),
        None => kept::in_cache(HEADER_NAME, unpack_header_into),
    }
}

/// The header in a directory of its own, as what includes it names it without a directory.
fn unpack_header_into(directory: &Path) -> io::Result<PathBuf> {
    let name = format!("include-{:016x}", kept::fingerprint(HEADER));
    let path = kept::directory(&directory.join(name))?.join(HEADER_NAME);
    kept::file(&path, HEADER, 0o644)?;
    Ok(path)
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

        // Who may write to it may have changed it since it was compared.
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

    #[test]
    fn the_header_is_unpacked_as_it_was_built_and_never_trusted_blindly() {
        let directory = tempfile::tempdir().unwrap();
        let header = unpack_header_into(directory.path()).unwrap();
        assert_eq!(header.file_name(), Some("weir.h".as_ref()));
        fs::write(&header, "something else").unwrap();
        assert_eq!(unpack_header_into(directory.path()).unwrap(), header);
        assert_eq!(fs::read(&header).unwrap(), HEADER);
        let folder = header.parent().unwrap();
        assert_eq!(folder.read_dir().unwrap().count(), 1);

        // Others may exchange it.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(unpack_header_into(directory.path()).is_err());
    }
}
