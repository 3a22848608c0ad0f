//! The stacks of both sides as one tree, in which each function that is called has the numbers of both.
//!
//! Functions are the same where they have the same name, and were come to by the same functions.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::cli::Group;
use crate::diff::numbers::{OF_SITES, has_meaning};
use crate::html::sites::{Nodes, column, group, unit};
use crate::sites::{Choice, Sites};

/// The call sites of all runs.
#[derive(Debug, Default, Serialize)]
pub struct CallSites {
    points: Points,
    /// Each node is a point, called from its parent, which has a lower index.
    nodes: Nodes,
    /// The functions that were called.
    called: Vec<String>,
    sites: Called,
    /// The numbers of the sites, by column, added up over the runs of the side.
    before: Columns,
    after: Columns,
    /// How many runs the numbers are of: before, and after.
    runs: [usize; 2],
    /// What can be summed, the most informative first.
    sums: Vec<Sum>,
    /// Whether the numbers of allocations are estimated.
    is_sampled: bool,
}

/// Functions of the program and its libraries, by index.
#[derive(Debug, Default, Serialize)]
struct Points {
    function: Vec<String>,
    /// The object's path, in the first run that has the function; empty for code that is in none.
    object: Vec<String>,
}

/// A function called by one way, by index.
#[derive(Debug, Default, Serialize)]
struct Called {
    /// The innermost node of its stack; -1 where nothing is known of that.
    node: Vec<i64>,
    /// Index in [`CallSites::called`].
    called: Vec<u32>,
    group: Vec<&'static str>,
}

type Columns = BTreeMap<&'static str, Vec<u64>>;

/// A number that can be summed over the sites of a group, and is compared.
#[derive(Debug, Serialize)]
struct Sum {
    /// `Allocations by requested bytes`
    name: String,
    group: &'static str,
    column: &'static str,
    /// `bytes`, `count` or `time`, which is in nanoseconds.
    unit: &'static str,
}

impl CallSites {
    /// Those of the runs before, and of those after.
    pub fn of(sides: [Vec<&Sites>; 2]) -> CallSites {
        let mut is_sampled = sides
            .iter()
            .flatten()
            .map(|of| of.stacks.sampled_bytes.is_some());
        let mut table = CallSites {
            runs: sides.each_ref().map(Vec::len),
            is_sampled: is_sampled.any(|is| is),
            ..CallSites::default()
        };
        let mut known = Known::default();
        let [before, after] = sides;
        for (is_after, sites) in before
            .into_iter()
            .map(|sites| (false, sites))
            .chain(after.into_iter().map(|sites| (true, sites)))
        {
            table.add(sites, is_after, &mut known);
        }
        let all = table.sites.node.len();
        for (_, metric, _) in OF_SITES {
            for columns in [&mut table.before, &mut table.after] {
                columns.entry(column(metric)).or_default().resize(all, 0);
            }
        }
        table.sums = table.sums();
        table
    }

    /// Adds a run.
    fn add(&mut self, sites: &Sites, is_after: bool, known: &mut Known) {
        let innermost = self.add_stacks(sites, known);
        for site in &sites.stacks.sites {
            let node = site.frame.map_or(-1, |frame| innermost[frame as usize]);
            let called = index(&mut known.called, site.function.clone(), || {
                self.called.push(site.function.clone());
            });
            let at = index(&mut known.sites, (node, called), || {
                self.sites.node.push(node);
                self.sites.called.push(called);
                self.sites.group.push(group(Group::of(&site.function)));
            }) as usize;
            for (name, metric, _) in OF_SITES {
                let columns = match is_after {
                    false => &mut self.before,
                    true => &mut self.after,
                };
                let numbers = columns.entry(column(metric)).or_default();
                numbers.resize(numbers.len().max(at + 1), 0);
                // What is not compared of one run is not compared of any.
                if has_meaning(&site.function, name, self.is_sampled) {
                    numbers[at] = numbers[at].saturating_add(metric.of(site));
                }
            }
        }
    }

    /// Adds the stacks of a run, and says for each frame which node it ends with.
    fn add_stacks(&mut self, sites: &Sites, known: &mut Known) -> Vec<i64> {
        let frames = &sites.stacks.frames;
        let mut innermost: Vec<i64> = Vec::with_capacity(frames.len());
        // A caller comes before what it calls.
        for (frame, of) in (0..).zip(frames) {
            let mut node = of.parent.map_or(-1, |parent| innermost[parent as usize]);
            for &point in sites.points.of_frame(frame) {
                let point = sites.points.get(point);
                let function = index(&mut known.functions, point.function.clone(), || {
                    self.points.function.push(point.function.clone());
                    self.points.object.push(point.path.clone());
                });
                node = i64::from(index(&mut known.nodes, (node, function), || {
                    self.nodes.parent.push(node);
                    self.nodes.point.push(function);
                }));
            }
            innermost.push(node);
        }
        innermost
    }

    /// What any site has a number of.
    fn sums(&self) -> Vec<Sum> {
        let has = |choice: &Choice| {
            let group = group(choice.group);
            let numbers = [&self.before, &self.after].map(|of| of.get(column(choice.metric)));
            let mut numbers = numbers.into_iter().flatten();
            numbers.any(|of| {
                let mut sites = of.iter().zip(&self.sites.group);
                sites.any(|(&number, &of)| number > 0 && of == group)
            })
        };
        let sums = Choice::ALL.into_iter().filter(has).map(|choice| Sum {
            name: choice.name(),
            group: group(choice.group),
            column: column(choice.metric),
            unit: unit(choice.metric),
        });
        sums.collect()
    }
}

/// What has an index already.
#[derive(Default)]
struct Known {
    functions: HashMap<String, u32>,
    nodes: HashMap<(i64, u32), u32>,
    called: HashMap<String, u32>,
    sites: HashMap<(i64, u32), u32>,
}

/// The index of something; what is new is added.
fn index<K: std::hash::Hash + Eq>(known: &mut HashMap<K, u32>, key: K, add: impl FnOnce()) -> u32 {
    let next = known.len() as u32;
    *known.entry(key).or_insert_with(|| {
        add();
        next
    })
}
