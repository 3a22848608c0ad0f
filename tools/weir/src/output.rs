//! Standard output: how wide it is, whether it takes colours, and what its failures mean. The terminal of standard error.

use std::ffi::OsStr;
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;

use rustix::io::Errno;

use crate::cli::ColorWhen;
use crate::failure::Failure;
use crate::inherited;

/// The width if no other is known.
const DEFAULT_WIDTH: usize = 80;
/// Less than this holds no table.
const MIN_WIDTH: usize = 40;

/// Writes all of the text. A reader that has seen enough, as `head` has, is no failure.
pub fn print(text: &str) -> Result<(), Failure> {
    print_bytes(text.as_bytes())
}

/// As [`print`], of what need not be text, such as a path.
pub fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    write(&|out| out.write_all(bytes))
}

/// Has `export` write to it, with the same failures as [`print`].
pub fn write(export: &dyn Fn(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    let written = match inherited::is_stdout_closed() {
        true => Err(Errno::BADF.into()),
        false => export(&mut out).and_then(|()| out.flush()),
    };
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::of_weir("cannot write to standard output").because(error))
        }
        _ => Ok(()),
    }
}

/// How many columns there are: as asked for, or as COLUMNS says, or as the terminal says — that of
/// standard error where standard output goes through a pager.
pub fn width(asked: Option<u16>) -> usize {
    let columns = || {
        std::env::var("COLUMNS")
            .ok()?
            .parse()
            .ok()
            .filter(|&columns| columns > 0)
    };
    let terminal = || columns_of(io::stdout()).or_else(|| columns_of(io::stderr()));
    let width = asked
        .or_else(columns)
        .or_else(terminal)
        .map_or(DEFAULT_WIDTH, usize::from);
    width.max(MIN_WIDTH)
}

/// Whether to colour.
pub fn is_coloured(when: ColorWhen) -> bool {
    is_coloured_on(when, io::stdout().is_terminal())
}

/// The columns of the terminal that standard error is, if it is one.
pub fn error_terminal() -> Option<usize> {
    columns_of(io::stderr()).map(usize::from)
}

/// The columns of a terminal, also of one that does not say how many rows it has. None where it is no terminal, or does not say.
fn columns_of(stream: impl AsFd) -> Option<u16> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    (size.ws_col > 0).then_some(size.ws_col)
}

/// Whether to colour what goes to standard error.
pub fn is_error_coloured() -> bool {
    is_coloured_on(ColorWhen::Auto, io::stderr().is_terminal())
}

fn is_coloured_on(when: ColorWhen, on_terminal: bool) -> bool {
    let variable = |name| std::env::var_os(name);
    coloured(
        when,
        on_terminal,
        variable("NO_COLOR").as_deref(),
        variable("TERM").as_deref(),
    )
}

fn coloured(
    when: ColorWhen,
    on_terminal: bool,
    no_color: Option<&OsStr>,
    term: Option<&OsStr>,
) -> bool {
    match when {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        // https://no-color.org: set to anything but the empty string.
        ColorWhen::Auto => {
            on_terminal && no_color.is_none_or(OsStr::is_empty) && term != Some(OsStr::new("dumb"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_for_terminals_that_do_not_object() {
        let (one, empty, dumb) = (
            Some(OsStr::new("1")),
            Some(OsStr::new("")),
            Some(OsStr::new("dumb")),
        );
        assert!(coloured(
            ColorWhen::Auto,
            true,
            None,
            Some(OsStr::new("xterm"))
        ));
        assert!(coloured(ColorWhen::Auto, true, empty, None));
        assert!(!coloured(ColorWhen::Auto, true, one, None));
        assert!(!coloured(ColorWhen::Auto, true, None, dumb));
        assert!(!coloured(ColorWhen::Auto, false, None, None));
        assert!(coloured(ColorWhen::Always, false, one, dumb));
        assert!(!coloured(ColorWhen::Never, true, None, None));
    }

    #[test]
    fn the_width_asked_for_goes_before_all_else() {
        assert_eq!(width(Some(123)), 123);
    }
}
