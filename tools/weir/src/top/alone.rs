//! `weir top`, which has the terminal to itself.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use libc::{SIGHUP, SIGINT, SIGTERM};

use super::keyboard::Keyboard;
use super::looking::Looking;
use super::screen::{Screen, Subject};
use super::watch::Watch;
use crate::failure::Failure;

/// Shows the processes until somebody quits.
pub fn show(watch: Watch, looking: Looking) -> Result<(), Failure> {
    let signal = Arc::new(AtomicUsize::new(0));
    for number in [SIGHUP, SIGINT, SIGTERM] {
        let registered = signal_hook::flag::register_usize(number, signal.clone(), number as usize);
        registered.map_err(failed)?;
    }
    let mut terminal = ratatui::try_init().map_err(failed)?;
    let mut screen = Screen::new(Subject::Programs, watch, looking);
    let input = io::stdin();
    let mut keyboard = Keyboard::new(input.as_fd());
    let mut goes_on = Ok(true);
    while signal.load(Ordering::Relaxed) == 0 && matches!(goes_on, Ok(true)) {
        goes_on = screen.turn(&mut terminal, &mut keyboard);
    }
    // Where the terminal is gone, that is said below, and nowhere else.
    let _ = ratatui::try_restore();
    if terminal.show_cursor().is_err() {
        std::mem::forget(terminal);
    }
    match signal.load(Ordering::Relaxed) {
        0 => goes_on.map(drop).map_err(failed),
        // The terminal is as it was: now as if weir had not taken it.
        number => {
            let _ = signal_hook::low_level::emulate_default_handler(number as libc::c_int);
            Ok(())
        }
    }
}

fn failed(error: io::Error) -> Failure {
    Failure::of_weir("cannot use the terminal")
        .because(error)
        .with_remedy("weir top --once prints one page")
}
