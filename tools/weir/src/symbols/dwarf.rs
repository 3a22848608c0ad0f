//! Functions, files and lines from debug information.

use std::borrow::Cow;
use std::cell::OnceCell;

use addr2line::Context;
use addr2line::gimli::{self, EndianSlice, RunTimeEndian};
use object::read::Object as _;

use super::Place;
use super::demangle::demangled;
use super::object::{Object, Unusable};

type Reader<'d> = EndianSlice<'d, RunTimeEndian>;

impl From<gimli::Error> for Unusable {
    fn from(error: gimli::Error) -> Unusable {
        Unusable::Damaged(error.to_string())
    }
}

/// The functions that each address is in, the innermost one first.
pub fn look_up(
    debug: &Object,
    supplement: Option<&Object>,
    addresses: &[u64],
) -> Result<Vec<Vec<Place>>, Unusable> {
    let (own, common) = (Sections::default(), Sections::default());
    let mut dwarf = gimli::Dwarf::load(|id| own.read(debug, id))?;
    if let Some(supplement) = supplement {
        dwarf.load_sup(|id| common.read(supplement, id))?;
    }
    dwarf.populate_abbreviations_cache(gimli::AbbreviationsCacheStrategy::Duplicates);
    let context = Context::from_dwarf(dwarf)?;
    // What is damaged for one address may be whole for others.
    let places = addresses.iter().map(|&address| places(&context, address));
    Ok(places.map(Result::unwrap_or_default).collect())
}

fn places(context: &Context<Reader<'_>>, address: u64) -> Result<Vec<Place>, gimli::Error> {
    // Of parts in files of their own (-gsplit-dwarf) this leaves the lines, and the table of symbols has the functions.
    let mut frames = context.find_frames(address).skip_all_loads()?;
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

/// The sections that were decompressed.
#[derive(Default)]
struct Sections([OnceCell<Vec<u8>>; SECTIONS.len()]);

/// Those that functions and lines are found by.
const SECTIONS: [gimli::SectionId; 10] = [
    gimli::SectionId::DebugAbbrev,
    gimli::SectionId::DebugAddr,
    gimli::SectionId::DebugAranges,
    gimli::SectionId::DebugInfo,
    gimli::SectionId::DebugLine,
    gimli::SectionId::DebugLineStr,
    gimli::SectionId::DebugRanges,
    gimli::SectionId::DebugRngLists,
    gimli::SectionId::DebugStr,
    gimli::SectionId::DebugStrOffsets,
];

impl Sections {
    /// A section of a file; as if it were empty if nobody asks for what is in it.
    fn read<'d>(
        &'d self,
        object: &'d Object,
        id: gimli::SectionId,
    ) -> Result<Reader<'d>, Unusable> {
        let endian = match object.elf()?.is_little_endian() {
            true => RunTimeEndian::Little,
            false => RunTimeEndian::Big,
        };
        let place = SECTIONS.iter().position(|&wanted| wanted == id);
        let data: &[u8] = match place {
            None => &[],
            Some(place) => match object.section(id.name())? {
                Cow::Borrowed(data) => data,
                Cow::Owned(data) => self.0[place].get_or_init(|| data),
            },
        };
        Ok(EndianSlice::new(data, endian))
    }
}
