//! Call sites, as the page wants them: columns of numbers, and the stacks as one tree.

use std::collections::HashMap;

use serde::Serialize;
use weir_report::model::Process;

use crate::cli::{Group, Metric};
use crate::report::sites::{self, lacks};
use crate::sites::{Choice, Sites};
use crate::units::Unit;

/// The call sites of all processes.
#[derive(Debug, Default, Serialize)]
pub struct SiteTable {
    pub points: Points,
    /// The stacks: each node is a point, called from its parent, which has a lower index.
    pub nodes: Nodes,
    /// The functions that were called.
    pub called: Vec<String>,
    pub sites: Columns,
    /// What can be summed, the most informative first.
    pub sums: Vec<Sum>,
    /// What is to be known of the numbers: pairs of a word and a phrase.
    pub notes: Vec<(&'static str, String)>,
    /// Which names are missing, and what to do about it, a sentence each.
    pub lacks: Vec<String>,
    /// Whether the numbers of allocations are estimated.
    pub is_sampled: bool,
}

/// Places in the program, by index.
#[derive(Debug, Default, Serialize)]
pub struct Points {
    pub function: Vec<String>,
    /// File and line; empty where they are not known.
    pub place: Vec<String>,
    /// The object's path; empty for code that is in none.
    pub object: Vec<String>,
    /// Whether whoever looks for the place in the program looks for its caller.
    pub is_plumbing: Vec<bool>,
}

/// The tree of stacks, by index.
#[derive(Debug, Default, Serialize)]
pub struct Nodes {
    /// -1 where nothing is known to have called it.
    pub parent: Vec<i64>,
    /// Index of [`Points`].
    pub point: Vec<u32>,
}

/// The numbers of each site.
#[derive(Debug, Default, Serialize)]
pub struct Columns {
    /// The innermost node of its stack; -1 where nothing is known of that.
    pub node: Vec<i64>,
    /// Index in [`SiteTable::called`].
    pub called: Vec<u32>,
    pub group: Vec<&'static str>,
    pub calls: Vec<u64>,
    pub errors: Vec<u64>,
    pub bytes: Vec<u64>,
    pub moved: Vec<u64>,
    pub time: Vec<u64>,
    pub live: Vec<u64>,
    pub live_blocks: Vec<u64>,
    pub peak: Vec<u64>,
    pub temporary: Vec<u64>,
}

/// A number that can be summed over the sites of a group.
#[derive(Debug, Serialize)]
pub struct Sum {
    /// `Allocations by requested bytes`
    pub name: String,
    pub group: &'static str,
    /// The column of [`Columns`].
    pub column: &'static str,
    /// `bytes`, `count` or `time`, which is in nanoseconds.
    pub unit: &'static str,
    pub total: u64,
}

impl SiteTable {
    pub fn of(processes: &[&Process], sites: &Sites) -> SiteTable {
        let mut table = SiteTable {
            notes: sites::notes(processes, sites),
            lacks: lacks::sentences(sites),
            is_sampled: sites.stacks.sampled_bytes.is_some(),
            ..SiteTable::default()
        };
        let remedies = lacks::remedies(sites);
        table.lacks.extend(remedies.into_iter().map(str::to_owned));
        for point in sites.points.all() {
            table.points.function.push(point.function.clone());
            table.points.place.push(point.whole_place());
            table.points.object.push(point.path.clone());
            table.points.is_plumbing.push(point.is_plumbing());
        }
        let innermost = table.add_stacks(sites);
        table.add_sites(sites, &innermost);
        table.sums = Choice::ALL
            .into_iter()
            .filter_map(|choice| sum(sites, choice))
            .collect();
        table
    }

    /// Adds the tree, and says for each frame which node it ends with.
    fn add_stacks(&mut self, sites: &Sites) -> Vec<i64> {
        let frames = &sites.stacks.frames;
        let mut innermost: Vec<i64> = Vec::with_capacity(frames.len());
        // A caller comes before what it calls.
        for (index, frame) in (0..).zip(frames) {
            let mut node = frame.parent.map_or(-1, |parent| innermost[parent as usize]);
            for &point in sites.points.of_frame(index) {
                self.nodes.parent.push(node);
                self.nodes.point.push(point);
                node = self.nodes.point.len() as i64 - 1;
            }
            innermost.push(node);
        }
        innermost
    }

    fn add_sites(&mut self, sites: &Sites, innermost: &[i64]) {
        let mut known: HashMap<&str, u32> = HashMap::new();
        for site in &sites.stacks.sites {
            let node = site.frame.map_or(-1, |frame| innermost[frame as usize]);
            let next = self.called.len() as u32;
            let called = *known.entry(&site.function).or_insert(next);
            if called == next {
                self.called.push(site.function.clone());
            }
            let columns = &mut self.sites;
            columns.node.push(node);
            columns.called.push(called);
            columns.group.push(group(Group::of(&site.function)));
            columns.errors.push(site.errors);
            columns.live_blocks.push(Metric::Live.count(site));
            for (column, metric) in [
                (&mut columns.calls, Metric::Calls),
                (&mut columns.bytes, Metric::Bytes),
                (&mut columns.moved, Metric::Moved),
                (&mut columns.time, Metric::Time),
                (&mut columns.live, Metric::Live),
                (&mut columns.peak, Metric::Peak),
                (&mut columns.temporary, Metric::Temporary),
            ] {
                column.push(metric.of(site));
            }
        }
    }
}

/// One of the sums; none where it is 0.
fn sum(sites: &Sites, choice: Choice) -> Option<Sum> {
    let of_group = sites.stacks.sites.iter();
    let of_group = of_group.filter(|site| Group::of(&site.function) == choice.group);
    let total = of_group.fold(0, |sum: u64, site| {
        sum.saturating_add(choice.metric.of(site))
    });
    (total > 0).then(|| Sum {
        name: choice.name(),
        group: group(choice.group),
        column: column(choice.metric),
        unit: unit(choice.metric),
        total,
    })
}

/// The name of a column of numbers.
pub fn column(of: Metric) -> &'static str {
    match of {
        Metric::Bytes => "bytes",
        Metric::Calls => "calls",
        Metric::Time => "time",
        Metric::Moved => "moved",
        Metric::Live => "live",
        Metric::Peak => "peak",
        Metric::Temporary => "temporary",
    }
}

/// How a page's scripts name the unit of a column.
pub fn unit(of: Metric) -> &'static str {
    match of.unit() {
        Unit::Bytes => "bytes",
        Unit::Count => "count",
        Unit::Time => "time",
    }
}

/// How they name a group.
pub fn group(of: Group) -> &'static str {
    match of {
        Group::Allocation => "allocation",
        Group::Io => "io",
        Group::Stdio => "stdio",
        Group::Wait => "wait",
    }
}
