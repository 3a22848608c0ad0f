//! Where a picture's boxes are: a box is as wide as the sum of what it led to, and stands below that which called it.

use crate::sites::Tree;

/// A box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// The node of the tree.
    pub node: u32,
    /// How many callers are above it.
    pub depth: usize,
    /// Where it begins, as a part of the whole.
    pub start: f64,
    /// How wide it is, as a part of the whole.
    pub width: f64,
}

/// All boxes.
#[derive(Debug, Default)]
pub struct Layout {
    /// Those that can be seen, callers before what they call.
    pub places: Vec<Place>,
    /// How many stand below each other at most.
    pub depth: usize,
    /// How many are left out, because they are narrower than can be seen.
    pub left_out: u64,
}

/// Places the boxes of a tree that are not narrower than this part of the whole, and no deeper than so many.
pub fn layout(tree: &Tree<'_>, narrowest: f64, deepest: usize) -> Layout {
    let mut layout = Layout::default();
    let total = tree.total.max(1) as f64;
    let mut left = vec![(tree.roots.as_slice(), 0, 0.0)];
    while let Some((nodes, depth, mut start)) = left.pop() {
        for &node in nodes {
            let of = &tree.nodes[node as usize];
            let width = of.sum as f64 / total;
            // The greatest ones come first.
            if width < narrowest || depth >= deepest {
                layout.left_out += 1;
                continue;
            }
            layout.depth = layout.depth.max(depth + 1);
            layout.places.push(Place {
                node,
                depth,
                start,
                width,
            });
            left.push((&of.children, depth + 1, start));
            start += width;
        }
    }
    layout
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Group, Metric};
    use crate::export::tests::profile;
    use crate::sites::Choice;

    #[test]
    fn a_box_is_within_that_of_its_caller_and_beside_others() {
        let profile = profile();
        let tree = profile.tree(Choice {
            group: Group::Io,
            metric: Metric::Calls,
        });
        let layout = layout(&tree, 0.0, usize::MAX);
        assert_eq!(layout.places.len(), tree.nodes.len());
        assert_eq!(layout.left_out, 0);
        assert_eq!(layout.depth, 6);
        for place in &layout.places {
            let parent = tree.nodes[place.node as usize].parent;
            let mut others = layout.places.iter();
            let caller = others.find(|of| Some(of.node) == parent);
            if let Some(caller) = caller {
                assert_eq!(place.depth, caller.depth + 1);
                assert!(place.start >= caller.start - 1e-9);
                assert!(place.start + place.width <= caller.start + caller.width + 1e-9);
            }
            let overlaps = |other: &&Place| {
                other.node != place.node
                    && other.depth == place.depth
                    && other.start < place.start + place.width - 1e-9
                    && place.start < other.start + other.width - 1e-9
            };
            assert_eq!(layout.places.iter().find(overlaps), None);
        }
    }

    #[test]
    fn what_cannot_be_seen_is_left_out_and_counted() {
        let profile = profile();
        let tree = profile.tree(Choice {
            group: Group::Allocation,
            metric: Metric::Bytes,
        });
        let whole = layout(&tree, 0.0, usize::MAX);
        let wide = layout(&tree, 0.01, usize::MAX);
        assert!(wide.places.len() < whole.places.len());
        assert!(wide.left_out > 0);
        assert!(wide.places.iter().all(|place| place.width >= 0.01));
        assert_eq!(layout(&tree, 0.0, 3).depth, 3);
    }
}
