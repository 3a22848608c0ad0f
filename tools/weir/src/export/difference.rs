//! What two reports have of each function, by the way that led to it. Functions are the same where they have the same name.

use std::collections::HashMap;

use super::Profile;
use crate::sites::{Choice, Node, Tree, What};

/// Two reports, one after the other.
pub struct Difference<'a> {
    /// The functions of both. The sum of a node is that of both together, so that a box has room for what is gone.
    pub tree: Tree<'a>,
    /// For each node, what it had before.
    pub before: Vec<u64>,
    /// What was run, the second time.
    pub title: String,
    /// What is summed.
    pub choice: Choice,
}

impl Difference<'_> {
    /// The sums of a node: before, and after.
    pub fn sums(&self, node: u32) -> (u64, u64) {
        let before = self.before[node as usize];
        (
            before,
            self.tree.nodes[node as usize].sum.saturating_sub(before),
        )
    }

    /// The sums of all: before, and after.
    pub fn totals(&self) -> (u64, u64) {
        let roots = self.tree.roots.iter();
        roots.fold((0, 0), |(before, after), &root| {
            let sums = self.sums(root);
            (before.saturating_add(sums.0), after.saturating_add(sums.1))
        })
    }
}

/// The difference between two reports.
pub fn between<'a>(before: &'a Profile, after: &'a Profile, choice: Choice) -> Difference<'a> {
    let mut merged = Merged::default();
    merged.add(before, choice);
    let had = merged.nodes.iter().map(|node| node.sum).collect();
    merged.add(after, choice);
    let mut before: Vec<u64> = had;
    before.resize(merged.nodes.len(), 0);
    Difference {
        tree: Tree::of_nodes(merged.nodes),
        before,
        title: after.title(),
        choice,
    }
}

/// Nodes by the names on the way to them.
#[derive(Default)]
struct Merged<'a> {
    nodes: Vec<Node<'a>>,
    known: HashMap<(Option<u32>, &'a str), u32>,
}

impl<'a> Merged<'a> {
    fn add(&mut self, profile: &'a Profile, choice: Choice) {
        let tree = profile.tree(choice);
        let mut places: Vec<u32> = Vec::with_capacity(tree.nodes.len());
        // Callers come before what they call.
        for node in &tree.nodes {
            let parent = node.parent.map(|parent| places[parent as usize]);
            let name = profile.name(node.what);
            let next = self.nodes.len() as u32;
            let place = *self.known.entry((parent, name)).or_insert(next);
            if place == next {
                self.nodes.push(Node {
                    what: What::Called(name),
                    parent,
                    children: Vec::new(),
                    sum: 0,
                    calls: 0,
                });
            }
            let merged = &mut self.nodes[place as usize];
            merged.sum = merged.sum.saturating_add(node.sum);
            merged.calls = merged.calls.saturating_add(node.calls);
            places.push(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Group, Metric};
    use crate::export::tests::profile;

    const CHOICE: Choice = Choice {
        group: Group::Allocation,
        metric: Metric::Bytes,
    };

    #[test]
    fn a_report_does_not_differ_from_itself() {
        let (one, other) = (profile(), profile());
        let difference = between(&one, &other, CHOICE);
        let total = one.total(CHOICE);
        assert_eq!(difference.totals(), (total, total));
        assert_eq!(difference.tree.total, 2 * total);
        for node in 0..difference.tree.nodes.len() as u32 {
            let (before, after) = difference.sums(node);
            assert_eq!(before, after);
        }
    }

    #[test]
    fn what_is_new_and_what_is_gone_have_their_places() {
        let (before, mut after) = (profile(), profile());
        let sites = &mut after.sites.stacks.sites;
        let calloc = sites.iter_mut().find(|site| site.function == "calloc");
        calloc.expect("a site").requested_bytes = 0;
        let malloc = sites.iter_mut().find(|site| site.function == "malloc");
        malloc.expect("a site").requested_bytes += 1000;
        let difference = between(&before, &after, CHOICE);
        let of = |function: &str| {
            let nodes = (0..).zip(&difference.tree.nodes);
            let leaves = nodes.filter(|(_, node)| node.what == What::Called(function));
            leaves.fold((0, 0), |sum, (index, _)| {
                let sums = difference.sums(index);
                (sum.0 + sums.0, sum.1 + sums.1)
            })
        };
        assert_eq!(of("calloc"), (4_194_304, 0));
        let malloc = of("malloc");
        assert_eq!(malloc.1 - malloc.0, 1000);
        let (before, after) = difference.totals();
        assert_eq!(after, before + 1000 - 4_194_304);
    }
}
