//! Call sites: where in a program its calls came from.
//!
//! ```text
//! points      what frames are: functions, files, lines
//! ages        how long blocks lived
//! files       stacks that end with a file
//! interpreters  stacks without an interpreter's own functions
//! known       what frames are, kept for several questions
//! made_code   code that a program makes while it runs
//! metric      what is summed, and of which functions
//! naming      names that are written into a report
//! pattern     which stacks are wanted
//! suppressions  leaks that are known and wanted
//! shorten     names that fit
//! tree        the sums, callers above what they call
//! users       the place in the program that a call is reported at
//! ```

mod ages;
mod files;
mod interpreters;
mod known;
mod lock_waits;
mod made_code;
mod metric;
mod naming;
mod pattern;
mod points;
#[cfg(test)]
pub mod sample;
mod shorten;
mod suppressions;
mod tree;
mod users;

use std::collections::HashMap;
use std::path::PathBuf;

use weir_report::model::{CodeName, Module, Process, Stacks};

use crate::cli::{Group, SiteArgs};
use crate::failure::Failure;
use crate::symbols::{self, Asked, DEBUG_DIRECTORY, Found, Lack, Place};

pub use ages::Ages;
use known::KnownPlaces;
pub use known::Questions;
pub use made_code::{MADE_WHILE_RUNNING, name_made_code};
pub use metric::Choice;
pub use naming::{Named, name};
pub use pattern::{Patterns, Wanted};
pub use points::{Point, PointId, Points, is_library};
pub use shorten::shortened;
pub use suppressions::Suppressed;
use suppressions::Suppressions;
pub use tree::{Centre, Node, Tree, What};
pub use users::{NAME, NO_STACK};

/// The stacks of one process or several, with the names of their frames.
pub struct Sites {
    /// The stacks, all processes together.
    pub stacks: Stacks,
    /// How long the process ran, or the one that ran longest, in milliseconds.
    pub longest_ms: u64,
    /// What the frames are.
    pub points: Points,
    /// Which objects could not be looked into well: their index, and why.
    pub lacks: Vec<(u32, Lack)>,
    /// The leaks that were left out, where a user asked for that.
    pub suppressed: Option<Suppressed>,
}

/// How much is done to name frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// All.
    Whole,
    /// What takes little time: the libraries of languages have no names, and large debug information is not read.
    Quick,
}

impl Naming {
    /// The most debug information that is read of one object for [`Naming::Quick`].
    const QUICK_BYTES: u64 = 64 << 20;
}

impl Sites {
    /// Those of these processes, named with the help of debug files in these directories. None where no process has stacks.
    pub fn of<'a>(
        processes: impl IntoIterator<Item = &'a Process>,
        debug_directories: &[PathBuf],
        naming: Naming,
    ) -> Option<Sites> {
        Sites::named(processes, |module, stacks, frames| match naming {
            Naming::Quick if points::is_library(&module.path) => Found {
                places: vec![Vec::new(); frames.len()],
                lack: None,
            },
            _ => places(module, stacks, frames, debug_directories, naming),
        })
    }

    /// The same, where files are read only for what is not known yet.
    fn with_known<'a>(
        processes: impl IntoIterator<Item = &'a Process>,
        debug_directories: &[PathBuf],
        known: &mut KnownPlaces,
    ) -> Option<Sites> {
        Sites::named(processes, |module, stacks, frames| {
            if let Some(places) = known.of(module, stacks, frames) {
                return Found { places, lack: None };
            }
            let found = places(module, stacks, frames, debug_directories, Naming::Whole);
            known.add(module, stacks, frames, &found.places);
            found
        })
    }

    /// Those of these processes; `look_up` says what frames of an object are.
    fn named<'a>(
        processes: impl IntoIterator<Item = &'a Process>,
        mut look_up: impl FnMut(&Module, &Stacks, &[u32]) -> Found,
    ) -> Option<Sites> {
        const MS_NS: u64 = 1_000_000;
        let mut longest_ms = 0;
        let stacks = processes.into_iter().filter_map(|of| {
            longest_ms = longest_ms.max(of.duration_ns.div_ceil(MS_NS));
            of.stacks.as_ref()
        });
        let stacks = Stacks::together(stacks, usize::MAX)?;
        let mut points = Points::new(stacks.frames.len());
        let mut lacks = Vec::new();
        for (index, frames) in (0..).zip(by_module(&stacks)) {
            let Some(module) = stacks.modules.get(index as usize) else {
                points.add_nameless(&stacks, &frames);
                continue;
            };
            if frames.is_empty() {
                continue;
            }
            let found = look_up(module, &stacks, &frames);
            if let Some(lack) = found.lack {
                lacks.push((index, lack));
            }
            points.add(index, module, &stacks, &frames, found.places);
        }
        Some(Sites {
            stacks,
            longest_ms,
            points,
            lacks,
            suppressed: None,
        })
    }

    /// Those that a command line asks for.
    pub fn asked(processes: &[&Process], args: &SiteArgs) -> Result<Sites, Failure> {
        Questions::new(args)?.ask(processes)
    }

    /// The points of a stack, the outermost function first.
    pub fn stack(&self, innermost: Option<u32>) -> Vec<PointId> {
        let frames = self.stacks.chain(innermost);
        let inside_out = frames.flat_map(|(frame, _)| self.points.of_frame(frame).iter().rev());
        let mut points: Vec<PointId> = inside_out.copied().collect();
        points.reverse();
        points
    }

    /// For each site where in its stack a pattern first matches. If functions have exactly this name, only those match.
    pub fn centres(&self, name: &str) -> Vec<Option<Centre>> {
        let is_named = |function: &str| {
            let rest = function.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('('))
        };
        let mut sites = self.stacks.sites.iter();
        let is_name = self.points.all().any(|of| is_named(&of.function))
            || sites.any(|site| is_named(&site.function));
        let patterns = pattern::Patterns::of(&[name.to_owned()]);
        let is_centre = |point: &points::Point| match is_name {
            true => is_named(&point.function),
            false => patterns.matches(point),
        };
        let is_centre: Vec<bool> = self.points.all().map(is_centre).collect();
        let sites = self.stacks.sites.iter().map(|site| {
            let stack = self.stack(site.frame);
            let at = stack.iter().position(|&point| is_centre[point as usize]);
            let called = match is_name {
                true => is_named(&site.function),
                false => patterns.matches_called(&site.function),
            };
            at.map(Centre::Point).or(called.then_some(Centre::Called))
        });
        sites.collect()
    }

    /// For each site whether it is wanted.
    pub fn wanted(&self, wanted: &Wanted) -> Vec<bool> {
        let is_focus: Vec<bool> = self
            .points
            .all()
            .map(|of| wanted.focus.matches(of))
            .collect();
        let is_ignored: Vec<bool> = self
            .points
            .all()
            .map(|of| wanted.ignore.matches(of))
            .collect();
        // Callers come before what they call.
        let mut frames: Vec<(bool, bool)> = Vec::with_capacity(self.stacks.frames.len());
        for (index, frame) in (0..).zip(&self.stacks.frames) {
            let caller = frame.parent.map(|parent| frames[parent as usize]);
            let (mut focus, mut ignored) = caller.unwrap_or_default();
            for &point in self.points.of_frame(index) {
                focus |= is_focus[point as usize];
                ignored |= is_ignored[point as usize];
            }
            frames.push((focus, ignored));
        }
        let sites = self.stacks.sites.iter().map(|site| {
            let stack = site.frame.map(|frame| frames[frame as usize]);
            let (focus, ignored) = stack.unwrap_or_default();
            let called = site.function.as_str();
            let focus = focus || wanted.focus.is_empty() || wanted.focus.matches_called(called);
            let ignored = ignored || wanted.ignore.matches_called(called);
            let is_of_group = wanted.group.is_none_or(|group| Group::of(called) == group);
            focus && !ignored && is_of_group
        });
        sites.collect()
    }
}

/// Where debug files are looked for: in these directories, or where packages put them.
fn debug_directories(given: &[PathBuf]) -> Vec<PathBuf> {
    match given {
        [] => vec![PathBuf::from(DEBUG_DIRECTORY)],
        given => given.to_vec(),
    }
}

fn no_stacks() -> Failure {
    Failure::of_weir(
        "the report has no call stacks: they were off, or no call of the program was a sample",
    )
    .with_remedy("weir run --stacks all records them")
}

/// What frames of an object are: by the word of the report, or else of its files.
fn places(
    module: &Module,
    stacks: &Stacks,
    frames: &[u32],
    debug_directories: &[PathBuf],
    naming: Naming,
) -> Found {
    match places_in(module, stacks, frames) {
        Some(places) => Found { places, lack: None },
        None => look_up(module, stacks, frames, debug_directories, naming),
    }
}

/// What frames of an object are by the word of the report; none where it does not say it of all of them.
fn places_in(module: &Module, stacks: &Stacks, frames: &[u32]) -> Option<Vec<Vec<Place>>> {
    let names: HashMap<u64, &CodeName> = module
        .names
        .iter()
        .map(|name| (name.offset, name))
        .collect();
    let frames = frames.iter().map(|&frame| {
        let name = names.get(&stacks.frames[frame as usize].offset)?;
        let places = name.places.iter().map(|place| Place {
            function: place.function.clone(),
            file: place.file.clone(),
            line: place.line,
        });
        Some(places.collect())
    });
    frames.collect()
}

/// What the files of an object say of its frames.
fn look_up(
    module: &Module,
    stacks: &Stacks,
    frames: &[u32],
    debug_directories: &[PathBuf],
    naming: Naming,
) -> Found {
    // A return address is the one behind the call.
    let addresses: Vec<u64> = frames
        .iter()
        .map(|&frame| stacks.frames[frame as usize].offset.saturating_sub(1))
        .collect();
    let asked = Asked {
        path: &module.path,
        build_id: module.build_id.as_deref(),
        addresses: &addresses,
        most_debug_bytes: match naming {
            Naming::Whole => u64::MAX,
            Naming::Quick => Naming::QUICK_BYTES,
        },
    };
    symbols::look_up(&asked, debug_directories)
}

/// The frames of each object, and at the end those that are in none.
fn by_module(stacks: &Stacks) -> Vec<Vec<u32>> {
    let none = stacks.modules.len();
    let mut by_module = vec![Vec::new(); none + 1];
    for (index, frame) in (0..).zip(&stacks.frames) {
        let module = frame.module.map_or(none, |module| module as usize);
        by_module[module].push(index);
    }
    by_module
}
