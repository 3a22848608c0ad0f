//! Stacks of interpreted code, in the place of the interpreter's own frames.

use weir_record::stacks::{Line, Node, Place};

/// A frame of two stacks that are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    /// Of the stack that was unwound.
    Native(Place),
    /// Of interpreted code.
    Interpreted(Line),
}

/// The frames of the stack that ends with the node `native`, from the outermost on, with those of the stack of interpreted code that ends
/// with the node `interpreted`.
///
/// Each frame of the interpreter's loop is replaced by the frames that it ran: from the innermost to the one that the interpreter was called
/// for. Frames that no loop is known for, where the stack is cut, are the outermost ones.
pub fn places(nodes: &[Node], native: usize, interpreted: usize) -> Vec<Joined> {
    let mut lines = chain(nodes, interpreted)
        .filter_map(|node| Some((node.line(), node.key().begins()?)))
        .peekable();
    let mut places = Vec::new();
    for node in chain(nodes, native).filter(|node| node.key().begins().is_none()) {
        let place = node.place();
        if !place.is_interpreter || lines.peek().is_none() {
            places.push(Joined::Native(place));
            continue;
        }
        for (line, begins) in lines.by_ref() {
            places.push(Joined::Interpreted(line));
            if begins {
                break;
            }
        }
    }
    places.extend(lines.map(|(line, _)| Joined::Interpreted(line)));
    places.reverse();
    places
}

/// The objects that the interpreter's frames of a stack are of.
pub fn interpreters(nodes: &[Node], native: usize) -> impl Iterator<Item = u32> {
    let places = chain(nodes, native).map(Node::place);
    places
        .filter(|place| place.is_interpreter)
        .filter_map(|place| place.module)
}

/// The nodes from one on, to the outermost. A damaged region may say that a node goes on from a later one.
fn chain(nodes: &[Node], innermost: usize) -> impl Iterator<Item = &Node> {
    let numbers = std::iter::successors(Some(innermost), |&number| {
        let parent = usize::try_from(nodes.get(number)?.parent()).ok()?;
        (parent < number).then_some(parent)
    });
    numbers
        .take_while(|&number| number != 0)
        .map_while(|number| nodes.get(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_record::stacks::Key;

    /// Nodes, each going on from the one before, but for those of the second list.
    struct Nodes(Vec<Node>);

    impl Nodes {
        fn new(native: &[(u64, bool)], interpreted: &[(u16, bool)]) -> Nodes {
            // SAFETY: nodes are made of atomics.
            let zeroed = || unsafe { std::mem::zeroed::<Node>() };
            let mut nodes = vec![zeroed()];
            for &(offset, is_interpreter) in native {
                let parent = nodes.len() as u32 - 1;
                let node = zeroed();
                let place = Place {
                    module: None,
                    offset,
                    is_interpreter,
                };
                node.begin(parent, Key::address(offset), place, false);
                nodes.push(node);
            }
            for (index, &(code, begins)) in interpreted.iter().enumerate() {
                let parent = if index == 0 {
                    0
                } else {
                    nodes.len() as u32 - 1
                };
                let node = zeroed();
                let line = Line { code, line: 7 };
                node.begin_interpreted(parent, Key::interpreted(code, 3, begins), line);
                nodes.push(node);
            }
            Nodes(nodes)
        }

        /// The offsets of native frames, and the numbers of interpreted ones, below zero.
        fn together(&self, native: usize) -> Vec<i64> {
            let places = places(&self.0, native, self.0.len() - 1);
            let number = |place: &Joined| match place {
                Joined::Native(place) => place.offset as i64,
                Joined::Interpreted(line) => -i64::from(line.code),
            };
            places.iter().map(number).collect()
        }
    }

    #[test]
    fn frames_of_the_loop_are_replaced_by_those_that_it_ran() {
        let native = [(1, false), (2, true), (3, false), (4, true), (5, false)];
        let interpreted = [
            (10, true),
            (11, false),
            (20, true),
            (21, false),
            (22, false),
        ];
        let nodes = Nodes::new(&native, &interpreted);
        assert_eq!(nodes.together(5), [1, -10, -11, 3, -20, -21, -22, 5]);
    }

    #[test]
    fn a_loop_that_runs_nothing_known_stays() {
        let nodes = Nodes::new(&[(1, true), (2, true)], &[(10, true)]);
        assert_eq!(nodes.together(2), [1, -10]);
    }

    #[test]
    fn what_a_cut_stack_has_no_loop_for_is_outermost() {
        let nodes = Nodes::new(&[(1, true), (2, false)], &[(10, true), (20, true)]);
        assert_eq!(nodes.together(2), [-10, -20, 2]);
    }
}
