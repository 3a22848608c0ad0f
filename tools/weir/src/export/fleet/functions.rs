//! Process images, and their functions, errors and latencies.

use std::collections::BTreeSet;

use parquet::errors::Result;
use serde_json::Value;
use weir_report::Ordered;
use weir_report::model::Function;

use super::run::{Image, Run};
use super::writer::{Cell, Writer};
use crate::export::columns::Column;
use crate::export::tables;

/// What the table of processes has beside the columns of the other formats.
pub const OF_PROCESS: [Column; 1] = [Column::number("started_unix_ns")];

/// The columns of the latencies of functions.
pub const LATENCY: [Column; 6] = [
    Column::text("function"),
    Column::text("part"),
    Column::number("significant_digits"),
    Column::number("ge_ns"),
    Column::number("lt_ns"),
    Column::number("n"),
];

/// The process images.
pub fn processes(run: &Run<'_>, to: &mut Writer) -> Result<()> {
    for &image in &run.images {
        let row = tables::process(image.process);
        let started = [image.process.started_unix_ns.into()];
        let cells = run.of_image(image).into_iter().chain(cells(&row));
        to.row(cells.chain(started))?;
    }
    Ok(())
}

/// The functions that were called.
pub fn functions(run: &Run<'_>, to: &mut Writer) -> Result<()> {
    for_each(run, |name, images| {
        for &(image, function) in images {
            let row = tables::function(name, function);
            to.row(run.of_image(image).into_iter().chain(cells(&row)))?;
        }
        Ok(())
    })
}

/// Their errors.
pub fn errors(run: &Run<'_>, to: &mut Writer) -> Result<()> {
    for_each(run, |name, images| {
        for &(image, function) in images {
            for row in tables::errors(name, function) {
                to.row(run.of_image(image).into_iter().chain(cells(&row)))?;
            }
        }
        Ok(())
    })
}

/// The classes of their histograms. Those of all images are the same, so they add up.
pub fn latencies(run: &Run<'_>, to: &mut Writer) -> Result<()> {
    let digits = Cell::from(u32::from(weir_report::SIGNIFICANT_DIGITS));
    for_each(run, |name, images| {
        let mut rows: Vec<(u64, &str, usize, u64, u64)> = Vec::new();
        for (place, (_, function)) in images.iter().enumerate() {
            for (part, latency) in tables::parts(function) {
                let ordered = Ordered::of(latency);
                let classes = ordered.iter().flat_map(Ordered::classes);
                rows.extend(classes.map(|(between, calls)| {
                    let end = between.end().saturating_add(1);
                    (*between.start(), part, place, end, calls)
                }));
            }
        }
        rows.sort_unstable();
        for (from, part, place, end, calls) in rows {
            let [run, pid, image] = run.of_image(images[place].0);
            let function = [run, pid, image, Cell::Text(name), Cell::Text(part), digits];
            let class = [from.into(), end.into(), calls.into()];
            to.row(function.into_iter().chain(class))?;
        }
        Ok(())
    })
}

/// Calls `f` with each function that was called, in alphabetical order, and the images that called it. So there are the
/// rows of one function in memory at a time.
fn for_each<'a>(
    run: &Run<'a>,
    mut f: impl FnMut(&str, &[(Image<'a>, &'a Function)]) -> Result<()>,
) -> Result<()> {
    let names = |image: &Image<'a>| image.process.functions.keys();
    let names: BTreeSet<&String> = run.images.iter().flat_map(names).collect();
    for name in names {
        let function = |&image: &Image<'a>| Some((image, image.process.functions.get(name)?));
        let images = run.images.iter().filter_map(function);
        let called: Vec<_> = images.filter(|(_, of)| of.calls > 0).collect();
        f(name, &called)?;
    }
    Ok(())
}

/// A row of another format.
pub fn cells(row: &[Value]) -> impl Iterator<Item = Cell<'_>> {
    row.iter().map(Cell::from)
}
