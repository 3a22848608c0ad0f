use std::fs;

use gimli::{BaseAddresses, CfaRule, EhFrame, RegisterRule, UnwindContext, UnwindSection};
use object::{Object, ObjectSection, ObjectSegment};

use super::*;
use crate::arch::unwinding::{RETURN_ADDRESS, STACK_POINTER};

type Slice<'d> = gimli::EndianSlice<'d, gimli::LittleEndian>;

/// An object's segments, at addresses that differ from those of its file by the bias.
struct Image {
    memory: Vec<u64>,
    first: usize,
}

impl Image {
    fn of(file: &object::File<'_>) -> Image {
        let ends = file.segments().map(|of| of.address() + of.size());
        let first = file.segments().map(|of| of.address()).min().unwrap() as usize;
        let bytes = ends.max().unwrap() as usize - first;
        let mut memory = vec![0_u64; bytes / 8 + 1];
        for segment in file.segments() {
            let data = segment.data().unwrap();
            let at = segment.address() as usize - first;
            let start = memory.as_mut_ptr().cast::<u8>();
            // SAFETY: the memory reaches to the end of the last segment.
            unsafe {
                start
                    .add(at)
                    .copy_from_nonoverlapping(data.as_ptr(), data.len())
            };
        }
        Image { memory, first }
    }

    fn bias(&self) -> usize {
        let start = self.memory.as_ptr().expose_provenance();
        start.wrapping_sub(self.first)
    }
}

fn saved(rule: &RegisterRule<usize>, section: &Slice<'_>, encoding: gimli::Encoding) -> Saved {
    match rule {
        RegisterRule::Undefined => Saved::Undefined,
        RegisterRule::SameValue => Saved::Same,
        RegisterRule::Offset(offset) => Saved::AtCfa(*offset as i32),
        RegisterRule::Expression(place) => {
            match operation(section, place.offset, place.length, encoding) {
                Some((register, offset, false)) => Saved::At(register, offset),
                _ => Saved::Other,
            }
        }
        _ => Saved::Other,
    }
}

/// An expression of one register, as the other reader sees it.
fn operation(
    section: &Slice<'_>,
    offset: usize,
    length: usize,
    encoding: gimli::Encoding,
) -> Option<(u8, i32, bool)> {
    let bytes = &section.slice()[offset..offset + length];
    let expression = gimli::Expression(Slice::new(bytes, gimli::LittleEndian));
    let mut operations = expression.operations(encoding);
    let gimli::Operation::RegisterOffset {
        register, offset, ..
    } = operations.next().ok()??
    else {
        return None;
    };
    let is_word = match operations.next().ok()? {
        None => false,
        Some(gimli::Operation::Deref { .. }) => true,
        Some(_) => return None,
    };
    if is_word && operations.next().ok()?.is_some() {
        return None;
    }
    Some((register.0 as u8, offset as i32, is_word))
}

/// Compares every row of an object's entries with what another reader makes of it; how many there are.
fn compare(path: &str) -> usize {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let file = object::File::parse(&*bytes).expect("an object");
    let image = Image::of(&file);
    let section = |name: &str| file.section_by_name(name).expect("a section");
    let (header, entries) = (section(".eh_frame_hdr"), section(".eh_frame"));
    let in_segment = |of: &object::Segment<'_, '_>| {
        (of.address()..of.address() + of.size()).contains(&header.address())
    };
    let segment = file.segments().find(in_segment).expect("a segment");
    let bias = image.bias();
    let table = UnwindTable {
        header: bias.wrapping_add(header.address() as usize),
        start: bias.wrapping_add(segment.address() as usize),
        end: bias.wrapping_add((segment.address() + segment.size()) as usize),
    };
    let bases = BaseAddresses::default()
        .set_eh_frame(entries.address())
        .set_eh_frame_hdr(header.address());
    let data = entries.data().expect("its bytes");
    let slice = Slice::new(data, gimli::LittleEndian);
    let frames = EhFrame::new(data, gimli::LittleEndian);
    let mut context = UnwindContext::new();
    let mut all = frames.entries(&bases);
    let mut rows = 0;
    while let Some(entry) = all.next().expect("an entry") {
        let gimli::CieOrFde::Fde(partial) = entry else {
            continue;
        };
        let entry = partial
            .parse(EhFrame::cie_from_offset)
            .expect("a description");
        let encoding = entry.cie().encoding();
        let mut unwound = entry
            .rows(&frames, &bases, &mut context)
            .expect("instructions");
        while let Some(row) = unwound.next_row().expect("a row") {
            if row.start_address() >= row.end_address() {
                continue;
            }
            let of = |register: u8| {
                let rule = row.register(gimli::Register(register.into()));
                // What no instruction speaks of is kept, by the ABI of either architecture.
                match rule {
                    None => Saved::Same,
                    Some(rule) => saved(&rule, &slice, encoding),
                }
            };
            let cfa = match row.cfa() {
                CfaRule::RegisterAndOffset { register, offset } => {
                    Cfa::Register(register.0 as u8, *offset as i32)
                }
                CfaRule::Expression(place) => {
                    match operation(&slice, place.offset, place.length, encoding) {
                        Some((register, offset, false)) => Cfa::Register(register, offset),
                        Some((register, offset, true)) => Cfa::Word(register, offset),
                        None => Cfa::Other,
                    }
                }
            };
            let expected = Row {
                cfa,
                frame_pointer: of(FRAME_POINTER),
                return_address: of(RETURN_ADDRESS),
                is_signal_frame: entry.is_signal_trampoline(),
            };
            for address in [row.start_address(), row.end_address() - 1] {
                let place = bias.wrapping_add(address as usize);
                // SAFETY: the image holds the segment.
                let found = unsafe { table.row(place) };
                assert_eq!(found, Some(expected), "{path}: {address:#x}");
            }
            rows += 1;
        }
    }
    // What is in no entry has no row.
    // SAFETY: as above.
    assert_eq!(unsafe { table.row(bias.wrapping_sub(1)) }, None);
    rows
}

/// The libraries that most programs have, in C, C++ and assembly, and this very program.
#[test]
fn rows_are_those_of_another_reader() {
    let folder = if cfg!(target_arch = "x86_64") {
        "/lib/x86_64-linux-gnu"
    } else {
        "/lib/aarch64-linux-gnu"
    };
    let mut rows = 0;
    for name in [
        "libc.so.6",
        "libm.so.6",
        "libgcc_s.so.1",
        "libstdc++.so.6",
        "libcrypto.so.3",
    ] {
        rows += compare(&format!("{folder}/{name}"));
    }
    rows += compare("/proc/self/exe");
    assert!(rows > 50_000, "{rows}");
    let cfa = Cfa::Register(STACK_POINTER, 8);
    assert_ne!(cfa, Cfa::Other);
}

/// Whatever stands there, reading ends, and within the memory.
#[test]
fn damaged_information_is_read_to_no_harm() {
    let path = "/proc/self/exe";
    let bytes = fs::read(path).expect("this program");
    let file = object::File::parse(&*bytes).expect("an object");
    let section = |name: &str| file.section_by_name(name).expect("a section");
    let (header, entries) = (section(".eh_frame_hdr"), section(".eh_frame"));
    for seed in 1..=20_u64 {
        let mut random = seed;
        let mut image = Image::of(&file);
        let bias = image.bias();
        let address = |of: u64| bias.wrapping_add(of as usize);
        // The end of the memory, not of the segment, which is shorter.
        let table = UnwindTable {
            header: address(header.address()),
            start: address(image.first as u64),
            end: address(entries.address() + entries.size())
                .max(address(header.address() + header.size())),
        };
        for round in 0..20_000 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let part = if round % 4 == 0 { &header } else { &entries };
            let at = part.address() + (random >> 16) % part.size();
            let first = image.first;
            let start = image.memory.as_mut_ptr().cast::<u8>();
            // SAFETY: within the image.
            let byte = unsafe { &mut *start.add(at as usize - first) };
            let before = std::mem::replace(byte, (random >> 56) as u8);
            for step in 0..20 {
                let code = file.entry() + step * 4099;
                // SAFETY: the image holds the segment.
                let _ = unsafe { table.row(address(code)) };
            }
            if round % 3 == 0 {
                *byte = before;
            }
        }
    }
}
