//! `weir top`: what programs do while they run.
//!
//! ```text
//! target    which processes are meant
//! watch     copies of their regions, and what changed between two looks
//! tables    that as tables
//! grid      rows and columns, how they are sorted and written
//! looking   what of it is looked at, and the keys that change it
//! screen    what is drawn
//! keyboard  keys from the terminal
//! alone     `weir top`, which has the terminal to itself
//! of_run    `weir run --live`, beside a program
//! ```
//!
//! The programs notice nothing: their regions are read, as files are. The writer of a program's report goes on as before.

mod alone;
mod grid;
mod keyboard;
mod looking;
mod of_run;
mod screen;
mod tables;
mod target;
mod watch;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use crate::cli::TopArgs;
use crate::exit_code;
use crate::failure::Failure;
use crate::recover::lying;
use crate::{output, session, text};
use looking::{Looking, Tab};
pub use of_run::of_run;
use target::Target;
use watch::Watch;

/// How long a program may take to be found: its region has no name before.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two looks for it.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// Shows the programs until somebody quits, or once.
pub fn execute(args: &TopArgs) -> Result<(), Failure> {
    let has_terminal = io::stdout().is_terminal() && io::stdin().is_terminal();
    if !has_terminal && !args.once {
        let message = "weir top needs a terminal (--once prints one page, and needs none)";
        return Err(Failure::new(exit_code::USAGE, message));
    }
    let target = Target::of(args.program.as_deref());
    let mut watch = Watch::new(target, Box::new(lying_there));
    let patient_until = Instant::now() + PATIENCE;
    while !watch.look() {
        if Instant::now() > patient_until {
            return Err(watch.nothing());
        }
        thread::sleep(BETWEEN_LOOKS);
    }
    let mut looking = Looking::default();
    (looking.interval, looking.is_whole) = (args.interval, args.totals);
    if !args.once {
        return alone::show(watch, looking);
    }
    thread::sleep(args.interval);
    if !watch.look() {
        let failure = Failure::of_weir("the program ended before the interval was over");
        return Err(failure.with_remedy("weir report shows what it did"));
    }
    output::print(&page(&watch, &looking, output::width(args.width)))
}

/// The regions of all programs.
fn lying_there() -> Vec<PathBuf> {
    let directories = session::directories();
    let regions = directories.iter().flat_map(|of| lying::regions(of));
    regions.collect()
}

/// All tables, as text.
fn page(watch: &Watch, looking: &Looking, width: usize) -> String {
    let headline = watch.headline(looking.is_whole).join(text::SEPARATOR);
    let mut page = format!("{headline}: {}\n", looking.mode());
    for tab in Tab::ALL {
        let grid = tables::of_tab(tab, watch, looking.is_whole);
        let table = grid.table(&looking.of_tab(tab)).fitted(width);
        page += &format!("\n{}\n", tab.title());
        for line in table.lines(false) {
            page += &line;
            page.push('\n');
        }
    }
    page
}
