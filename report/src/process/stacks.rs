//! Call stacks: from the nodes in the region to frames and sites.

mod joined;
mod lifetimes;
mod sources;

use std::collections::{BTreeMap, HashMap, HashSet};

use weir_record::clock::Rate;
use weir_record::file::FileEntry;
use weir_record::sampling::SCALE;
use weir_record::stacks::{Cut, Group, InterpretedCode, Node, Place};

use self::joined::Joined;
use self::lifetimes::Lived;
use self::sources::Sources;
use super::in_flight::Begun;
use super::{Findings, text};
use crate::model::{FilePart, Files, Frame, Heap, Module, Site, SiteBlocks, SiteFile, Stacks};

/// The call stacks; none if none were taken.
///
/// Each thread has leaves of its own, and a node that two threads made at the same time may be there twice: such nodes are added up.
/// A node that nothing was counted below is left out.
///
/// Calls are listed by file for the files that the image lists. Calls that had not returned get their frames here.
pub fn stacks(
    findings: &Findings<'_>,
    heap: &Heap,
    files: &Files,
    begun: &mut [Begun],
) -> Option<Stacks> {
    let region = findings.region;
    let nodes = region.nodes();
    if nodes.is_empty() {
        return None;
    }
    let used = region.header.nodes_claimed().min(nodes.len());
    let nodes = nodes.get(..used).unwrap_or_default();
    let header = region.header;
    let parent = |index: usize, node: &Node| {
        usize::try_from(node.parent())
            .ok()
            .filter(|&parent| parent < index)
    };
    let mut is_wanted = vec![false; nodes.len()];
    for Begun { call, leaf } in &mut *begun {
        let node = leaf.and_then(|leaf| nodes.get(leaf as usize));
        let function = node.and_then(|node| node.key().function());
        match leaf.filter(|_| function.is_some_and(|of| of.name() == call.function)) {
            Some(leaf) => is_wanted[leaf as usize] = true,
            None => *leaf = None,
        }
    }
    for (index, node) in nodes.iter().enumerate().skip(1).rev() {
        // A leaf with blocks may have nothing but frees of what other threads made.
        is_wanted[index] |= node.is_counted();
        // The frames of stacks that are joined are found by the node that joins them.
        if is_wanted[index]
            && node.key().joined_node().is_none()
            && let Some(parent) = parent(index, node)
        {
            is_wanted[parent] = true;
        }
    }
    let modules = region.modules();
    let mut interpreters: HashSet<u32> = HashSet::new();
    let interpreted = region.interpreted();
    let sampled_bytes = header.sampled_bytes.get();
    let read = Read {
        rate: findings.rate,
        peak: header.heap.marked_peak(),
        is_heap_known: heap.not_known.is_none(),
    };
    let mut named = Vec::new();
    let numbers = numbers(region.files(), files, &mut named);
    let mut found = Found {
        numbers: vec![None; nodes.len()],
        ..Found::default()
    };
    for (index, node) in nodes.iter().enumerate().skip(1) {
        let Some(parent) = parent(index, node).filter(|_| is_wanted[index]) else {
            continue;
        };
        match node.key().function() {
            // Only a call that has not returned is there.
            Some(_) if !node.is_counted() => {}
            Some(function) => {
                let file = node
                    .key()
                    .file()
                    .and_then(|file| numbers.get(file).copied()?);
                found.site(parent, function.name()).add(node, &read, file);
            }
            None if node.key().is_leaf() => {}
            None => match node.key().joined_node() {
                Some(other) => {
                    let places = joined::places(nodes, parent, other as usize);
                    interpreters.extend(joined::interpreters(nodes, parent));
                    found.numbers[index] = found.joined(&places, modules.len(), interpreted);
                }
                None => {
                    let parent = found.numbers[parent];
                    let number = found.frame(parent, node.place(), modules.len());
                    found.numbers[index] = Some(number);
                }
            },
        }
    }
    for Begun { call, leaf } in begun {
        let parent = leaf.and_then(|leaf| parent(leaf as usize, nodes.get(leaf as usize)?));
        call.frame = parent.and_then(|parent| found.numbers[parent]);
    }
    let scale = if sampled_bytes == 0 { 1 } else { SCALE };
    let sites = found.sites.into_values();
    let sites: Vec<Site> = sites.map(|sum| sum.site(scale)).collect();
    let at_peak = sites.iter().filter_map(|site| site.blocks);
    let at_peak = at_peak.fold(0, |sum: u64, of| sum.saturating_add(of.live_bytes_at_peak));
    let cuts = Cut::ALL.map(|cut| (cut.name().to_owned(), header.cut(cut).get()));
    Some(Stacks {
        modules: (0..)
            .zip(modules)
            .map(|(index, module)| Module {
                interprets: interpreters.contains(&index).then(|| PYTHON.to_owned()),
                path: text(&module.path),
                build_id: hexadecimal(module.build_id()),
                ..Module::default()
            })
            .chain(found.sources.modules())
            .collect(),
        frames: found.frames,
        sites,
        files: named,
        sampled_bytes: Some(sampled_bytes).filter(|&bytes| bytes != 0),
        peak_bytes: at_peak,
        untracked_blocks: header.untracked_blocks.get(),
        untracked_frees: header.untracked_frees.get(),
        ended: cuts.into_iter().filter(|&(_, calls)| calls != 0).collect(),
    })
}

/// The language that is known.
const PYTHON: &str = "python";

/// For each entry of the table of files its index in `named`, if the image lists it. An entry that had another name before is left
/// out: what was counted for it may be for that one.
fn numbers(entries: &[FileEntry], files: &Files, named: &mut Vec<SiteFile>) -> Vec<Option<u32>> {
    let listed = files
        .listed
        .iter()
        .map(|file| (file.kind.as_str(), file.name.as_str()));
    let listed: HashSet<(&str, &str)> = listed.collect();
    let number = |entry: &FileEntry| {
        let file = SiteFile {
            kind: entry.kind().name().to_owned(),
            name: text(&entry.name),
        };
        let is_listed = listed.contains(&(file.kind.as_str(), file.name.as_str()));
        if !is_listed || !entry.has_its_first_name() {
            return None;
        }
        named.push(file);
        u32::try_from(named.len() - 1).ok()
    };
    entries.iter().map(number).collect()
}

/// What has been found so far.
#[derive(Default)]
struct Found {
    frames: Vec<Frame>,
    /// The number of the frame of each node.
    numbers: Vec<Option<u32>>,
    /// The number of each frame, by its parent and place.
    known: HashMap<(Option<u32>, Option<u32>, u64), u32>,
    sites: BTreeMap<(Option<u32>, &'static str), Sum>,
    sources: Sources,
}

/// What is needed to read a leaf.
struct Read {
    rate: Option<Rate>,
    /// The number of the heap's last peak.
    peak: u32,
    is_heap_known: bool,
}

/// The leaves of a site.
struct Sum {
    site: Site,
    /// Blocks, their bytes, and bytes at the peak. In the leaf of a thread that frees more than it makes, they are below zero.
    live: Option<[i64; 3]>,
    temporary: u64,
    makes_blocks: bool,
    lived: Option<Lived>,
    by_file: BTreeMap<u32, FilePart>,
}

impl Sum {
    fn add(&mut self, node: &Node, read: &Read, file: Option<u32>) {
        if let Some(group) = node.key().group().filter(|&group| group != Group::SELDOM) {
            if read.is_heap_known {
                self.lived.get_or_insert_default().add(group, node);
            }
            return;
        }
        let add = |sum: &mut u64, by: u64| *sum = sum.saturating_add(by);
        let counters = node.calls();
        let site = &mut self.site;
        add(&mut site.calls, counters.calls.get());
        add(&mut site.requested_bytes, counters.requested_bytes.get());
        if node.key().has_blocks() {
            self.makes_blocks = true;
            let (blocks, bytes) = node.live();
            let at_peak = node.live_bytes_at_peak(read.peak);
            if read.is_heap_known {
                let sums = self.live.get_or_insert_default();
                for (sum, by) in sums.iter_mut().zip([blocks, bytes, at_peak]) {
                    *sum = sum.saturating_add(by);
                }
            }
            add(&mut self.temporary, node.blocks().temporary.get());
        } else {
            add(&mut site.errors, counters.errors.get());
            add(&mut site.moved_bytes, counters.moved_bytes.get());
            let ns = read.rate.map_or(0, |rate| rate.ns(counters.ticks.get()));
            add(&mut site.time_ns, ns);
            if let Some(file) = file {
                let part = FilePart {
                    file,
                    calls: counters.calls.get(),
                    errors: counters.errors.get(),
                    requested_bytes: counters.requested_bytes.get(),
                    moved_bytes: counters.moved_bytes.get(),
                    time_ns: ns,
                };
                let sum = self.by_file.entry(file).or_insert(FilePart {
                    file,
                    ..FilePart::default()
                });
                sum.add(&part);
            }
        }
    }

    /// `scale` is in how many parts blocks were counted.
    fn site(self, scale: u64) -> Site {
        let whole = |sum: u64| (sum / scale) + u64::from(sum % scale > (scale - 1) / 2);
        let number = |sum: i64| whole(u64::try_from(sum).unwrap_or(0));
        let blocks = self.live.map(|[live, bytes, at_peak]| SiteBlocks {
            live: number(live),
            live_bytes: number(bytes),
            live_bytes_at_peak: number(at_peak),
            temporary: whole(self.temporary),
        });
        let (calls, requested_bytes) = match self.makes_blocks {
            true => (whole(self.site.calls), whole(self.site.requested_bytes)),
            false => (self.site.calls, self.site.requested_bytes),
        };
        Site {
            calls,
            requested_bytes,
            blocks,
            lifetimes: self.lived.map(|lived| lived.lifetimes(whole)),
            by_file: self.by_file.into_values().collect(),
            ..self.site
        }
    }
}

impl Found {
    fn frame(&mut self, parent: Option<u32>, place: Place, modules: usize) -> u32 {
        let module = place.module.filter(|&module| (module as usize) < modules);
        self.frame_at(parent, module, place.offset)
    }

    fn frame_at(&mut self, parent: Option<u32>, module: Option<u32>, offset: u64) -> u32 {
        let next = u32::try_from(self.frames.len()).unwrap_or(u32::MAX);
        let number = *self.known.entry((parent, module, offset)).or_insert(next);
        if number == next {
            self.frames.push(Frame {
                parent,
                module,
                offset,
            });
        }
        number
    }

    /// The frames of stacks that are joined, from the outermost on.
    fn joined(
        &mut self,
        places: &[Joined],
        modules: usize,
        interpreted: &[InterpretedCode],
    ) -> Option<u32> {
        let mut frame = None;
        for place in places {
            let number = match *place {
                Joined::Native(place) => self.frame(frame, place, modules),
                Joined::Interpreted(line) => {
                    let (source, offset) = self.sources.name(line, interpreted);
                    let module = u32::try_from(modules + source).ok();
                    self.frame_at(frame, module, offset)
                }
            };
            frame = Some(number);
        }
        frame
    }

    fn site(&mut self, parent: usize, function: &'static str) -> &mut Sum {
        let frame = self.numbers[parent];
        self.sites.entry((frame, function)).or_insert_with(|| Sum {
            site: Site {
                frame,
                function: function.to_owned(),
                ..Site::default()
            },
            live: None,
            temporary: 0,
            makes_blocks: false,
            lived: None,
            by_file: BTreeMap::new(),
        })
    }
}

fn hexadecimal(bytes: impl Iterator<Item = u8>) -> Option<String> {
    use std::fmt::Write;
    let mut text = String::new();
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    Some(text).filter(|text| !text.is_empty())
}
