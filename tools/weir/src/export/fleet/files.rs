//! Files and sockets, and how long calls waited for them.

use parquet::errors::Result;
use weir_report::model::{FileUse, Spread};

use super::functions::cells;
use super::run::{Image, Run};
use super::writer::{Cell, Writer};
use crate::export::columns::Column;
use crate::export::tables;

/// The columns of the latencies of files.
pub const LATENCY: [Column; 6] = [
    Column::text("kind"),
    Column::text("name"),
    Column::text("part"),
    Column::number("ge_ns"),
    Column::number("lt_ns"),
    Column::number("n"),
];

/// The files and sockets of each image, by name.
pub fn files(run: &Run<'_>, to: &mut Writer) -> Result<()> {
    for (image, file) in by_name(run) {
        let row = tables::file(file);
        to.row(run.of_image(image).into_iter().chain(cells(&row)))?;
    }
    Ok(())
}

/// The parts of the calls that were measured in two.
pub fn latencies(run: &Run<'_>, to: &mut Writer) -> Result<()> {
    for (image, file) in by_name(run) {
        for (part, spread) in [("wait", &file.wait), ("transfer", &file.transfer)] {
            let classes = spread.iter().flat_map(|Spread { classes, .. }| classes);
            for class in classes {
                let file = [&file.kind, &file.name].map(|text| Cell::Text(text));
                let numbers = [class.from_ns, class.to_ns.saturating_add(1), class.calls];
                let row = run.of_image(image).into_iter().chain(file);
                let row = row.chain([Cell::Text(part)]);
                to.row(row.chain(numbers.map(Cell::from)))?;
            }
        }
    }
    Ok(())
}

fn by_name<'a>(run: &Run<'a>) -> Vec<(Image<'a>, &'a FileUse)> {
    let of_image = |&image: &Image<'a>| {
        let files = tables::all_files(&image.process.files);
        files.map(move |file| (image, file))
    };
    let mut files: Vec<_> = run.images.iter().flat_map(of_image).collect();
    files.sort_by_key(|(_, file)| (&file.kind, &file.name));
    files
}
