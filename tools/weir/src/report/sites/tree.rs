//! The sums along the stacks, callers above what they call.
//!
//! Only where a function calls several others the lines are indented: most stacks are deep, and few of their functions do.

use weir_report::model::Site;

use super::super::page::Page;
use super::{Around, Options, Part};
use crate::cli::Group;
use crate::sites::{Node, Sites, Tree, What, shortened};
use crate::{text, units};

/// Columns of the sums: a share and a size or a time, with gaps.
const SUMS: usize = 6 + 2 + 10 + 2;
/// Of what is left, at most this part is for lines of the tree.
const LINES: usize = 3;

pub fn show(page: &mut Page, sites: &Sites, wanted: &[bool], part: &Part, options: &Options) {
    let of_part = |index: usize, function: &str| wanted[index] && Group::of(function) == part.group;
    let mut tree = Tree::new(
        sites,
        |index, site| of_part(index, &site.function),
        |site| part.metric.of(site),
    );
    if !options.all_frames {
        tree = tree.without_plumbing(sites);
    }
    let name = format!("{} from caller to callee", part.title());
    page.heading(&name, &format!("by {}", part.metric.words()));
    Drawing::new(sites, &tree, part, options).draw(page);
}

/// Two trees: what calls a centre, and what it calls.
pub fn show_around(
    page: &mut Page,
    sites: &Sites,
    wanted: &[bool],
    part: &Part,
    options: &Options,
    around: &Around<'_>,
) {
    let wanted =
        |index: usize, site: &Site| wanted[index] && Group::of(&site.function) == part.group;
    let of = |site: &Site| part.metric.of(site);
    let (name, by) = (part.title(), format!("by {}", part.metric.words()));
    let centre = text::printable(around.pattern);

    let callers = Tree::of_callers(sites, &around.centres, wanted, of);
    page.heading(&format!("{name}: callers of {centre}"), &by);
    let mut drawing = Drawing::new(sites, &callers, part, options);
    drawing.is_upwards = true;
    drawing.draw(page);

    let mut callees = Tree::of_callees(sites, &around.centres, wanted, of);
    if callees.total == 0 {
        return;
    }
    if !options.all_frames {
        callees = callees.without_plumbing(sites);
    }
    page.heading(&format!("{name}: callees of {centre}"), &by);
    Drawing::new(sites, &callees, part, options).draw(page);
}

/// A tree on a page.
struct Drawing<'a> {
    sites: &'a Sites,
    tree: &'a Tree<'a>,
    part: &'a Part,
    all_frames: bool,
    /// Whether callers are below what they call.
    is_upwards: bool,
    /// What is less is folded.
    least: f64,
}

/// A branch that is yet to be drawn, and what stands before its first line, and before the others.
struct Branch {
    node: u32,
    first: String,
    others: String,
}

impl<'a> Drawing<'a> {
    fn new(sites: &'a Sites, tree: &'a Tree<'a>, part: &'a Part, options: &Options) -> Drawing<'a> {
        Drawing {
            sites,
            tree,
            part,
            all_frames: options.all_frames,
            is_upwards: false,
            least: part.kept as f64 * options.fold,
        }
    }

    fn draw(&self, page: &mut Page) {
        let mut left = Vec::new();
        self.push(&mut left, &self.tree.roots, None);
        while let Some(branch) = left.pop() {
            let last = self.chain(page, &branch);
            let children = &self.node(last).children;
            self.push(&mut left, children, Some((&branch.others, page.room())));
        }
        if let Some(remark) = self.folded() {
            page.remark(&remark);
        }
    }

    /// Puts branches where they are taken from next, so that they come in order.
    fn push(&self, left: &mut Vec<Branch>, nodes: &[u32], under: Option<(&str, usize)>) {
        let shown = nodes.iter().copied().filter(|&node| self.is_shown(node));
        let shown: Vec<u32> = shown.collect();
        for (place, &node) in shown.iter().enumerate().rev() {
            let is_last = place + 1 == shown.len();
            let (first, others) = match under {
                None => (String::new(), String::new()),
                // Deeper than this, a branch is as far to the right as the one that it is of.
                Some((before, room))
                    if text::width(before) + 2 > room.saturating_sub(SUMS) / LINES =>
                {
                    (before.to_owned(), before.to_owned())
                }
                Some((before, _)) if is_last => (format!("{before}└ "), format!("{before}  ")),
                Some((before, _)) => (format!("{before}├ "), format!("{before}│ ")),
            };
            left.push(Branch {
                node,
                first,
                others,
            });
        }
    }

    /// Draws a node, and what it calls for as long as that is one function only. The last one that was drawn.
    fn chain(&self, page: &mut Page, branch: &Branch) -> u32 {
        let mut index = branch.node;
        let mut before = &branch.first;
        let mut above = None;
        loop {
            let mut last = index;
            let mut repeated = 1;
            // A function that calls itself from the same line is one line.
            while let Some(child) = self.only_child(last)
                && self.is_same(child, index)
            {
                last = child;
                repeated += 1;
            }
            let child = self.only_child(last);
            let called = child.filter(|&child| self.node(child).sum == self.node(last).sum);
            let called = called.and_then(|child| match self.node(child).what {
                What::Called(function) => Some((child, function)),
                What::Point(_) => None,
            });
            let own = self.node(index).sum;
            let shown = self.sums(own);
            let line = Line {
                before,
                sums: Some(shown.clone()).filter(|_| above.as_ref() != Some(&shown)),
                what: self.node(index).what,
                is_root: self.node(index).parent.is_none(),
                repeated,
                called: called.map(|(_, function)| function),
            };
            self.line(page, &line);
            (before, above) = (&branch.others, Some(shown));
            match (called, child) {
                (Some((child, _)), _) => return child,
                (None, Some(child)) => index = child,
                (None, None) => return last,
            }
        }
    }

    /// What a node calls, if only one of that is shown.
    fn only_child(&self, index: u32) -> Option<u32> {
        let children = self.node(index).children.iter().copied();
        let mut shown = children.filter(|&child| self.is_shown(child));
        shown.next().filter(|_| shown.next().is_none())
    }

    fn is_same(&self, index: u32, other: u32) -> bool {
        let what = self.node(index).what;
        matches!(what, What::Point(_)) && what == self.node(other).what
    }

    fn is_shown(&self, index: u32) -> bool {
        self.node(index).sum as f64 >= self.least
    }

    fn node(&self, index: u32) -> &Node<'_> {
        &self.tree.nodes[index as usize]
    }

    /// What is said of branches that are not shown.
    fn folded(&self) -> Option<String> {
        let (mut count, mut sum) = (0, 0_u64);
        for (index, node) in (0..).zip(&self.tree.nodes) {
            let is_caller_shown = node.parent.is_none_or(|parent| self.is_shown(parent));
            if is_caller_shown && !self.is_shown(index) {
                count += 1;
                sum = sum.saturating_add(node.sum);
            }
        }
        let branches = text::counted(count, "branch", "branches");
        let least = units::share(self.least as u64, self.part.total);
        let sum = units::share(sum, self.part.total);
        (count > 0).then(|| format!("folded: {branches} of less than {least}, {sum} in all"))
    }

    /// The columns of a sum.
    fn sums(&self, sum: u64) -> String {
        let share = units::share(sum, self.part.total);
        format!("{share:>6}  {:>10}  ", self.part.metric.shown(sum))
    }

    fn line(&self, page: &mut Page, line: &Line<'_>) {
        let sums = line.sums.clone().unwrap_or_else(|| " ".repeat(SUMS));
        let room = page
            .room()
            .saturating_sub(text::width(&sums) + text::width(line.before));
        let mut notes = String::new();
        let name = match line.what {
            What::Called(function) if line.is_root && !self.is_upwards => {
                notes += &format!("→ {}", text::printable(function));
                "(no stack)".into()
            }
            What::Called(function) => text::printable(function),
            What::Point(point) => {
                let point = self.sites.points.get(point);
                // All lines of the centre are one.
                let has_place = !(self.is_upwards && line.is_root);
                if has_place && (self.all_frames || !point.is_plumbing()) {
                    notes += &text::printable(&point.place());
                    notes += if point.is_inlined { " inlined" } else { "" };
                }
                text::printable(&point.function)
            }
        };
        if line.repeated > 1 {
            notes += &format!(" ×{}", units::count(line.repeated));
        }
        if let Some(called) = line.called {
            notes += &format!(" → {}", text::printable(called));
        }
        let gap = if notes.is_empty() { "" } else { "  " };
        // At least half of the room is the name's, if it wants so much.
        let most = room - text::width(&name).min(room / 2) - gap.len().min(room / 2);
        let notes = text::cut_front(notes.trim_start(), most).into_owned();
        let name = shortened(&name, room.saturating_sub(text::width(&notes) + gap.len()));
        let (before, notes) = (page.dim(line.before), page.dim(&notes));
        page.styled_line(format!("{sums}{before}{name}{gap}{notes}").trim_end());
    }
}

/// A line of a tree.
struct Line<'a> {
    before: &'a str,
    /// The columns of the sum, unless the line above has the same.
    sums: Option<String>,
    what: What<'a>,
    is_root: bool,
    /// How often the function calls itself.
    repeated: u64,
    /// What it calls in the end, where it does nothing else.
    called: Option<&'a str>,
}
