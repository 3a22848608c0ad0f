//! The page around the data.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde::Serialize;

use crate::failure::Failure;

/// With a place for the title, the style, the data and the scripts.
const SHELL: &str = include_str!("page/shell.html");

const STYLES: [&str; 3] = [
    include_str!("vendor/tabulator.css"),
    include_str!("vendor/uplot.css"),
    include_str!("page/style.css"),
];

/// Each defines its name for all that follow.
const LIBRARIES: [&str; 4] = [
    include_str!("vendor/tabulator.js"),
    include_str!("vendor/uplot.js"),
    include_str!("vendor/d3.js"),
    include_str!("vendor/flamegraph.js"),
];

/// Scripts of all pages. They are put into one function with the page's own: a name is known to all of them, and to no library.
const OF_ALL_PAGES: [&str; 9] = [
    include_str!("page/elements.js"),
    include_str!("page/format.js"),
    include_str!("page/state.js"),
    include_str!("page/charts.js"),
    include_str!("page/levels.js"),
    include_str!("page/table.js"),
    include_str!("page/flame.js"),
    include_str!("page/stacks.js"),
    include_str!("page/shell.js"),
];

/// A kind of page.
pub struct Kind {
    /// The command line that makes it, and the one that shows the same as text.
    pub commands: [&'static str; 2],
    /// Its own scripts; the last of them opens the page.
    pub scripts: &'static [&'static str],
}

/// The page of a report.
pub const REPORT: Kind = Kind {
    commands: ["weir html", "weir report"],
    scripts: &[
        include_str!("page/subject.js"),
        include_str!("page/over_time.js"),
        include_str!("page/heat_map.js"),
        include_str!("page/looks.js"),
        include_str!("page/tables.js"),
        include_str!("page/function.js"),
        include_str!("page/sites.js"),
        include_str!("page/overview.js"),
        include_str!("page/main.js"),
    ],
};

/// The licences of the libraries.
const LICENCES: &str = include_str!("vendor/LICENSES.txt");

/// The whole page, with its data, which the scripts of its kind read.
pub fn page(kind: &Kind, data: &impl Serialize) -> Result<String, Failure> {
    let data =
        packed(data).map_err(|error| Failure::of_weir("cannot make the page").because(error))?;
    let scripts = OF_ALL_PAGES.iter().chain(kind.scripts);
    let scripts = Vec::from_iter(scripts.copied()).join("\n");
    let scripts = format!("'use strict';\n(() => {{\n{scripts}\n}})();");
    let mut script = String::new();
    for text in LIBRARIES.iter().copied().chain([scripts.as_str()]) {
        script += "<script nonce=\"weir\">";
        script += text;
        script += "</script>\n";
    }
    let mut page = String::with_capacity(SHELL.len() + data.len() + script.len() + (64 << 10));
    let mut rest = SHELL;
    let [command, as_text] = kind.commands;
    for (place, text) in [
        ("{{command}}", command),
        ("{{command}}", command),
        ("{{licences}}", LICENCES),
        ("{{style}}", &STYLES.join("\n")),
        ("{{as_text}}", as_text),
        ("{{data}}", &data),
        ("{{scripts}}", &script),
    ] {
        let (before, after) = rest.split_once(place).unwrap_or((rest, ""));
        page += before;
        page += text;
        rest = after;
    }
    Ok(page + rest)
}

/// JSON, compressed, as text that can stand in a page whatever is in it.
fn packed(data: &impl Serialize) -> io::Result<String> {
    let mut compressed = ZlibEncoder::new(Vec::new(), Compression::default());
    serde_json::to_writer(&mut compressed, data)?;
    compressed.flush()?;
    Ok(STANDARD.encode(compressed.finish()?))
}
