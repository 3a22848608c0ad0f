//! The page around the data.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::data::Data;
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

/// The page's own scripts. They are put into one function: a name is known to all of them, and to no library.
const SCRIPTS: [&str; 11] = [
    include_str!("page/elements.js"),
    include_str!("page/format.js"),
    include_str!("page/state.js"),
    include_str!("page/charts.js"),
    include_str!("page/over_time.js"),
    include_str!("page/heat_map.js"),
    include_str!("page/tables.js"),
    include_str!("page/function.js"),
    include_str!("page/stacks.js"),
    include_str!("page/overview.js"),
    include_str!("page/main.js"),
];

/// The licences of the libraries.
const LICENCES: &str = include_str!("vendor/LICENSES.txt");

/// The whole page.
pub fn page(data: &Data) -> Result<String, Failure> {
    let data =
        packed(data).map_err(|error| Failure::of_weir("cannot make the page").because(error))?;
    let scripts = format!("'use strict';\n(() => {{\n{}\n}})();", SCRIPTS.join("\n"));
    let mut script = String::new();
    for text in LIBRARIES.iter().copied().chain([scripts.as_str()]) {
        script += "<script nonce=\"weir\">";
        script += text;
        script += "</script>\n";
    }
    let mut page = String::with_capacity(SHELL.len() + data.len() + script.len() + (64 << 10));
    let mut rest = SHELL;
    for (place, text) in [
        ("{{licences}}", LICENCES),
        ("{{style}}", &STYLES.join("\n")),
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
fn packed(data: &Data) -> io::Result<String> {
    let mut compressed = ZlibEncoder::new(Vec::new(), Compression::default());
    serde_json::to_writer(&mut compressed, data)?;
    compressed.flush()?;
    Ok(STANDARD.encode(compressed.finish()?))
}
