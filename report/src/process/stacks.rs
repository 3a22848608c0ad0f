//! Call stacks: from the nodes in the region to frames and sites.

use std::collections::{BTreeMap, HashMap};

use weir_record::stacks::{Cut, Node, Place};

use super::{Findings, text};
use crate::model::{Frame, Module, Site, Stacks};

/// The call stacks; none if none were taken.
///
/// A node that two threads made at the same time may be there twice: such nodes are added up. A node that nothing was counted
/// below is left out.
pub fn stacks(findings: &Findings<'_>) -> Option<Stacks> {
    let region = findings.region;
    let nodes = region.nodes();
    if nodes.is_empty() {
        return None;
    }
    let used = region.header.nodes_claimed().min(nodes.len());
    let nodes = nodes.get(..used).unwrap_or_default();
    let is_counted = |node: &Node| node.key().is_leaf() && node.calls.get() != 0;
    let parent = |index: usize, node: &Node| {
        usize::try_from(node.parent())
            .ok()
            .filter(|&parent| parent < index)
    };
    let mut is_wanted = vec![false; nodes.len()];
    for (index, node) in nodes.iter().enumerate().skip(1).rev() {
        is_wanted[index] |= is_counted(node);
        if is_wanted[index]
            && let Some(parent) = parent(index, node)
        {
            is_wanted[parent] = true;
        }
    }
    let modules = region.modules();
    let mut found = Found {
        numbers: vec![None; nodes.len()],
        ..Found::default()
    };
    for (index, node) in nodes.iter().enumerate().skip(1) {
        let Some(parent) = parent(index, node).filter(|_| is_wanted[index]) else {
            continue;
        };
        match node.key().function() {
            Some(function) => found.site(parent, function.name(), node, findings),
            None if node.key().is_leaf() => {}
            None => found.frame(index, parent, node.place(), modules.len()),
        }
    }
    let cuts = Cut::ALL.map(|cut| (cut.name().to_owned(), region.header.cut(cut).get()));
    Some(Stacks {
        modules: modules
            .iter()
            .map(|module| Module {
                path: text(&module.path),
                build_id: hexadecimal(module.build_id()),
            })
            .collect(),
        frames: found.frames,
        sites: found.sites.into_values().collect(),
        ended: cuts.into_iter().filter(|&(_, calls)| calls != 0).collect(),
    })
}

/// What has been found so far.
#[derive(Default)]
struct Found {
    frames: Vec<Frame>,
    /// The number of the frame of each node.
    numbers: Vec<Option<u32>>,
    /// The number of each frame, by its parent and place.
    known: HashMap<(Option<u32>, Option<u32>, u64), u32>,
    sites: BTreeMap<(Option<u32>, &'static str), Site>,
}

impl Found {
    fn frame(&mut self, index: usize, parent: usize, place: Place, modules: usize) {
        let parent = self.numbers[parent];
        let module = place.module.filter(|&module| (module as usize) < modules);
        let next = u32::try_from(self.frames.len()).unwrap_or(u32::MAX);
        let number = *self
            .known
            .entry((parent, module, place.offset))
            .or_insert(next);
        if number == next {
            self.frames.push(Frame {
                parent,
                module,
                offset: place.offset,
            });
        }
        self.numbers[index] = Some(number);
    }

    fn site(&mut self, parent: usize, function: &'static str, node: &Node, of: &Findings<'_>) {
        let frame = self.numbers[parent];
        let site = self.sites.entry((frame, function)).or_insert_with(|| Site {
            frame,
            function: function.to_owned(),
            ..Site::default()
        });
        let add = |sum: &mut u64, by: u64| *sum = sum.saturating_add(by);
        add(&mut site.calls, node.calls.get());
        add(&mut site.errors, node.errors.get());
        add(&mut site.requested_bytes, node.requested_bytes.get());
        add(&mut site.moved_bytes, node.moved_bytes.get());
        let ns = of.rate.map_or(0, |rate| rate.ns(node.ticks.get()));
        add(&mut site.time_ns, ns);
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
