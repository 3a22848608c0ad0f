//! The terminal, for a page beside a program that does not have it.
//!
//! There is one, as there is one for the whole process: who ends the page need not be who draws it. What gives it back allocates
//! nothing. Who draws holds no lock while the terminal takes nothing; who gives it back does not wait long for it.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{mem, ptr};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

use crate::exit_code;
use crate::failure::Failure;
use crate::text;

/// The screen that has no history.
const ENTER: &[u8] = b"\x1b[?1049h";
/// Plain letters, the screen from before, and the cursor.
const LEAVE: &[u8] = b"\x1b[0m\x1b[?1049l\x1b[?25h";
/// How long the terminal may take nothing before it is left as it is.
const PATIENCE: Duration = Duration::from_secs(1);
/// How soon who draws notices that there is nothing more to draw.
const TICK: Duration = Duration::from_millis(100);

static TERMINAL: Mutex<Terminal> = Mutex::new(Terminal {
    tty: None,
    before: None,
    is_suspended: false,
});

struct Terminal {
    /// None before it is opened, and after it is given back.
    tty: Option<File>,
    /// Its settings when it was taken. None while it is not.
    before: Option<Termios>,
    is_suspended: bool,
}

/// What came of an attempt to take the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is taken now.
    Now,
    /// It was taken already.
    Before,
    /// It is somebody else's at present.
    Not,
}

/// Opens the terminal from which weir was started. Returns it, to read keys; [`Page`] writes to it. Nothing waits in a call to it.
///
/// # Errors
/// There is none, weir is in the background, or a standard stream is a terminal: then it is the program's.
pub fn open() -> Result<File, Failure> {
    let refuse = |message: &str| {
        Failure::new(exit_code::USAGE, message.to_owned())
            .with_remedy("weir top shows the program from another terminal")
    };
    if let Some(message) = redirections() {
        return Err(Failure::new(exit_code::USAGE, message));
    }
    let mut options = File::options();
    options.read(true).write(true);
    let opened = options
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open("/dev/tty");
    let (tty, own) = opened
        .and_then(|tty| Ok((tty.try_clone()?, tty)))
        .map_err(|error| refuse("--live needs a terminal, and weir has none").because(error))?;
    if !is_in_foreground(&tty) {
        return Err(refuse(
            "--live needs the terminal, and weir runs in the background",
        ));
    }
    lock().tty = Some(own);
    Ok(tty)
}

/// What is wrong where a standard stream, which the program inherits, is a terminal.
fn redirections() -> Option<String> {
    let streams = [
        (io::stdin().is_terminal(), "input", "< /dev/null"),
        (io::stdout().is_terminal(), "output", "> out.txt"),
        (io::stderr().is_terminal(), "error", "2> err.txt"),
    ];
    let terminals = streams.iter().filter(|stream| stream.0);
    let (names, ways): (Vec<&str>, Vec<&str>) = terminals.map(|of| (of.1, of.2)).unzip();
    (!names.is_empty()).then(|| {
        format!(
            "--live has the terminal for its page, so standard {} of the program cannot be a terminal; redirect, for example: {}",
            text::list(&names),
            ways.join(" ")
        )
    })
}

/// Takes the terminal, where weir is in its foreground.
///
/// # Errors
/// Those of the terminal, which may be gone.
pub fn take() -> io::Result<Taken> {
    let mut terminal = lock();
    let Terminal {
        tty: Some(tty),
        before,
        is_suspended: false,
    } = &mut *terminal
    else {
        return Ok(Taken::Not);
    };
    if tcgetpgrp(&*tty)? != getpgrp() {
        return Ok(Taken::Not);
    }
    if before.is_some() {
        return Ok(Taken::Before);
    }
    let found = tcgetattr(&*tty)?;
    let mut raw = found.clone();
    raw.make_raw();
    // Ctrl-C and Ctrl-Z are the program's as ever, and take nothing away of what is being drawn.
    raw.local_modes |= LocalModes::ISIG | LocalModes::NOFLSH;
    tcsetattr(&*tty, OptionalActions::Now, &raw)?;
    *before = Some(found);
    drop(terminal);
    Page.write_all(ENTER)?;
    Ok(Taken::Now)
}

/// Gives the terminal back as it was until [`resume`] is called: weir is going to stop.
pub fn suspend() {
    let mut terminal = lock();
    terminal.is_suspended = true;
    terminal.leave();
}

/// Weir goes on.
pub fn resume() {
    lock().is_suspended = false;
}

/// Gives the terminal back as it was, for good.
pub fn give_back() {
    let mut terminal = lock();
    terminal.leave();
    terminal.tty = None;
}

impl Terminal {
    fn leave(&mut self) {
        if let (Some(tty), Some(before)) = (&self.tty, self.before.take()) {
            without_stops(|| {
                // Where it is gone, there is nothing to give back.
                let _ = put(tty, LEAVE);
                // Who has it now has set it.
                if is_in_foreground(tty) {
                    let _ = tcsetattr(tty, OptionalActions::Now, &before);
                }
            });
        }
    }
}

/// Writes all of it, if the terminal takes something now and then.
fn put(tty: &File, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::write(tty, bytes) {
            Ok(length) => bytes = &bytes[length..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if can_take(tty, PATIENCE) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether the terminal takes something within a time, or has an error to report.
fn can_take(tty: &File, time: Duration) -> bool {
    let mut awaited = [PollFd::new(tty, PollFlags::OUT)];
    poll(&mut awaited, Timespec::try_from(time).ok().as_ref()).is_ok_and(|ready| ready > 0)
}

/// Does something while the terminal cannot stop weir, as it does where a process of the background uses it: that fails instead.
pub fn without_stops<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: sets of this thread, which are made whole by `sigemptyset`.
    let before = unsafe {
        let (mut stops, mut before) = mem::zeroed();
        libc::sigemptyset(&mut stops);
        libc::sigaddset(&mut stops, libc::SIGTTIN);
        libc::sigaddset(&mut stops, libc::SIGTTOU);
        libc::pthread_sigmask(libc::SIG_BLOCK, &stops, &mut before);
        before
    };
    let done = work();
    // SAFETY: the set that the kernel gave.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &before, ptr::null_mut()) };
    done
}

fn is_in_foreground(tty: &File) -> bool {
    tcgetpgrp(tty).is_ok_and(|group| group == getpgrp())
}

/// What is written here is on the terminal, while it is taken. Else it goes nowhere.
#[derive(Clone, Copy, Debug)]
pub struct Page;

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            let mut terminal = lock();
            let Terminal {
                tty: Some(tty),
                before: Some(_),
                ..
            } = &mut *terminal
            else {
                return Ok(bytes.len());
            };
            match tty.write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                done => return done,
            }
            drop(terminal);
            std::thread::sleep(TICK);
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn lock() -> MutexGuard<'static, Terminal> {
    TERMINAL.lock().unwrap_or_else(PoisonError::into_inner)
}
