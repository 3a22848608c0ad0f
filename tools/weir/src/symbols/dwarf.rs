//! Functions, files and lines from debug information.

use std::borrow::Cow;
use std::cell::OnceCell;

use addr2line::gimli::{self, DwarfPackage, EndianSlice, RunTimeEndian};
use addr2line::{Context, LookupContinuation as _, LookupResult};
use object::read::Object as _;

use super::Place;
use super::demangle::demangled;
use super::object::{Object, Unusable};
use super::split::Parts;

/// Reads what is in a section.
pub type Reader<'d> = EndianSlice<'d, RunTimeEndian>;

impl From<gimli::Error> for Unusable {
    fn from(error: gimli::Error) -> Unusable {
        Unusable::Damaged(error.to_string())
    }
}

/// The functions that each address is in, the innermost one first. What is not in the file itself is in `parts`.
pub fn look_up(
    debug: &Object,
    supplement: Option<&Object>,
    parts: &Parts,
    addresses: &[u64],
) -> Result<Vec<Vec<Place>>, Unusable> {
    let (own, common) = (Sections::default(), Sections::default());
    let mut dwarf = gimli::Dwarf::load(|id| own.read(debug, id, id.name()))?;
    if let Some(supplement) = supplement {
        dwarf.load_sup(|id| common.read(supplement, id, id.name()))?;
    }
    dwarf.populate_abbreviations_cache(gimli::AbbreviationsCacheStrategy::Duplicates);
    let context = Context::from_dwarf(dwarf)?;
    let package = parts.package();
    // What is damaged for one address may be whole for others.
    let places = addresses
        .iter()
        .map(|&address| places(&context, parts, package.as_ref(), address));
    Ok(places.map(Result::unwrap_or_default).collect())
}

fn places<'d>(
    context: &Context<Reader<'d>>,
    parts: &'d Parts,
    package: Option<&DwarfPackage<Reader<'d>>>,
    address: u64,
) -> Result<Vec<Place>, gimli::Error> {
    let mut found = context.find_frames(address);
    let mut frames = loop {
        found = match found {
            LookupResult::Output(frames) => break frames?,
            // Without it the lines are known, and the table of symbols has the functions.
            LookupResult::Load { load, continuation } => {
                continuation.resume(parts.load(package, &load))
            }
        }
    };
    let mut places = Vec::new();
    while let Some(frame) = frames.next()? {
        let function = match &frame.function {
            Some(name) => Some(demangled(&name.raw_name()?)),
            None => None,
        };
        let location = frame.location.as_ref();
        places.push(Place {
            function,
            file: location.and_then(|of| of.file).map(str::to_owned),
            line: location.and_then(|of| of.line),
        });
    }
    Ok(places)
}

/// Sections that are kept: those that were decompressed, and those of files that are closed.
#[derive(Default)]
pub struct Sections([OnceCell<Vec<u8>>; SECTIONS.len()]);

/// Those that functions and lines are found by.
const WANTED: usize = 12;
/// Those, and what else a package must have, since all that is of one source is looked for in it at once.
const SECTIONS: [gimli::SectionId; WANTED + 5] = [
    gimli::SectionId::DebugAbbrev,
    gimli::SectionId::DebugAddr,
    gimli::SectionId::DebugAranges,
    gimli::SectionId::DebugCuIndex,
    gimli::SectionId::DebugInfo,
    gimli::SectionId::DebugLine,
    gimli::SectionId::DebugLineStr,
    gimli::SectionId::DebugRanges,
    gimli::SectionId::DebugRngLists,
    gimli::SectionId::DebugStr,
    gimli::SectionId::DebugStrOffsets,
    gimli::SectionId::DebugTuIndex,
    gimli::SectionId::DebugLoc,
    gimli::SectionId::DebugLocLists,
    gimli::SectionId::DebugMacinfo,
    gimli::SectionId::DebugMacro,
    gimli::SectionId::DebugTypes,
];

impl Sections {
    /// A section of a file, which has this name there; as if it were empty if nobody asks for what is in it.
    pub fn read<'d>(
        &'d self,
        object: &'d Object,
        id: gimli::SectionId,
        name: &str,
    ) -> Result<Reader<'d>, Unusable> {
        match self.wanted(id) {
            Some(place) => kept(place, object, name),
            None => Ok(EndianSlice::new(&[], endian(object)?)),
        }
    }

    /// A section of a package; as if it were empty if a package has no such section.
    pub fn read_package<'d>(
        &'d self,
        object: &'d Object,
        id: gimli::SectionId,
    ) -> Result<Reader<'d>, Unusable> {
        match self.any(id).zip(id.dwo_name()) {
            Some((place, name)) => kept(place, object, name),
            None => Ok(EndianSlice::new(&[], endian(object)?)),
        }
    }

    /// The same of a file that may be closed after.
    pub fn keep(
        &self,
        object: &Object,
        id: gimli::SectionId,
        name: &str,
    ) -> Result<Reader<'_>, Unusable> {
        let data: &[u8] = match self.wanted(id) {
            None => &[],
            Some(place) => {
                let data = object.section(name)?.into_owned();
                place.get_or_init(|| data)
            }
        };
        Ok(EndianSlice::new(data, endian(object)?))
    }

    fn any(&self, id: gimli::SectionId) -> Option<&OnceCell<Vec<u8>>> {
        let place = SECTIONS.iter().position(|&one| one == id);
        place.map(|place| &self.0[place])
    }

    fn wanted(&self, id: gimli::SectionId) -> Option<&OnceCell<Vec<u8>>> {
        self.any(id).filter(|_| SECTIONS[..WANTED].contains(&id))
    }
}

/// A section, which is kept in `place` if it was decompressed.
fn kept<'d>(
    place: &'d OnceCell<Vec<u8>>,
    object: &'d Object,
    name: &str,
) -> Result<Reader<'d>, Unusable> {
    let data: &[u8] = match object.section(name)? {
        Cow::Borrowed(data) => data,
        Cow::Owned(data) => place.get_or_init(|| data),
    };
    Ok(EndianSlice::new(data, endian(object)?))
}

/// The order of bytes in a file.
pub fn endian(object: &Object) -> Result<RunTimeEndian, Unusable> {
    Ok(match object.elf()?.is_little_endian() {
        true => RunTimeEndian::Little,
        false => RunTimeEndian::Big,
    })
}
