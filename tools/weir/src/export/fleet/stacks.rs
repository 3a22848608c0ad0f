//! Call sites, their stacks, and the names of the code in them. What is the same in several runs has the same hash.

use std::collections::BTreeMap;

use parquet::errors::Result;
use weir_report::model::{CodeName, CodePlace, Frame, Module, Site, Stacks};

use super::hash::Hash;
use super::run::{Image, Run};
use super::writer::{Cell, Writer};
use crate::export::columns::Column;
use crate::sites;

/// The columns of the call sites.
pub const SITE: [Column; 16] = [
    Column::number("site_hash"),
    Column::number("stack_hash"),
    Column::text("function"),
    Column::number("calls"),
    Column::number("errors"),
    Column::number("requested_bytes"),
    Column::number("moved_bytes"),
    Column::number("time_ns"),
    Column::number("live_blocks").optional(),
    Column::number("live_bytes").optional(),
    Column::number("live_bytes_at_peak").optional(),
    Column::number("temporary_blocks").optional(),
    Column::number("freed_blocks").optional(),
    Column::number("freed_total_ns").optional(),
    Column::number("sampled_bytes").optional(),
    Column::number("frames"),
];

/// The columns of the stacks, after the run's.
pub const STACK: [Column; 8] = [
    Column::text("run"),
    Column::number("stack_hash"),
    Column::number("parent_hash"),
    Column::number("code_hash"),
    Column::text("object").optional(),
    Column::text("build_id").optional(),
    Column::text("language").optional(),
    Column::number("offset"),
];

/// The columns of the names of code, after the run's.
pub const SYMBOL: [Column; 6] = [
    Column::text("run"),
    Column::number("code_hash"),
    Column::number("inlined"),
    Column::text("function").optional(),
    Column::text("file").optional(),
    Column::number("line").optional(),
];

/// A frame, by what is the same in all runs.
#[derive(Clone, Copy)]
struct Known {
    /// Of the code.
    code: i64,
    /// Of the frame with all its callers.
    stack: i64,
    /// How many frames these are.
    frames: u32,
}

/// The call sites.
pub fn call_sites(run: &Run<'_>, to: &mut Writer) -> Result<()> {
    let mut sites: Vec<(&str, Option<Known>, Image<'_>, &Stacks, &Site)> = Vec::new();
    for (image, stacks) in with_stacks(run) {
        let known = known(stacks);
        sites.extend(stacks.sites.iter().map(|site| {
            let frame = site.frame.and_then(|frame| known.get(frame as usize));
            (&*site.function, frame.copied(), image, stacks, site)
        }));
    }
    let stack = |known: Option<Known>| known.map_or(0, |known| known.stack);
    sites.sort_by_key(|&(function, known, ..)| (function, stack(known)));
    for (function, known, image, stacks, site) in sites {
        let mut hash = Hash::new();
        hash.text(function);
        hash.number(stack(known) as u64);
        let blocks = site.blocks.as_ref();
        let lifetimes = site.lifetimes.as_ref();
        let freed = lifetimes.map(|of| {
            of.freed
                .iter()
                .fold(0, |sum: u64, &of| sum.saturating_add(of))
        });
        let of_site = [
            Cell::Number(hash.positive()),
            Cell::Number(stack(known)),
            Cell::Text(function),
            site.calls.into(),
            site.errors.into(),
            site.requested_bytes.into(),
            site.moved_bytes.into(),
            site.time_ns.into(),
            blocks.map(|blocks| blocks.live).into(),
            blocks.map(|blocks| blocks.live_bytes).into(),
            blocks.map(|blocks| blocks.live_bytes_at_peak).into(),
            blocks.map(|blocks| blocks.temporary).into(),
            freed.into(),
            lifetimes.map(|of| of.freed_total_ns).into(),
            // Only the sites of the heap are from samples.
            blocks.and(stacks.sampled_bytes).into(),
            known.map_or(0, |known| known.frames).into(),
        ];
        to.row(run.of_image(image).into_iter().chain(of_site))?;
    }
    Ok(())
}

/// The frames, each once.
pub fn frames(run: &Run<'_>, to: &mut Writer) -> Result<()> {
    let mut frames: BTreeMap<i64, (i64, i64, Option<&Module>, u64)> = BTreeMap::new();
    for (_, stacks) in with_stacks(run) {
        let known = known(stacks);
        for (frame, own) in stacks.frames.iter().zip(&known) {
            let parent = parent(frame, &known).map_or(0, |parent| parent.stack);
            let module = module(stacks, frame);
            frames
                .entry(own.stack)
                .or_insert((parent, own.code, module, frame.offset));
        }
    }
    for (hash, (parent, code, module, offset)) in frames {
        to.row([
            Cell::Text(&run.name),
            hash.into(),
            parent.into(),
            code.into(),
            module.map(|module| &*module.path).into(),
            module.and_then(|module| module.build_id.as_deref()).into(),
            module.and_then(|module| module.language.as_deref()).into(),
            offset.into(),
        ])?;
    }
    Ok(())
}

/// The names that the report has, each once.
pub fn symbols(run: &Run<'_>, to: &mut Writer) -> Result<()> {
    let mut names: BTreeMap<i64, &[CodePlace]> = BTreeMap::new();
    for (_, stacks) in with_stacks(run) {
        for module in &stacks.modules {
            for name in &module.names {
                names.insert(code(Some(module), Some(name), name.offset), &name.places);
            }
        }
    }
    for (code, places) in names {
        for (inlined, place) in (0_u32..).zip(places) {
            to.row([
                Cell::Text(&run.name),
                code.into(),
                inlined.into(),
                place.function.as_deref().into(),
                place.file.as_deref().into(),
                place.line.into(),
            ])?;
        }
    }
    Ok(())
}

fn with_stacks<'a>(run: &Run<'a>) -> impl Iterator<Item = (Image<'a>, &'a Stacks)> {
    let images = run.images.iter();
    images.filter_map(|&image| Some((image, image.process.stacks.as_ref()?)))
}

fn module<'a>(stacks: &'a Stacks, frame: &Frame) -> Option<&'a Module> {
    stacks.modules.get(frame.module? as usize)
}

/// A frame's caller, which comes before it.
fn parent(frame: &Frame, known: &[Known]) -> Option<Known> {
    known.get(frame.parent? as usize).copied()
}

/// All frames, in their order.
fn known(stacks: &Stacks) -> Vec<Known> {
    let names = stacks.modules.iter().map(|module| {
        let names = module.names.iter();
        names.map(|name| (name.offset, name)).collect()
    });
    let names: Vec<BTreeMap<u64, &CodeName>> = names.collect();
    let mut known: Vec<Known> = Vec::with_capacity(stacks.frames.len());
    for frame in &stacks.frames {
        let names = frame.module.and_then(|module| names.get(module as usize));
        let name = names.and_then(|names| names.get(&frame.offset));
        let code = code(module(stacks, frame), name.copied(), frame.offset);
        let parent = parent(frame, &known);
        let mut hash = Hash::new();
        hash.number(parent.map_or(0, |parent| parent.stack) as u64);
        hash.number(code as u64);
        known.push(Known {
            code,
            stack: hash.positive(),
            frames: parent.map_or(0, |parent| parent.frames) + 1,
        });
    }
    known
}

/// The hash of a place in the code: of an object, by its build id and offset; of what an interpreter or a compiler at run time runs, by
/// its name, since the offset means nothing in another process.
fn code(module: Option<&Module>, name: Option<&CodeName>, offset: u64) -> i64 {
    let mut hash = Hash::new();
    let language = module.and_then(|module| module.language.as_deref());
    match (module, language, name) {
        (Some(module), Some(language), Some(name)) => {
            hash.text(language);
            // The path of code made at run time has a process id.
            hash.text(if language == sites::MADE_WHILE_RUNNING {
                ""
            } else {
                &module.path
            });
            for place in &name.places {
                for text in [&place.function, &place.file] {
                    hash.text(text.as_deref().unwrap_or_default());
                }
                hash.number(place.line.unwrap_or(0).into());
            }
        }
        (Some(module), ..) => {
            hash.text(module.build_id.as_deref().unwrap_or(&module.path));
            hash.number(offset);
        }
        (None, ..) => hash.number(offset),
    }
    hash.positive()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(path: &str, build_id: Option<&str>, language: Option<&str>) -> Module {
        Module {
            path: path.to_owned(),
            build_id: build_id.map(str::to_owned),
            language: language.map(str::to_owned),
            ..Module::default()
        }
    }

    fn name(function: &str) -> CodeName {
        let place = CodePlace {
            function: Some(function.to_owned()),
            line: Some(7),
            ..CodePlace::default()
        };
        CodeName {
            offset: 0,
            places: vec![place],
        }
    }

    #[test]
    fn code_is_known_by_its_build_id_else_by_its_path() {
        let code = |path, id, offset| code(Some(&module(path, id, None)), None, offset);
        assert_eq!(code("/a", Some("ab"), 5), code("/b", Some("ab"), 5));
        assert_ne!(code("/a", Some("ab"), 5), code("/a", Some("ab"), 6));
        assert_ne!(code("/a", Some("ab"), 5), code("/a", Some("cd"), 5));
        assert_ne!(code("/a", None, 5), code("/b", None, 5));
    }

    /// Its offset is another in each process.
    #[test]
    fn code_of_an_interpreter_is_known_by_its_name() {
        let code = |path, language, function, offset| {
            let module = module(path, None, Some(language));
            code(Some(&module), Some(&name(function)), offset)
        };
        assert_eq!(
            code("a.py", "python", "f", 5),
            code("a.py", "python", "f", 6)
        );
        assert_ne!(
            code("a.py", "python", "f", 5),
            code("a.py", "python", "g", 5)
        );
        assert_ne!(
            code("a.py", "python", "f", 5),
            code("b.py", "python", "f", 5)
        );
        // The path has a process id there.
        let (one, two) = ("/tmp/perf-1.map", "/tmp/perf-2.map");
        assert_eq!(code(one, "jit", "f", 5), code(two, "jit", "f", 6));
        assert_ne!(code(one, "jit", "f", 5), code(one, "jit", "g", 5));
    }

    #[test]
    fn a_stack_is_a_frame_with_all_its_callers() {
        let frame = |parent, offset| Frame {
            parent,
            module: Some(0),
            offset,
        };
        let stacks = |frames: &[Frame]| Stacks {
            modules: vec![module("/a", None, None)],
            frames: frames.into(),
            ..Stacks::default()
        };
        let one = known(&stacks(&[
            frame(None, 1),
            frame(Some(0), 2),
            frame(Some(1), 3),
        ]));
        let other = known(&stacks(&[
            frame(None, 9),
            frame(None, 1),
            frame(Some(0), 2),
            frame(Some(1), 2),
        ]));
        assert_eq!(one[1].stack, other[3].stack);
        assert_eq!((one[1].code, one[1].frames), (other[2].code, 2));
        assert_ne!(one[1].stack, other[2].stack);
        assert!(one.iter().all(|known| known.stack > 0 && known.code > 0));
    }

    /// What is in files must not change with a version of Weir.
    #[test]
    fn hashes_are_the_same_in_every_version() {
        let code = code(Some(&module("/a", Some("ab"), None)), None, 5);
        assert_eq!(code, 1_933_777_515_277_498_874);
    }
}
