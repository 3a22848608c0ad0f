//! Call stacks: where in the program the calls came from.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::is_zero;

mod lifetimes;
mod together;

pub use lifetimes::{Lifetimes, Since};
pub use together::MOST;

/// The calls by call site.
///
/// A call site is a function and the stack from which it was called. The stacks form a tree: each frame names its caller.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Stacks {
    /// The objects (the executable, libraries) whose code is in the stacks.
    pub modules: Vec<Module>,
    /// The frames. The caller of a frame has a lower index than the frame.
    pub frames: Vec<Frame>,
    /// The call sites.
    pub sites: Vec<Site>,
    /// The files and sockets that calls of the sites were about: those that the process lists in its `files`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<SiteFile>,
    /// Number of calls whose stack is not complete, by reason: the unwinder came to code of which it knows nothing
    /// (`unknown_code`), the stack is too deep (`too_deep`), there was no room for another frame (`no_room`), memory of the
    /// stack could not be read (`not_readable`), a signal handler interrupted the unwinder (`interrupted`). More reasons can be
    /// added.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ended: BTreeMap<String, u64>,
    /// Where the sites of the heap are estimates: they are from samples, one for so many allocated bytes on average. An estimate of
    /// N bytes has a standard error of at most the square root of N times this number. Sites of other functions are exact. Absent
    /// where everything is. For several images it is the largest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampled_bytes: Option<u64>,
    /// The sum of [`SiteBlocks::live_bytes_at_peak`]: the heap's peak, to a few hundredths. Blocks that the image inherited at a
    /// fork are at no site, and not in here. For several images it is the sum of their peaks.
    #[serde(default)]
    pub peak_bytes: u64,
    /// Number of blocks that are at no site because there was no memory to note them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub untracked_blocks: u64,
    /// Number of blocks that were freed and are still counted as live at their site, because there was no room to note it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub untracked_frees: u64,
}

/// An object whose code is in the stacks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Module {
    /// Path of its file.
    pub path: String,
    /// The language, such as `python`, where this is no object but a source file whose code an interpreter runs: the offsets of its
    /// frames have no other meaning. `jit` where it is the code that a program has made while it ran: they are addresses. In both
    /// cases `names` has all frames.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The language whose code this object runs, such as `python`: frames of that code stand in the place of those of its loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interprets: Option<String>,
    /// Its build id, in lower-case hexadecimal; absent where the object has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_id: Option<String>,
    /// What its frames are, where `weir symbolize` has found it out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<CodeName>,
}

/// What a frame of an object is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CodeName {
    /// [`Frame::offset`].
    pub offset: u64,
    /// The functions that the code is of: the innermost one first, the one that the others are inlined in last. Never empty.
    pub places: Vec<CodePlace>,
}

/// A function, and a place in it. What is not known is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CodePlace {
    /// The function as its language names it, without parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// Path of the source file, as the compiler was given it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

/// A frame: a function that made a call, as the stack has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Frame {
    /// Index of the caller's frame in `frames`; absent where this frame is the outermost of its stack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<u32>,
    /// Index of the object in `modules`; absent for code that is in no object, such as that of a just-in-time compiler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<u32>,
    /// The return address: a virtual address of the object's ELF file, which is the address in memory minus the load bias.
    /// Where there is no object, the address in memory. The instruction that called ends there; to find its function and line,
    /// look up `offset` - 1.
    pub offset: u64,
}

/// What was called from one place. All numbers are sums over the calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Site {
    /// Index in `frames` of the innermost frame, which is the caller of the function; absent where nothing of the stack is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame: Option<u32>,
    /// The function that was called, such as `malloc` or `read`.
    pub function: String,
    /// Calls.
    pub calls: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Bytes that were requested.
    pub requested_bytes: u64,
    /// Bytes that I/O calls moved; 0 for other functions.
    pub moved_bytes: u64,
    /// Total time of the calls that were timed; 0 for functions that make blocks of the heap, unless all of their calls were timed.
    pub time_ns: u64,
    /// The blocks of the heap that were made here; absent for functions that make none, and where the heap is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<SiteBlocks>,
    /// How long blocks that were made here lived; absent where that is not known of any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetimes: Option<Lifetimes>,
    /// The same numbers by file. Calls that are about none that is listed are in the site's numbers only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_file: Vec<FilePart>,
}

impl Site {
    /// Adds other calls of the same function from the same place.
    pub fn add(&mut self, other: &Site) {
        self.add_sums(other);
        for part in &other.by_file {
            match self.by_file.iter_mut().find(|own| own.file == part.file) {
                Some(own) => own.add(part),
                None => self.by_file.push(*part),
            }
        }
    }

    /// The same without the parts by file.
    pub(crate) fn add_sums(&mut self, other: &Site) {
        for (to, by) in [
            (&mut self.calls, other.calls),
            (&mut self.errors, other.errors),
            (&mut self.requested_bytes, other.requested_bytes),
            (&mut self.moved_bytes, other.moved_bytes),
            (&mut self.time_ns, other.time_ns),
        ] {
            *to = to.saturating_add(by);
        }
        if let Some(blocks) = &other.blocks {
            self.blocks.get_or_insert_default().add(blocks);
        }
        if let Some(lifetimes) = &other.lifetimes {
            self.lifetimes.get_or_insert_default().add(lifetimes);
        }
    }
}

/// A file or socket that calls were about.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SiteFile {
    /// What it is, as in `files`.
    pub kind: String,
    /// Its name, as in `files`.
    pub name: String,
}

/// The calls of a site that were about one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FilePart {
    /// Index in [`Stacks::files`].
    pub file: u32,
    /// Calls.
    pub calls: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Bytes that were requested.
    pub requested_bytes: u64,
    /// Bytes that were moved.
    pub moved_bytes: u64,
    /// Total time of the calls that were timed.
    pub time_ns: u64,
}

impl FilePart {
    /// Adds other calls about the same file.
    pub(crate) fn add(&mut self, other: &FilePart) {
        for (to, by) in [
            (&mut self.calls, other.calls),
            (&mut self.errors, other.errors),
            (&mut self.requested_bytes, other.requested_bytes),
            (&mut self.moved_bytes, other.moved_bytes),
            (&mut self.time_ns, other.time_ns),
        ] {
            *to = to.saturating_add(by);
        }
    }
}

/// The blocks of the heap that the calls of a site made. `realloc` frees a block at its site, and makes one at its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SiteBlocks {
    /// Number of blocks that are live: at the end, or when the report was made.
    pub live: u64,
    /// Their bytes, as malloc_usable_size has them.
    pub live_bytes: u64,
    /// Bytes that were live here when the heap was at its peak ([`Stacks::peak_bytes`]).
    pub live_bytes_at_peak: u64,
    /// Number of blocks that were freed by the thread that made them, before it made another block.
    pub temporary: u64,
}

impl SiteBlocks {
    /// Adds those of the same site in another image.
    pub(crate) fn add(&mut self, other: &SiteBlocks) {
        for (to, by) in [
            (&mut self.live, other.live),
            (&mut self.live_bytes, other.live_bytes),
            (&mut self.live_bytes_at_peak, other.live_bytes_at_peak),
            (&mut self.temporary, other.temporary),
        ] {
            *to = to.saturating_add(by);
        }
    }
}

/// An index in [`Stacks`] that leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadIndex {
    /// Of a frame's caller, which is not before the frame.
    Parent {
        /// The frame.
        frame: usize,
    },
    /// Of a frame's object.
    Module {
        /// The frame.
        frame: usize,
    },
    /// Of a site's frame.
    Frame {
        /// The site.
        site: usize,
    },
    /// Of a file of a site.
    File {
        /// The site.
        site: usize,
    },
}

impl fmt::Display for BadIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadIndex::Parent { frame } => {
                write!(f, "the caller of frame {frame} is no frame before it")
            }
            BadIndex::Module { frame } => write!(f, "the module of frame {frame} does not exist"),
            BadIndex::Frame { site } => write!(f, "the frame of site {site} does not exist"),
            BadIndex::File { site } => write!(f, "a file of site {site} does not exist"),
        }
    }
}

impl std::error::Error for BadIndex {}

impl Stacks {
    /// Checks that every index leads somewhere, and every frame's caller before it: then each stack has an end.
    ///
    /// # Errors
    ///
    /// The first index that does not.
    pub fn check(&self) -> Result<(), BadIndex> {
        for (frame, found) in self.frames.iter().enumerate() {
            if !leads_below(found.parent, frame) {
                return Err(BadIndex::Parent { frame });
            }
            if !leads_below(found.module, self.modules.len()) {
                return Err(BadIndex::Module { frame });
            }
        }
        for (index, site) in self.sites.iter().enumerate() {
            if !leads_below(site.frame, self.frames.len()) {
                return Err(BadIndex::Frame { site: index });
            }
            let mut files = site.by_file.iter();
            if files.any(|part| !leads_below(Some(part.file), self.files.len())) {
                return Err(BadIndex::File { site: index });
            }
        }
        Ok(())
    }

    /// The frame here that is the same as one of others, with the same callers; none where there is none. Objects are the same
    /// as in [`Stacks::together`].
    pub fn matching(&self, others: &Stacks, frame: u32) -> Option<u32> {
        let object = |of: &Stacks, module: Option<u32>| {
            let module = of.modules.get(module? as usize)?;
            Some(match &module.build_id {
                Some(id) => (true, id.clone()),
                None => (false, module.path.clone()),
            })
        };
        let mut chain: Vec<&Frame> = others.chain(Some(frame)).map(|(_, of)| of).collect();
        chain.reverse();
        let mut found = None;
        for frame in chain {
            let wanted = object(others, frame.module);
            // Callers come first.
            let first = found.map_or(0, |caller| caller as usize + 1);
            let mut rest = (first..).zip(self.frames.get(first..)?);
            let (index, _) = rest.find(|(_, own)| {
                own.parent == found
                    && own.offset == frame.offset
                    && object(self, own.module) == wanted
            })?;
            found = u32::try_from(index).ok();
        }
        found
    }

    /// The frames of a stack from the innermost on, each with its index.
    pub fn chain(&self, innermost: Option<u32>) -> impl Iterator<Item = (u32, &Frame)> {
        let frame = |index: u32| Some((index, self.frames.get(index as usize)?));
        std::iter::successors(innermost.and_then(frame), move |(own, found)| {
            frame(found.parent.filter(|parent| parent < own)?)
        })
    }
}

fn leads_below(index: Option<u32>, end: usize) -> bool {
    index.is_none_or(|index| (index as usize) < end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_found_again_among_those_of_others() {
        let object = |path: &str, build_id: Option<&str>| Module {
            path: path.to_owned(),
            build_id: build_id.map(str::to_owned),
            ..Module::default()
        };
        let frame = |parent, module, offset| Frame {
            parent,
            module,
            offset,
        };
        let one = Stacks {
            modules: vec![object("/bin/one", None)],
            frames: vec![frame(None, Some(0), 0x10), frame(Some(0), None, 0x20)],
            ..Stacks::default()
        };
        let other = Stacks {
            modules: vec![object("/lib/a", Some("ab")), object("/bin/other", None)],
            frames: vec![
                frame(None, Some(1), 0x10),
                frame(Some(0), Some(0), 0x20),
                frame(Some(0), None, 0x20),
            ],
            ..Stacks::default()
        };
        let all = Stacks::together([&one, &other], usize::MAX).expect("some");
        for (of, frames) in [(&one, 2), (&other, 3)] {
            for index in 0..frames {
                let found = all.matching(of, index).expect("it is there");
                let chain = |of: &Stacks, index: u32| -> Vec<u64> {
                    of.chain(Some(index)).map(|(_, of)| of.offset).collect()
                };
                assert_eq!(chain(&all, found), chain(of, index));
            }
        }
        assert_eq!(one.matching(&other, 0), None, "another object");
        assert_eq!(one.matching(&one, 2), None, "no frame");
    }

    fn frame(parent: Option<u32>, offset: u64) -> Frame {
        Frame {
            parent,
            module: Some(0),
            offset,
        }
    }

    fn sample() -> Stacks {
        Stacks {
            modules: vec![Module::default()],
            frames: vec![
                frame(None, 1),
                frame(Some(0), 2),
                frame(Some(0), 3),
                frame(Some(1), 4),
            ],
            sites: vec![Site {
                frame: Some(3),
                ..Site::default()
            }],
            ..Stacks::default()
        }
    }

    #[test]
    fn a_chain_goes_from_the_innermost_frame_to_the_outermost() {
        let stacks = sample();
        let offsets = |innermost: Option<u32>| -> Vec<u64> {
            stacks
                .chain(innermost)
                .map(|(_, frame)| frame.offset)
                .collect()
        };
        assert_eq!(offsets(Some(3)), [4, 2, 1]);
        assert_eq!(offsets(Some(2)), [3, 1]);
        assert!(offsets(None).is_empty());
        assert!(offsets(Some(9)).is_empty());
    }

    #[test]
    fn an_index_that_leads_nowhere_is_found() {
        assert_eq!(sample().check(), Ok(()));
        type Damage = fn(&mut Stacks);
        let damages: [(BadIndex, Damage); 6] = [
            (BadIndex::Parent { frame: 1 }, |of| {
                of.frames[1].parent = Some(1)
            }),
            (BadIndex::Parent { frame: 0 }, |of| {
                of.frames[0].parent = Some(3)
            }),
            (BadIndex::Parent { frame: 2 }, |of| {
                of.frames[2].parent = Some(u32::MAX)
            }),
            (BadIndex::Module { frame: 3 }, |of| {
                of.frames[3].module = Some(1)
            }),
            (BadIndex::Frame { site: 0 }, |of| {
                of.sites[0].frame = Some(4)
            }),
            (BadIndex::File { site: 0 }, |of| {
                of.sites[0].by_file = vec![FilePart::default()]
            }),
        ];
        for (bad, damage) in damages {
            let mut stacks = sample();
            damage(&mut stacks);
            assert_eq!(stacks.check(), Err(bad), "{bad}");
            // Even so a chain ends.
            assert!(stacks.chain(Some(3)).count() <= 4);
        }
    }
}
