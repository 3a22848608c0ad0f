//! `weir run --live`: the processes of a run, beside the program, which does not have the terminal.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread;

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{Clear, ClearType};
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};
use rustix::termios::tcgetwinsize;

use super::keyboard::Keyboard;
use super::looking::Looking;
use super::screen::{Screen, Subject, TICK};
use super::target::Target;
use super::watch::Watch;
use crate::recover::lying;
use crate::run::live::Run;
use crate::terminal::{self, Page, Taken};

/// The size of a terminal that does not give its columns and rows.
const USUAL: (u16, u16) = (80, 24);

/// Shows a run until it is over, or somebody closes the page.
///
/// # Errors
/// Those of the terminal, which may be gone.
pub fn of_run(run: &Arc<Run>) -> io::Result<()> {
    let found = run.clone();
    let find = move || found.directories().flat_map(lying::within).collect();
    let watch = Watch::new(Target::All, Box::new(find));
    let mut screen = Screen::new(Subject::Run, watch, Looking::default());
    let mut drawn = None;
    let shown = show(run, &mut screen, &mut drawn);
    // What is drawn writes once more when it is dropped, and says on standard error that it could not.
    terminal::give_back();
    shown
}

fn show(run: &Run, screen: &mut Screen, drawn: &mut Option<Drawn>) -> io::Result<()> {
    let mut keyboard = Keyboard::new(run.tty.as_fd());
    while !run.is_over() {
        let taken = terminal::take()?;
        if taken == Taken::Not {
            *drawn = None;
            thread::sleep(TICK);
            continue;
        }
        let size = size(run)?;
        let before = drawn.take_if(|(of, _)| taken == Taken::Before && *of == size);
        let (_, page) = drawn.insert(match before {
            Some(before) => before,
            None => (size, empty(size)?),
        });
        match screen.turn(page, &mut keyboard) {
            Ok(true) => {}
            Ok(false) => break,
            // Another has got it meanwhile.
            Err(_) if terminal::take()? == Taken::Not => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The size of the terminal, and what is on it.
type Drawn = ((u16, u16), Terminal<CrosstermBackend<Page>>);

/// The whole of the terminal, on which nothing is.
fn empty((width, height): (u16, u16)) -> io::Result<Terminal<CrosstermBackend<Page>>> {
    execute!(Page, Clear(ClearType::All))?;
    let viewport = Viewport::Fixed(Rect::new(0, 0, width, height));
    Terminal::with_options(CrosstermBackend::new(Page), TerminalOptions { viewport })
}

/// Columns and rows. Asked of this terminal: crossterm would ask standard output, or another program.
fn size(run: &Run) -> io::Result<(u16, u16)> {
    let size = tcgetwinsize(&run.tty)?;
    Ok(match (size.ws_col, size.ws_row) {
        (0, _) | (_, 0) => USUAL,
        size => size,
    })
}
