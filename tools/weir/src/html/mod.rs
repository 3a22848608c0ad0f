//! `weir html`: a report as one page for browsers. The page of `weir diff` has the same frame, and shares what it can.
//!
//! ```text
//! data      what the page shows: the report, and the details of all processes and of each
//! details   findings, histograms, sums of a subject
//! sites     call sites, as the page wants them
//! document  the page around it: style, scripts, the data itself
//! page/     what runs in the browser
//! vendor/   libraries that run there, as their authors published them; vendor/fetch renews them
//! ```
//!
//! The page needs no network and no server: all is in the one file, and a policy in it forbids the browser to ask for more.

mod data;
mod details;
pub mod document;
pub mod sites;

use std::path::Path;

use crate::cli::{HtmlArgs, SiteArgs};
use crate::failure::Failure;
use crate::{export, overwrite, report};
use data::Data;

/// Makes the page.
pub fn execute(args: &HtmlArgs) -> Result<(), Failure> {
    overwrite::refuse(args.out.as_deref(), [&args.file])?;
    let report = report::load(&args.file)?;
    let name = args.file.file_name().unwrap_or(args.file.as_os_str());
    let name = match args.file == Path::new("-") {
        true => "standard input".into(),
        false => name.to_string_lossy(),
    };
    let asked = SiteArgs {
        native: args.native,
        suppressions: args.suppressions.clone(),
        debug_dir: args.debug_dir.clone(),
        ..SiteArgs::default()
    };
    let data = Data::of(report, &name, &asked, args.process)?;
    let page = document::page(&document::REPORT, &data)?;
    export::to_file(args.out.as_deref(), &|out| out.write_all(page.as_bytes()))
}
