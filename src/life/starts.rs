//! The programs that this process starts, noted in the region: for `weir run`, which lists those that it never
//! hears of; else for the process's own report, which lists those that are known not to load us, and only these are noted.
//!
//! A note is made before an exec, since nothing of ours comes after it, and after a posix_spawn. What the program
//! passes may not be there to be read: the kernel is asked first.

use std::ffi::{CStr, c_int};
use std::fmt::Write;
use std::mem::MaybeUninit;

use weir_record::region::{Header, Section};
use weir_record::starts::{
    FAILED, FILTERED, LIBRARY_OUT_OF_REACH, MUST_BE_FIRST, NOT_PRELOADED, OTHER_LIBC,
    OTHER_MACHINE, OUT_OF_REACH, PROGRAM_BYTES, STATIC, Ticket,
};

use crate::life::programs::{Kind, Program};
use crate::memory::bytes::Bytes;
use crate::region::mapping;
use crate::sys::rooms;
use crate::{environment, process, sys};

/// What is about to be started, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// The program.
    pub program: Program,
    /// What it is like.
    pub kind: Kind,
    /// Whether it gets our library.
    pub preload: Preload,
}

impl Start {
    /// Whether the program will load our library, as far as is known.
    pub fn loads_us(&self) -> bool {
        self.preload == Preload::Given && matches!(self.kind, Kind::Dynamic | Kind::Unknown)
    }
}

/// Whether a program gets our library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preload {
    /// It does, or that is not known.
    Given,
    /// Its environment lacks it.
    Lacking,
    /// It does not: a filter could end it for what our start asks of the kernel.
    Filtered,
    /// The library cannot be read from where the program is started, and is not asked for.
    OutOfReach,
}

/// A note of a program that is about to be executed.
pub struct Note {
    header: &'static Header,
    ticket: Ticket,
    pid: u32,
    ticks: u64,
}

impl Note {
    /// It could not be.
    pub fn withdraw(&self) {
        let (starts, _) = self.header.starts();
        if !starts.withdraw(self.ticket) {
            // SAFETY: no program is named.
            unsafe { note(self.header, self.pid, FAILED, self.ticks, None) };
        }
    }
}

/// Notes that the calling process, which is not sealed, is about to execute a program: a sealed one cannot ask whether there is
/// anything to be read.
pub fn note_exec(header: &'static Header, start: &Start) -> Option<Note> {
    // Shells try one directory after the other.
    let is_nothing = matches!(start.kind, Kind::Unreadable | Kind::Missing);
    if is_nothing {
        return None;
    }
    let flags = Some(flags(start)).filter(is_worth_noting)?;
    let (pid, ticks) = (sys::pid(), sys::ticks());
    // SAFETY: the kernel has just read the path, where the program was looked at.
    let ticket = unsafe { note(header, pid, flags, ticks, Some(start.program)) }?;
    Some(Note {
        header,
        ticket,
        pid,
        ticks,
    })
}

/// Notes that a program was started in a process of its own, `ticks` being before that.
///
/// # Safety
/// The program was started by this path.
pub unsafe fn note_spawned(pid: u32, ticks: u64, start: &Start) {
    let flags = flags(start);
    let Some(header) = process::header().filter(|_| is_worth_noting(&flags)) else {
        return;
    };
    // SAFETY: the kernel has read the path.
    unsafe { note(header, pid, flags, ticks, Some(start.program)) };
}

/// Notes a program, in memory that is made for it where there is none; what there is no room for is counted.
///
/// # Safety
/// The program's path can be read.
unsafe fn note(
    header: &Header,
    pid: u32,
    flags: u32,
    ticks: u64,
    program: Option<Program>,
) -> Option<Ticket> {
    // In a sandbox this is on the thread's stack, which may be small.
    let ticket = rooms::with_room_if_possible(|text: *mut Text| {
        // SAFETY: the room is ours, and zeroed: an empty text.
        let text = unsafe { &mut *text };
        if let Some(program) = program {
            // SAFETY: as the caller promises.
            unsafe { describe(program, text) };
        }
        [Section::FirstStarts, Section::Starts]
            .into_iter()
            .find_map(|section| {
                mapping::make_section(header, section);
                let (starts, room) = header.starts();
                starts.note(room, pid, flags, ticks, [text.as_bytes()])
            })
    });
    let ticket = ticket.flatten();
    if ticket.is_none() {
        header.unlisted_starts.add_shared(1);
    }
    ticket
}

/// Whether the kernel will not execute a program, as far as can be told before: there is none, or it may not be. Shells try
/// one directory after the other, and so do others.
pub fn is_hopeless(start: &Start) -> bool {
    match (start.kind, start.program) {
        (Kind::Unreadable | Kind::Missing, _) => true,
        // What looks for a program has a shell run what has no form.
        (Kind::Formless, Program::Path(_)) => true,
        (_, Program::Path(path)) => sys::access(path, libc::X_OK) != 0,
        _ => false,
    }
}

/// Whether anybody wants to know of a start of which this is known.
fn is_worth_noting(flags: &u32) -> bool {
    environment::get().has_session() || *flags != 0
}

/// What keeps the program from being traced, as far as is known here.
fn flags(start: &Start) -> u32 {
    if sys::is_sealed() {
        return match start.preload {
            Preload::Filtered => FILTERED,
            _ => 0,
        };
    }
    let kind = match start.kind {
        Kind::OtherMachine => OTHER_MACHINE,
        Kind::OtherLibc => OTHER_LIBC,
        Kind::MustBeFirst => MUST_BE_FIRST,
        Kind::Static => STATIC,
        _ => 0,
    };
    let preload = match start.preload {
        Preload::Given => 0,
        Preload::Filtered => FILTERED,
        Preload::Lacking => NOT_PRELOADED,
        Preload::OutOfReach => LIBRARY_OUT_OF_REACH,
    };
    let environment = environment::get();
    if !environment.has_session() {
        return kind | preload;
    }
    let session = environment.session.as_c_str();
    let out_of_reach = match sys::access(session.as_ptr(), libc::W_OK | libc::X_OK) {
        libc::EACCES | libc::ENOENT | libc::ENOTDIR => OUT_OF_REACH,
        _ => 0,
    };
    kind | preload | out_of_reach
}

/// Room for a program's path.
type Text = Bytes<{ PROGRAM_BYTES + 1 }>;

/// The program's path, from the root where that can be told.
///
/// # Safety
/// The path can be read.
unsafe fn describe(program: Program, text: &mut Text) {
    let (path, base) = match program {
        Program::Path(path) | Program::Searched(path) => (path, libc::AT_FDCWD),
        Program::At(dir, path) => (path, dir),
        Program::Open(_) if sys::is_sealed() => return,
        Program::Open(fd) => return push_open(fd, text),
    };
    // SAFETY: as the caller promises.
    let path = unsafe { CStr::from_ptr(path) }.to_bytes();
    let is_name = matches!(program, Program::Searched(_)) && !path.contains(&b'/');
    let path = path.strip_prefix(b"./").unwrap_or(path);
    if !path.starts_with(b"/") && !is_name {
        if !sys::is_sealed() {
            push_directory(base, text);
        }
        if !path.is_empty() && !text.as_bytes().is_empty() {
            text.push_what_fits(b"/");
        }
    }
    text.push_what_fits(path);
}

/// The path of a directory that paths start from.
#[inline(never)]
fn push_directory(base: c_int, text: &mut Text) {
    if base != libc::AT_FDCWD {
        return push_open(base, text);
    }
    let mut buffer = [0; PROGRAM_BYTES];
    text.push_what_fits(sys::working_directory(&mut buffer));
}

/// The path of what a descriptor is of.
#[inline(never)]
fn push_open(fd: c_int, text: &mut Text) {
    let mut link = Text::new();
    let _ = write!(link, "/proc/self/fd/{fd}\0");
    let mut buffer = [MaybeUninit::uninit(); PROGRAM_BYTES];
    if let Ok(link) = CStr::from_bytes_until_nul(link.as_bytes()) {
        text.push_what_fits(sys::read_link(link, &mut buffer));
    }
}
