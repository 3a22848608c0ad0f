//! The libraries that the dynamic linker would load with a program, in the order in which it looks for functions in them:
//! what is preloaded, and then what the program is linked against, and so on (ld.so(8)).
//!
//! Nothing is executed to find them, unlike with `ldd`. A library that is not found here is left out: the dynamic linker
//! may find it elsewhere.

use std::collections::{HashSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::ErrorKind::{NotADirectory, NotFound};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::cache::Cache;
use crate::arch::{DEFAULT_PLACES, LIB, PLATFORM};

use super::elf::{self, Depth, Image, Unsuitable};

/// More libraries than any program has.
const MOST: usize = 1024;

/// A library, where it is, and what it is like.
#[derive(Clone, Debug)]
pub struct Library {
    /// Where it is.
    pub path: PathBuf,
    /// What it is like.
    pub image: Image,
}

/// What LD_PRELOAD names.
#[derive(Debug)]
pub struct Preload {
    /// As it is named.
    pub name: OsString,
    /// What the dynamic linker would find.
    pub found: Found,
}

/// What the dynamic linker would find under a name.
#[derive(Debug)]
pub enum Found {
    /// A library that it can load.
    Library(Box<Library>),
    /// Something else; reads on after its path.
    Unsuitable(PathBuf, Unsuitable),
    /// Nothing.
    Missing,
    /// Something that may not be read, or it is not known where to look.
    Unknown,
}

/// Looks for libraries as the dynamic linker of a program does.
#[derive(Debug)]
pub struct Search {
    /// What LD_LIBRARY_PATH has.
    library_path: Vec<PathBuf>,
    cache: Cache,
    /// Where libraries are when nobody says where.
    places: Vec<PathBuf>,
    depth: Depth,
}

impl Search {
    /// For programs that have this dynamic linker, with LD_LIBRARY_PATH as it is.
    pub fn new(dynamic_linker: &Path, library_path: Option<&OsStr>, depth: Depth) -> Search {
        let real = fs::canonicalize(dynamic_linker).unwrap_or_default();
        let beside = real.parent().map(Path::to_owned).unwrap_or_default();
        let defaults = DEFAULT_PLACES.map(PathBuf::from);
        let is_default =
            |place: &PathBuf| fs::canonicalize(place).is_ok_and(|place| place == beside);
        let library_path = library_path.unwrap_or_default().as_bytes();
        let library_path = library_path
            .split(|byte| matches!(byte, b':' | b';'))
            .filter(|_| !library_path.is_empty())
            // An empty entry is the working directory.
            .map(|place| {
                PathBuf::from(OsStr::from_bytes(if place.is_empty() {
                    b"."
                } else {
                    place
                }))
            });
        let is_of_system = defaults.iter().any(is_default);
        Search {
            library_path: library_path.collect(),
            // A C library that is installed elsewhere has a cache of its own.
            cache: if is_of_system {
                Cache::of_system()
            } else {
                Cache::default()
            },
            places: if is_of_system {
                defaults.into()
            } else {
                vec![beside]
            },
            depth,
        }
    }

    /// What is preloaded with a program, in the order in which it is: LD_PRELOAD, and then the system's own list.
    pub fn preloaded(&self, program: &Library, variable: &OsStr) -> Vec<Preload> {
        let system = fs::read("/etc/ld.so.preload").unwrap_or_default();
        let system = system
            .split(|&byte| byte == b'\n')
            .flat_map(|line| line.split(|&byte| byte == b'#').take(1));
        let system =
            system.flat_map(|line| line.split(|byte| byte.is_ascii_whitespace() || *byte == b':'));
        let variable = variable
            .as_bytes()
            .split(|byte| matches!(byte, b':' | b' '));
        let names = variable.chain(system).filter(|name| !name.is_empty());
        names
            .map(|name| Preload {
                name: OsStr::from_bytes(name).to_owned(),
                found: self.find(name, &[program]),
            })
            .collect()
    }

    /// What a program is loaded with: itself, what is preloaded, what all of these are linked against.
    pub fn all(&self, program: Library, preloads: &[Preload]) -> Vec<Library> {
        let mut seen = HashSet::new();
        let mut all = vec![program];
        // Each with the libraries that need it, directly or indirectly.
        let mut parents = vec![None];
        for preload in preloads {
            if let Found::Library(library) = &preload.found {
                seen.extend(library.image.soname.clone());
                all.push(Library::clone(library));
                parents.push(Some(0));
            }
        }
        let mut next: VecDeque<usize> = (0..all.len()).collect();
        while let Some(index) = next.pop_front() {
            for name in all[index].image.needed.clone() {
                if all.len() == MOST || !seen.insert(name.clone()) {
                    continue;
                }
                let mut chain = vec![&all[index]];
                let mut parent = parents[index];
                while let Some(above) = parent {
                    chain.push(&all[above]);
                    parent = parents[above];
                }
                if let Found::Library(library) = self.find(name.as_bytes(), &chain) {
                    all.push(*library);
                    parents.push(Some(index));
                    next.push_back(all.len() - 1);
                }
            }
        }
        all
    }

    /// What is under a name, for a library that was asked for by the others of the chain.
    fn find(&self, name: &[u8], chain: &[&Library]) -> Found {
        let origin = |library: &Library| library.path.parent().map(Path::to_owned);
        if name.contains(&b'/') || name.contains(&b'$') {
            let expanded = expanded(name, chain[0].path.parent());
            let mut found = expanded.iter().map(|path| self.look_at(path));
            return found
                .find(|found| !matches!(found, Found::Missing))
                .unwrap_or(Found::Missing);
        }
        let listed = |list: &Option<String>, library: &Library| -> Vec<PathBuf> {
            let places = list.iter().flat_map(|list| list.split(':'));
            let origin = origin(library);
            places
                .flat_map(|place| expanded(place.as_bytes(), origin.as_deref()))
                .collect()
        };
        let first = chain[0];
        let mut places = Vec::new();
        if first.image.runpath.is_none() {
            for library in chain
                .iter()
                .filter(|library| library.image.runpath.is_none())
            {
                places.extend(listed(&library.image.rpath, library));
            }
        }
        places.extend(self.library_path.iter().cloned());
        places.extend(listed(&first.image.runpath, first));
        let name = Path::new(OsStr::from_bytes(name));
        let named = places.into_iter().map(|place| place.join(name));
        let cached = self.cache.find(name.as_os_str().as_bytes());
        let usual = self.places.iter().map(|place| place.join(name));
        let mut last = Found::Missing;
        for path in named.chain(cached).chain(usual) {
            match self.look_at(&path) {
                Found::Missing => {}
                // One for another word size is passed over.
                found @ Found::Unsuitable(..) => last = found,
                found => return found,
            }
        }
        last
    }

    fn look_at(&self, path: &Path) -> Found {
        // Only regular files are opened: a pipe may have no writer.
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => {}
            Err(error) if matches!(error.kind(), NotFound | NotADirectory) => {
                return Found::Missing;
            }
            _ => return Found::Unknown,
        }
        let Ok(file) = File::open(path) else {
            return Found::Unknown;
        };
        match elf::read(file, self.depth) {
            Ok(image) => Found::Library(Box::new(Library {
                path: path.to_owned(),
                image,
            })),
            Err(unsuitable) => Found::Unsuitable(path.to_owned(), unsuitable),
        }
    }
}

/// What a path with `$ORIGIN` and `$LIB` in it may stand for.
fn expanded(path: &[u8], origin: Option<&Path>) -> Vec<PathBuf> {
    let text = String::from_utf8_lossy(path);
    if !text.contains('$') {
        return vec![PathBuf::from(OsStr::from_bytes(path))];
    }
    let origin = origin.unwrap_or(Path::new("/")).to_string_lossy();
    let replaced = |name: &str, value: &str, text: &str| {
        text.replace(&format!("${{{name}}}"), value)
            .replace(&format!("${name}"), value)
    };
    let text = replaced("ORIGIN", &origin, &text);
    let text = replaced("PLATFORM", PLATFORM, &text);
    LIB.iter()
        .map(|lib| PathBuf::from(replaced("LIB", lib, &text)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_the_dynamic_linker_replaces_are_replaced() {
        let expanded = |text: &str| -> Vec<String> {
            let paths = expanded(text.as_bytes(), Some(Path::new("/opt/x")));
            let text = |path: PathBuf| path.to_string_lossy().into_owned();
            paths.into_iter().map(text).collect()
        };
        assert_eq!(expanded("/a/b.so"), ["/a/b.so"]);
        assert_eq!(expanded("$ORIGIN/../lib")[0], "/opt/x/../lib");
        assert_eq!(
            expanded("/usr/${LIB}/x.so"),
            [
                "/usr/lib/x86_64-linux-gnu/x.so",
                "/usr/lib64/x.so",
                "/usr/lib/x.so"
            ]
        );
    }
}
