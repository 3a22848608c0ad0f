//! Call sites, as the page wants them: columns of numbers, and the stacks of all processes as one tree.

use std::collections::HashMap;

use serde::Serialize;
use weir_report::model::Process;

use crate::cli::{Group, Metric};
use crate::report::sites::{self, lacks};
use crate::sites::{Choice, Point, Sites};
use crate::units::Unit;

/// What the call sites of all processes, and those of each, have in common.
#[derive(Debug, Default, Serialize)]
pub struct SiteTable {
    pub points: Points,
    /// The stacks: each node is a point, called from its parent, which has a lower index.
    pub nodes: Nodes,
    /// The functions that were called.
    pub called: Vec<String>,
    /// What can be summed, the most informative first: what all processes together have any of.
    pub sums: Vec<Sum>,
    /// Which names are missing, and what to do about it, a sentence each.
    pub lacks: Vec<String>,
    #[serde(skip)]
    known: Known,
}

/// Where the things of a table are.
#[derive(Debug, Default)]
struct Known {
    points: HashMap<Point, u32>,
    /// By parent and point.
    nodes: HashMap<(i64, u32), i64>,
    called: HashMap<String, u32>,
}

/// The call sites of all processes, or of one.
#[derive(Debug, Default, Serialize)]
pub struct SitesOf {
    pub sites: Columns,
    /// The total of each of [`SiteTable::sums`].
    pub totals: Vec<u64>,
    /// What is to be known of the numbers: pairs of a word and a phrase.
    pub notes: Vec<(&'static str, String)>,
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
    #[serde(skip)]
    choice: Choice,
}

impl SiteTable {
    /// A table for the call sites of all processes, and these.
    pub fn of(processes: &[&Process], sites: &Sites) -> (SiteTable, SitesOf) {
        let mut table = SiteTable {
            lacks: lacks::sentences(sites),
            sums: Choice::ALL
                .into_iter()
                .filter(|&choice| total(sites, choice) > 0)
                .map(sum)
                .collect(),
            ..SiteTable::default()
        };
        let remedies = lacks::remedies(sites);
        table.lacks.extend(remedies.into_iter().map(str::to_owned));
        let of_all = table.add(processes, sites);
        (table, of_all)
    }

    /// Adds the call sites of some of the processes.
    pub fn add(&mut self, processes: &[&Process], sites: &Sites) -> SitesOf {
        let points: Vec<u32> = sites.points.all().map(|of| self.point(of)).collect();
        let innermost = self.add_stacks(sites, &points);
        SitesOf {
            sites: self.columns(sites, &innermost),
            totals: { self.sums.iter() }
                .map(|of| total(sites, of.choice))
                .collect(),
            notes: sites::notes(processes, sites),
        }
    }

    fn point(&mut self, of: &Point) -> u32 {
        // Objects have other numbers in other processes; the path says which it is.
        let key = Point {
            module: None,
            ..of.clone()
        };
        let next = self.points.function.len() as u32;
        let index = *self.known.points.entry(key).or_insert(next);
        if index == next {
            self.points.function.push(of.function.clone());
            self.points.place.push(of.whole_place());
            self.points.object.push(of.path.clone());
            self.points.is_plumbing.push(of.is_plumbing());
        }
        index
    }

    /// Adds the stacks to the tree, and says for each frame which node it ends with.
    fn add_stacks(&mut self, sites: &Sites, points: &[u32]) -> Vec<i64> {
        let frames = &sites.stacks.frames;
        let mut innermost: Vec<i64> = Vec::with_capacity(frames.len());
        // A caller comes before what it calls.
        for (index, frame) in (0..).zip(frames) {
            let mut node = frame.parent.map_or(-1, |parent| innermost[parent as usize]);
            for &point in sites.points.of_frame(index) {
                let point = points[point as usize];
                let next = self.nodes.point.len() as i64;
                let own = *self.known.nodes.entry((node, point)).or_insert(next);
                if own == next {
                    self.nodes.parent.push(node);
                    self.nodes.point.push(point);
                }
                node = own;
            }
            innermost.push(node);
        }
        innermost
    }

    fn columns(&mut self, sites: &Sites, innermost: &[i64]) -> Columns {
        let mut columns = Columns::default();
        for site in &sites.stacks.sites {
            let node = site.frame.map_or(-1, |frame| innermost[frame as usize]);
            let next = self.called.len() as u32;
            let called = self.known.called.entry(site.function.clone());
            let called = *called.or_insert(next);
            if called == next {
                self.called.push(site.function.clone());
            }
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
        columns
    }
}

/// What all sites of a group have of a metric.
fn total(sites: &Sites, choice: Choice) -> u64 {
    let of_group = sites.stacks.sites.iter();
    let of_group = of_group.filter(|site| Group::of(&site.function) == choice.group);
    of_group.fold(0, |sum: u64, site| {
        sum.saturating_add(choice.metric.of(site))
    })
}

fn sum(choice: Choice) -> Sum {
    Sum {
        name: choice.name(),
        group: group(choice.group),
        column: column(choice.metric),
        unit: unit(choice.metric),
        choice,
    }
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
