//! Names for code: function, file and line of addresses in ELF files, inlined functions included.
//!
//! ```text
//! search      which file has the code, and which ones have its symbols
//! object      a file that may be damaged, hostile, or no file at all
//! dwarf       functions, files and lines from debug information
//! split       debug information in files beside the program's
//! perf_map    what a program says of code that it makes while it runs
//! jitdump     the same, with lines, in another form
//! table       functions from the table of symbols, where there is no debug information
//! demangle    the names as the source has them
//! ```
//!
//! A module's files are opened, asked for all its addresses, and closed before those of the next one: the memory is that of one.

mod demangle;
mod dwarf;
pub mod jitdump;
mod object;
pub mod perf_map;
mod search;
mod split;
mod table;

use std::fmt;
use std::path::PathBuf;

use object::Object;
use search::{DEBUG_INFO, Files};
use split::Parts;

/// Where debug files of other packages are, unless others are named.
pub const DEBUG_DIRECTORY: &str = "/usr/lib/debug";

/// A function, and a place in it. What is not known is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Place {
    /// The function as its language names it, without parameters.
    pub function: Option<String>,
    /// Path of the source file, as the compiler was given it.
    pub file: Option<String>,
    /// Line of the file.
    pub line: Option<u32>,
}

/// An object, and what is to be known of it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Path of its file, where it ran.
    pub path: &'a str,
    /// Its build id in lower-case hexadecimal, where it has one.
    pub build_id: Option<&'a str>,
    /// Virtual addresses of the file.
    pub addresses: &'a [u64],
    /// Larger debug information than so many bytes is left alone: to read it takes 10 ms for each megabyte.
    pub most_debug_bytes: u64,
}

/// What is known.
#[derive(Debug, Default)]
pub struct Found {
    /// For each address the functions it is in: the innermost one first, the one that the others are inlined in last. Empty where
    /// nothing is known.
    pub places: Vec<Vec<Place>>,
    /// What else could be known with other files.
    pub lack: Option<Lack>,
}

/// What keeps names and lines from being found. Its text reads on after the object's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
    /// There is no such file.
    Missing,
    /// The file cannot be read: why.
    Unreadable(String),
    /// The file is another one than the one that ran.
    Changed,
    /// The file has neither debug information nor symbols for what was asked.
    NoSymbols,
    /// The file has symbols, but no debug information.
    NoLines,
    /// Debug information in a file of its own is not there, or is not of this program: which file.
    NoPart(String),
    /// Some of the debug information in files of its own was not read, as it is too large.
    TooManyParts,
    /// The debug information cannot be read: why.
    NoUse(String),
    /// Nothing shows whether the file is the one that ran.
    Unverified,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lack::Missing => f.write_str("is not on this machine"),
            Lack::Unreadable(why) => write!(f, "cannot be read: {why}"),
            Lack::Changed => f.write_str("is not the file that ran: its build id is another"),
            Lack::NoSymbols => f.write_str("has no symbols"),
            Lack::NoLines => f.write_str("has no debug information, only names of functions"),
            Lack::NoPart(path) => write!(
                f,
                "has lines, but functions that were inlined are in files that are not there (-gsplit-dwarf): {path}"
            ),
            Lack::TooManyParts => f.write_str(
                "has lines, but not all functions that were inlined: they are in files with more than 1 GiB (-gsplit-dwarf)",
            ),
            Lack::NoUse(why) => write!(f, "has debug information that cannot be used: {why}"),
            Lack::Unverified => {
                f.write_str("has no build id: the names are wrong if it changed since it ran")
            }
        }
    }
}

/// Looks up addresses of an object, with the help of separate debug files in these directories.
pub fn look_up(asked: &Asked<'_>, debug_directories: &[PathBuf]) -> Found {
    let files = Files::of(asked, debug_directories);
    let mut places: Vec<Vec<Place>> = vec![Vec::new(); asked.addresses.len()];
    let mut lack = files.lack.clone();

    let mut has_lines = false;
    let is_small = |debug: &&Object| debug.section_bytes(DEBUG_INFO) <= asked.most_debug_bytes;
    if let Some(debug) = files.with_dwarf().filter(is_small) {
        let parts = Parts::of(debug, asked.addresses.len(), asked.most_debug_bytes);
        match dwarf::look_up(debug, files.supplement.as_ref(), &parts, asked.addresses) {
            Ok(found) => {
                places = found;
                has_lines = true;
                let missing = parts.missing().map(|path| path.display().to_string());
                let too_many = parts.are_too_large().then_some(Lack::TooManyParts);
                lack = lack.or(missing.map(Lack::NoPart)).or(too_many);
            }
            Err(error) => lack = lack.or(Some(Lack::NoUse(error.to_string()))),
        }
    }

    let mut is_any_named = false;
    let is_nameless = |places: &[Place]| {
        let last = places.last();
        last.is_none_or(|outermost| outermost.function.is_none())
    };
    if places.iter().any(|places| is_nameless(places)) {
        let tables: Vec<table::Table> = files.all().filter_map(table::Table::of).collect();
        for (places, &address) in places.iter_mut().zip(asked.addresses) {
            if !is_nameless(places) {
                continue;
            }
            let name = tables.iter().find_map(|table| table.name(address));
            is_any_named |= name.is_some();
            let function = name.map(|name| demangle::demangled(&name));
            match places.last_mut() {
                Some(outermost) => outermost.function = function,
                None if function.is_some() => places.push(Place {
                    function,
                    ..Place::default()
                }),
                None => {}
            }
        }
    }
    if !has_lines && files.has_any() {
        lack = lack.or(Some(match is_any_named {
            true => Lack::NoLines,
            false => Lack::NoSymbols,
        }));
    }
    Found { places, lack }
}

#[cfg(test)]
mod tests;
