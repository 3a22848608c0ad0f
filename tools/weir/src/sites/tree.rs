//! The sums, callers above what they call.

use std::cmp::Reverse;
use std::collections::HashMap;

use weir_report::model::Site;

use super::points::Point;
use super::{PointId, Sites};

/// Call sites summed up along their stacks. A caller has a lower index than what it calls.
pub struct Tree<'a> {
    /// The nodes.
    pub nodes: Vec<Node<'a>>,
    /// Those that nothing is known to have called, the greatest first.
    pub roots: Vec<u32>,
    /// The sum over all of them.
    pub total: u64,
}

/// A function that calls others, or one that was called in the end.
#[derive(Debug)]
pub struct Node<'a> {
    /// What it is.
    pub what: What<'a>,
    /// Who called it.
    pub parent: Option<u32>,
    /// What it calls, the greatest first.
    pub children: Vec<u32>,
    /// The sum over all that it led to.
    pub sum: u64,
    /// The calls that it led to.
    pub calls: u64,
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum What<'a> {
    /// A place in the program.
    Point(PointId),
    /// The function that a site called.
    Called(&'a str),
}

/// What of a stack somebody asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Centre {
    /// A point of the stack, by its index from the outermost one. Of a function that calls itself, the first.
    Point(usize),
    /// The function that was called in the end.
    Called,
}

impl<'a> Tree<'a> {
    /// The tree of these sites; what of each site is summed, says `of`.
    pub fn new<'s: 'a>(
        sites: &'s Sites,
        wanted: impl Fn(usize, &Site) -> bool,
        of: impl Fn(&Site) -> u64,
    ) -> Tree<'a> {
        let mut tree = Tree {
            nodes: Vec::new(),
            roots: Vec::new(),
            total: 0,
        };
        let stacks = &sites.stacks;
        let is_wanted = |(index, site): &(usize, &Site)| wanted(*index, site) && (of(site) > 0);
        let chosen = || stacks.sites.iter().enumerate().filter(is_wanted);

        // Only frames that lead to a site that is wanted.
        let mut leads = vec![false; stacks.frames.len()];
        for (_, site) in chosen() {
            if let Some(frame) = site.frame {
                leads[frame as usize] = true;
            }
        }
        for (index, frame) in stacks.frames.iter().enumerate().rev() {
            if let Some(parent) = frame.parent.filter(|_| leads[index]) {
                leads[parent as usize] = true;
            }
        }

        let mut known = HashMap::new();
        let mut ends: Vec<Option<u32>> = vec![None; stacks.frames.len()];
        for (index, frame) in stacks.frames.iter().enumerate() {
            if !leads[index] {
                continue;
            }
            let mut end = frame.parent.and_then(|parent| ends[parent as usize]);
            for &point in sites.points.of_frame(index as u32) {
                end = Some(tree.child(&mut known, end, What::Point(point)));
            }
            ends[index] = end;
        }
        for (_, site) in chosen() {
            let end = site.frame.and_then(|frame| ends[frame as usize]);
            let leaf = tree.child(&mut known, end, What::Called(&site.function));
            let node = &mut tree.nodes[leaf as usize];
            node.sum = node.sum.saturating_add(of(site));
            node.calls = node.calls.saturating_add(site.calls);
            tree.total = tree.total.saturating_add(of(site));
        }
        tree.add_up();
        tree
    }

    /// What calls a centre, itself above its callers. The sums are those of the whole stacks.
    pub fn of_callers<'s: 'a>(
        sites: &'s Sites,
        centres: &[Option<Centre>],
        wanted: impl Fn(usize, &Site) -> bool,
        of: impl Fn(&Site) -> u64,
    ) -> Tree<'a> {
        // Who calls a function calls all of its lines.
        let functions = functions(sites, |_| true);
        let path = |site: &'s Site, centre| {
            let mut stack = sites.stack(site.frame);
            let own = match centre {
                Centre::Point(at) => {
                    let own = functions.of(What::Point(stack[at]));
                    stack.truncate(at);
                    own
                }
                Centre::Called => What::Called(&site.function),
            };
            let callers = stack.into_iter().rev().map(What::Point);
            std::iter::once(own).chain(callers).collect()
        };
        Tree::of_paths(sites, centres, wanted, of, path)
    }

    /// What a centre calls. A function that was called in the end calls nothing.
    pub fn of_callees<'s: 'a>(
        sites: &'s Sites,
        centres: &[Option<Centre>],
        wanted: impl Fn(usize, &Site) -> bool,
        of: impl Fn(&Site) -> u64,
    ) -> Tree<'a> {
        let path = |site: &'s Site, centre| match centre {
            Centre::Point(at) => {
                let below = sites.stack(site.frame).into_iter().skip(at);
                let called = What::Called(&site.function);
                below.map(What::Point).chain([called]).collect()
            }
            Centre::Called => Vec::new(),
        };
        Tree::of_paths(sites, centres, wanted, of, path)
    }

    fn of_paths<'s: 'a>(
        sites: &'s Sites,
        centres: &[Option<Centre>],
        wanted: impl Fn(usize, &Site) -> bool,
        of: impl Fn(&Site) -> u64,
        path: impl Fn(&'s Site, Centre) -> Vec<What<'a>>,
    ) -> Tree<'a> {
        let mut tree = Tree {
            nodes: Vec::new(),
            roots: Vec::new(),
            total: 0,
        };
        let mut known = HashMap::new();
        for (index, site) in sites.stacks.sites.iter().enumerate() {
            let Some(centre) = centres[index].filter(|_| wanted(index, site) && of(site) > 0)
            else {
                continue;
            };
            let mut end = None;
            for what in path(site, centre) {
                end = Some(tree.child(&mut known, end, what));
            }
            if let Some(end) = end {
                let node = &mut tree.nodes[end as usize];
                node.sum = node.sum.saturating_add(of(site));
                node.calls = node.calls.saturating_add(site.calls);
                tree.total = tree.total.saturating_add(of(site));
            }
        }
        tree.add_up();
        tree
    }

    /// The same without what happens in the libraries of languages: of a function of theirs that does not lead back into
    /// the program, only the first one is left, and what it called in the end.
    pub fn without_plumbing(&self, sites: &Sites) -> Tree<'a> {
        let mut is_plumbing: Vec<bool> = vec![true; self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate().rev() {
            if let What::Point(point) = node.what {
                is_plumbing[index] &= sites.points.get(point).is_plumbing();
            }
            if let Some(parent) = node.parent {
                is_plumbing[parent as usize] &= is_plumbing[index];
            }
        }
        let mut tree = Tree {
            nodes: Vec::new(),
            roots: Vec::new(),
            total: self.total,
        };
        // Of a library's functions the lines say nothing.
        let functions = functions(sites, |point| point.is_plumbing());
        let mut known = HashMap::new();
        let mut places: Vec<u32> = Vec::with_capacity(self.nodes.len());
        for (index, node) in self.nodes.iter().enumerate() {
            let parent = node.parent.map(|parent| parent as usize);
            let is_point = matches!(node.what, What::Point(_));
            let place = match parent {
                Some(parent) if is_point && is_plumbing[index] && is_plumbing[parent] => {
                    places[parent]
                }
                _ => {
                    let what = functions.of(node.what);
                    tree.child(&mut known, parent.map(|parent| places[parent]), what)
                }
            };
            places.push(place);
            if !is_point {
                let leaf = &mut tree.nodes[place as usize];
                leaf.sum = leaf.sum.saturating_add(node.sum);
                leaf.calls = leaf.calls.saturating_add(node.calls);
            }
        }
        tree.add_up();
        tree
    }

    /// The same with one node for all lines of a function.
    pub fn by_function(&self, sites: &Sites) -> Tree<'a> {
        let functions = functions(sites, |_| true);
        let mut tree = Tree {
            nodes: Vec::new(),
            roots: Vec::new(),
            total: self.total,
        };
        let mut known = HashMap::new();
        let mut places: Vec<u32> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let parent = node.parent.map(|parent| places[parent as usize]);
            let place = tree.child(&mut known, parent, functions.of(node.what));
            places.push(place);
            if matches!(node.what, What::Called(_)) {
                let leaf = &mut tree.nodes[place as usize];
                leaf.sum = leaf.sum.saturating_add(node.sum);
                leaf.calls = leaf.calls.saturating_add(node.calls);
            }
        }
        tree.add_up();
        tree
    }

    /// The tree of nodes that have their sums, and no children yet. A caller comes before what it calls.
    pub fn of_nodes(nodes: Vec<Node<'a>>) -> Tree<'a> {
        let mut tree = Tree {
            nodes,
            roots: Vec::new(),
            total: 0,
        };
        tree.join();
        let sums = tree.roots.iter().map(|&root| tree.nodes[root as usize].sum);
        tree.total = sums.fold(0, u64::saturating_add);
        tree
    }

    fn child(
        &mut self,
        known: &mut HashMap<(Option<u32>, What<'a>), u32>,
        parent: Option<u32>,
        what: What<'a>,
    ) -> u32 {
        *known.entry((parent, what)).or_insert_with(|| {
            // There are fewer than bytes of a report and names of its functions.
            let index = self.nodes.len() as u32;
            self.nodes.push(Node {
                what,
                parent,
                children: Vec::new(),
                sum: 0,
                calls: 0,
            });
            index
        })
    }

    /// Adds what each node led to to its caller.
    fn add_up(&mut self) {
        for index in (0..self.nodes.len()).rev() {
            let Node {
                parent, sum, calls, ..
            } = self.nodes[index];
            if let Some(parent) = parent {
                let parent = &mut self.nodes[parent as usize];
                parent.sum = parent.sum.saturating_add(sum);
                parent.calls = parent.calls.saturating_add(calls);
            }
        }
        self.join();
    }

    /// Tells each node what it calls.
    fn join(&mut self) {
        for index in (0..self.nodes.len()).rev() {
            match self.nodes[index].parent {
                Some(parent) => self.nodes[parent as usize].children.push(index as u32),
                None => self.roots.push(index as u32),
            }
        }
        // Children came last one first; of equal ones that comes first which the report has first.
        let sums: Vec<u64> = self.nodes.iter().map(|node| node.sum).collect();
        let order = |&child: &u32| (Reverse(sums[child as usize]), child);
        self.nodes
            .iter_mut()
            .for_each(|node| node.children.sort_by_key(order));
        self.roots.sort_by_key(order);
    }
}

/// For each point the first one of the same function, or itself.
struct Functions(Vec<PointId>);

/// The functions of the points of which this says that only the function matters.
fn functions(sites: &Sites, is_one: impl Fn(&Point) -> bool) -> Functions {
    let mut known: HashMap<(&str, &str), PointId> = HashMap::new();
    let of = (0..).zip(sites.points.all()).map(|(id, point)| {
        let function = (point.path.as_str(), point.function.as_str());
        match is_one(point) {
            true => *known.entry(function).or_insert(id),
            false => id,
        }
    });
    Functions(of.collect())
}

impl Functions {
    fn of<'a>(&self, what: What<'a>) -> What<'a> {
        match what {
            What::Point(id) => What::Point(self.0[id as usize]),
            what => what,
        }
    }
}

#[cfg(test)]
mod tests {
    use weir_report::model::{Frame, Module, Process, Stacks};

    use super::*;
    use crate::sample;
    use crate::sites::Naming;
    use crate::sites::points::Points;

    /// main → parse → malloc 6, main → malloc 3, main → read 0, and malloc 1 from nowhere.
    fn sites() -> Sites {
        let frame = |parent: Option<u32>, offset| Frame {
            parent,
            module: Some(0),
            offset,
        };
        let site = |frame: Option<u32>, function: &str, calls| Site {
            frame,
            function: function.to_owned(),
            calls,
            ..Site::default()
        };
        let stacks = Stacks {
            modules: vec![Module {
                path: "/nowhere/a.out".to_owned(),
                build_id: None,
                ..Module::default()
            }],
            frames: vec![frame(None, 1), frame(Some(0), 2), frame(Some(0), 3)],
            sites: vec![
                site(Some(0), "malloc", 3),
                site(Some(1), "malloc", 6),
                site(Some(2), "read", 0),
                site(None, "malloc", 1),
            ],
            ..Stacks::default()
        };
        let mut process: Process = sample::report().processes.remove(0);
        process.stacks = Some(stacks);
        Sites::of([&process], &[], Naming::Whole).expect("stacks")
    }

    /// A centre's sums are those of its stacks, in both directions.
    #[test]
    fn callers_and_callees() {
        let mut sites = sites();
        sites.points.set(0, vec![named("main", 4)]);
        sites
            .points
            .set(1, vec![named("parse", 7), named("grow", 9)]);
        sites.points.set(2, vec![named("reparse", 1)]);
        let tree = |centres: &[Option<Centre>], is_up: bool| {
            let of = |site: &Site| site.calls;
            let tree = match is_up {
                true => Tree::of_callers(&sites, centres, |_, _| true, of),
                false => Tree::of_callees(&sites, centres, |_, _| true, of),
            };
            drawn(&sites, &tree)
        };
        let parse = sites.centres("parse");
        assert_eq!(parse[1], Some(Centre::Point(1)));
        assert_eq!(parse[2], None, "another function's name");
        assert_eq!(tree(&parse, true), ["parse 6 6", "  main 6 6"]);
        assert_eq!(
            tree(&parse, false),
            ["parse 6 6", "  grow 6 6", "    malloc 6 6"]
        );
        let part = sites.centres("pars");
        assert_eq!(part[2], Some(Centre::Point(1)));
        let malloc = sites.centres("malloc");
        assert_eq!(
            tree(&malloc, true),
            [
                "malloc 10 10",
                "  grow 6 6",
                "    parse 6 6",
                "      main 6 6",
                "  main 3 3"
            ]
        );
        assert!(tree(&malloc, false).is_empty());
    }

    fn named(function: &str, line: u32) -> Point {
        Point {
            function: function.to_owned(),
            line: Some(line),
            ..Point::default()
        }
    }

    fn drawn(sites: &Sites, tree: &Tree<'_>) -> Vec<String> {
        let mut lines = Vec::new();
        let mut left: Vec<(u32, usize)> = tree.roots.iter().rev().map(|&root| (root, 0)).collect();
        while let Some((index, depth)) = left.pop() {
            let node = &tree.nodes[index as usize];
            let name = match node.what {
                What::Point(point) => &sites.points.get(point).function,
                What::Called(function) => function,
            };
            lines.push(format!(
                "{}{name} {} {}",
                "  ".repeat(depth),
                node.sum,
                node.calls
            ));
            left.extend(node.children.iter().rev().map(|&child| (child, depth + 1)));
        }
        lines
    }

    #[test]
    fn sums_go_up_to_the_callers() {
        let sites = sites();
        let tree = Tree::new(&sites, |_, _| true, |site| site.calls);
        assert_eq!(tree.total, 10);
        assert_eq!(
            drawn(&sites, &tree),
            [
                "a.out+0x1 9 9",
                "  a.out+0x2 6 6",
                "    malloc 6 6",
                "  malloc 3 3",
                "malloc 1 1",
            ]
        );
        let tree = Tree::new(&sites, |index, _| index == 0, |site| 10 * site.calls);
        assert_eq!(drawn(&sites, &tree), ["a.out+0x1 30 3", "  malloc 30 3"]);
        let tree = Tree::new(&sites, |_, _| false, |site| site.calls);
        assert!(tree.nodes.is_empty() && tree.total == 0);
    }

    #[test]
    fn what_happens_in_libraries_of_languages_is_one_step() {
        let mut sites = sites();
        let mut whole = Tree::new(&sites, |_, _| true, |site| site.calls);
        assert_eq!(
            drawn(&sites, &whole.without_plumbing(&sites)),
            drawn(&sites, &whole)
        );
        let named = |name: &str| Point {
            function: name.to_owned(),
            ..Point::default()
        };
        // main → std::a → std::b → malloc, and std::a → malloc.
        let names = ["main", "std::a", "std::b"];
        let frame = |parent: Option<u32>, offset| Frame {
            parent,
            module: None,
            offset,
        };
        sites.stacks.frames = vec![frame(None, 0), frame(Some(0), 1), frame(Some(1), 2)];
        sites.points = Points::new(3);
        for (index, name) in (0..).zip(names) {
            sites.points.set(index, vec![named(name)]);
        }
        sites.stacks.sites[1].frame = Some(2);
        sites.stacks.sites[0].frame = Some(1);
        whole = Tree::new(&sites, |index, _| index < 2, |site| site.calls);
        assert_eq!(
            drawn(&sites, &whole),
            [
                "main 9 9",
                "  std::a 9 9",
                "    std::b 6 6",
                "      malloc 6 6",
                "    malloc 3 3"
            ]
        );
        let brief = whole.without_plumbing(&sites);
        assert_eq!(
            drawn(&sites, &brief),
            ["main 9 9", "  std::a 9 9", "    malloc 9 9"]
        );
        // What leads back into the program stays.
        sites.points = Points::new(3);
        for (index, name) in (0..).zip(["main", "std::a", "back"]) {
            sites.points.set(index, vec![named(name)]);
        }
        whole = Tree::new(&sites, |index, _| index < 2, |site| site.calls);
        assert_eq!(
            drawn(&sites, &whole.without_plumbing(&sites)),
            [
                "main 9 9",
                "  std::a 9 9",
                "    back 6 6",
                "      malloc 6 6",
                "    malloc 3 3"
            ]
        );
    }

    #[test]
    fn a_very_deep_stack_is_no_trouble() {
        let mut sites = sites();
        let mut process: Process = sample::report().processes.remove(0);
        let deep = |index: u32| Frame {
            parent: index.checked_sub(1),
            module: Some(0),
            offset: u64::from(index),
        };
        sites.stacks.frames = (0..300_000).map(deep).collect();
        sites.stacks.sites[0].frame = Some(299_999);
        sites.stacks.sites.truncate(1);
        process.stacks = Some(sites.stacks);
        let sites = Sites::of([&process], &[], Naming::Whole).expect("stacks");
        let tree = Tree::new(&sites, |_, _| true, |_| u64::MAX);
        assert_eq!((tree.nodes.len(), tree.nodes[0].sum), (300_001, u64::MAX));
    }
}
