//! A flame graph as SVG: callers above what they call, as wide as the sums of what they led to.
//!
//! It is complete as a picture. In a browser a click on a box shows what it led to in the whole width, the mouse shows the numbers,
//! and functions can be searched for. Nothing is loaded from elsewhere.

use std::borrow::Cow;
use std::io::{self, Write};

use super::Profile;
use super::difference::Difference;
use super::layout::layout;
use crate::sites::{Choice, Tree, What};
use crate::{text, units};

/// Sizes in pixels.
const WIDTH: f64 = 1200.0;
const MARGIN: f64 = 10.0;
const HEAD: f64 = 48.0;
const FOOT: f64 = 40.0;
const ROW: f64 = 18.0;
/// What is narrower cannot be seen.
const NARROWEST: f64 = 0.25;
/// Of the font, about.
const CHARACTER: f64 = 7.3;
/// Higher pictures are hard to read, and some viewers refuse them.
const DEEPEST: usize = 1000;

const STYLE: &str = include_str!("flame/style.css");
const SCRIPT: &str = include_str!("flame/script.js");

/// A picture of one report.
pub fn write(profile: &Profile, choice: Choice, out: &mut dyn Write) -> io::Result<()> {
    let tree = profile.tree(choice);
    let sum = choice.metric.shown(profile.total(choice));
    let picture = Picture {
        title: profile.title(),
        aside: format!("{}: {sum}", choice.name()),
        tree: &tree,
        name: &|index| profile.name(tree.nodes[index as usize].what).to_owned(),
        class: &|index| kind(profile, tree.nodes[index as usize].what).to_owned(),
        note: &|index| note(profile, &tree, choice, index),
    };
    picture.draw(out)
}

/// A picture of what has changed from one report to another.
pub fn write_difference(difference: &Difference<'_>, out: &mut dyn Write) -> io::Result<()> {
    let tree = &difference.tree;
    let metric = difference.choice.metric;
    let name = |index: u32| match tree.nodes[index as usize].what {
        What::Called(name) => name.to_owned(),
        What::Point(_) => String::new(),
    };
    let change = |(before, after)| {
        let (sign, by) = match after >= before {
            true => ('+', after - before),
            false => ('-', before - after),
        };
        format!(
            "{} before, {} after: {sign}{}",
            metric.shown(before),
            metric.shown(after),
            metric.shown(by)
        )
    };
    let picture = Picture {
        title: difference.title.clone(),
        aside: format!(
            "{}: {}. Red: more than before, blue: less",
            difference.choice.name(),
            change(difference.totals())
        ),
        tree,
        name: &name,
        class: &|index| shade(difference.sums(index)).to_owned(),
        note: &|index| format!("{}\n{}", name(index), change(difference.sums(index))),
    };
    picture.draw(out)
}

/// The class of a box of a difference: how much of what both have is more, or less, than it was.
fn shade((before, after): (u64, u64)) -> &'static str {
    let all = before.saturating_add(after).max(1) as f64;
    let part = (after as f64 - before as f64) / all;
    match part {
        0.5.. => "grown much",
        0.05.. => "grown",
        -0.05.. => "same",
        -0.5.. => "shrunk",
        _ => "shrunk much",
    }
}

/// What is drawn.
struct Picture<'a> {
    title: String,
    /// What is summed, and the sum.
    aside: String,
    tree: &'a Tree<'a>,
    /// The name of a node.
    name: &'a dyn Fn(u32) -> String,
    /// The class of its box, by which it has its colour.
    class: &'a dyn Fn(u32) -> String,
    /// What is said of it.
    note: &'a dyn Fn(u32) -> String,
}

impl Picture<'_> {
    fn draw(&self, out: &mut dyn Write) -> io::Result<()> {
        let inner = WIDTH - 2.0 * MARGIN;
        let layout = layout(self.tree, NARROWEST / inner, DEEPEST);
        let height = HEAD + ROW * layout.depth as f64 + FOOT;
        let title = escaped(&self.title);
        writeln!(
            out,
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="12" role="img" data-margin="{MARGIN}" data-character="{CHARACTER}">
<title>{title}</title>
<style>{STYLE}</style>
<rect class="page" width="100%" height="100%"/>
<text class="title" x="{MARGIN}" y="20">{title}</text>
<text class="aside" x="{MARGIN}" y="38">{}</text>
<text id="search" class="aside button" x="{}" y="20" text-anchor="end">search</text>
<text id="reset" class="aside button" x="{}" y="38" text-anchor="end"/>
<g id="boxes">"#,
            escaped(&self.aside),
            WIDTH - MARGIN,
            WIDTH - MARGIN,
        )?;
        for place in &layout.places {
            let name = (self.name)(place.node);
            let name = text::printable(&name);
            let x = MARGIN + inner * place.start;
            let y = HEAD + ROW * place.depth as f64;
            let width = inner * place.width;
            let shown = shown(&name, width);
            let class = (self.class)(place.node);
            let note = (self.note)(place.node);
            writeln!(
                out,
                r#"<g class="{class}" data-x="{:.6}" data-w="{:.6}" data-d="{}"><title>{}</title><rect x="{x:.2}" y="{y}" width="{:.2}" height="{}" rx="1"/><text x="{:.2}" y="{}">{}</text></g>"#,
                place.start,
                place.width,
                place.depth,
                escaped(&note),
                (width - 0.4).max(0.1),
                ROW - 1.0,
                x + 3.0,
                y + 13.0,
                escaped(&shown),
            )?;
        }
        let foot = match layout.left_out {
            0 => String::new(),
            count => format!(
                "{} too narrow to be seen",
                text::counted(count, "box is", "boxes are")
            ),
        };
        writeln!(
            out,
            r#"</g>
<text id="hint" class="aside" x="{MARGIN}" y="{}">{}</text>
<script><![CDATA[
{SCRIPT}]]></script>
</svg>"#,
            height - 14.0,
            escaped(&foot)
        )
    }
}

/// The class of a box, by which it has its colour.
fn kind(profile: &Profile, what: What<'_>) -> &'static str {
    match what {
        What::Called(_) => "called",
        What::Point(point) => match profile.sites.points.get(point) {
            point if point.is_plumbing() => "library",
            point if !point.is_named => "nameless",
            _ => "own",
        },
    }
}

/// What is said of a box.
fn note(profile: &Profile, tree: &Tree<'_>, choice: Choice, index: u32) -> String {
    let node = &tree.nodes[index as usize];
    let share = units::share(node.sum, tree.total);
    let calls = text::counted(node.calls, "call", "calls");
    let name = text::printable(profile.name(node.what));
    let object = match node.what {
        What::Point(point) => text::printable(&profile.sites.points.get(point).path).into_owned(),
        What::Called(_) => String::new(),
    };
    let object = match object.is_empty() {
        true => object,
        false => format!("\n{object}"),
    };
    format!(
        "{name}\n{share}, {} in {calls}{object}",
        choice.metric.shown(node.sum)
    )
}

/// What of a name is in a box.
fn shown(name: &str, width: f64) -> String {
    let columns = ((width - 6.0) / CHARACTER).max(0.0) as usize;
    match columns {
        0..3 => String::new(),
        _ => crate::sites::shortened(name, columns),
    }
}

/// Text in XML.
fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return Cow::Borrowed(text);
    }
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let text = text.replace('>', "&gt;").replace('"', "&quot;");
    Cow::Owned(text.replace('\'', "&#39;"))
}
