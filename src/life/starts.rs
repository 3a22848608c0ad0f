//! Notes of the programs that this process starts, in its region. `weir run` lists those from which it never gets a
//! region. Without `weir run`, the process's own report lists the programs that are known not to load Weir; then only
//! these are noted.
//!
//! A note is made before an exec, because no code of ours runs after it, and after a posix_spawn. The program's
//! arguments may be unreadable, so they are read through the kernel first.

use std::ffi::{CStr, c_int};
use std::fmt::Write;
use std::mem::MaybeUninit;

use weir_record::region::{Header, Section};
use weir_record::starts::{
    FAILED, FILTERED, LIBRARY_OUT_OF_REACH, MUST_BE_FIRST, NOT_PRELOADED, OTHER_LIBC,
    OTHER_MACHINE, OTHERS_PRELOADED, OUT_OF_REACH, PROGRAM_BYTES, STATIC, Ticket, UNKNOWN_PID,
};

use crate::life::programs::{Kind, Program};
use crate::memory::bytes::Bytes;
use crate::program_memory::with_text_after;
use crate::region::mapping;
use crate::sys::rooms;
use crate::{environment, process, sys};

/// A program that is about to be started, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// The program.
    pub program: Program,
    /// Its kind.
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
    /// No: its environment has no LD_PRELOAD.
    Lacking,
    /// No: its environment has an LD_PRELOAD that does not name the library.
    OfOthers,
    /// No: a seccomp filter could end it for the system calls of Weir's start.
    Filtered,
    /// No: the program could not read the library, so LD_PRELOAD does not name it.
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
    /// Withdraws the note after the exec has failed.
    pub fn withdraw(&self) {
        let (starts, _) = self.header.starts();
        if !starts.withdraw(self.ticket) {
            enter(self.header, self.pid, FAILED, self.ticks, b"");
        }
    }
}

/// Notes that the calling process is about to execute a program. The process is not sealed.
pub fn note_exec(header: &'static Header, start: &Start) -> Option<Note> {
    // Shells try one directory after the other.
    let is_nothing = matches!(start.kind, Kind::Unreadable | Kind::Missing);
    if is_nothing {
        return None;
    }
    let flags = Some(flags(start)).filter(is_worth_noting)?;
    let (pid, ticks) = (sys::pid(), sys::ticks());
    let ticket = note(header, pid, flags, ticks, start.program)?;
    Some(Note {
        header,
        ticket,
        pid,
        ticks,
    })
}

/// The same for a sealed process: makes no system call. So it does not know whether a path is readable that only the kernel
/// reads, and leaves it out. If the process id is not known, it notes only a program that will not load us: the reader could
/// not find out whether the image of another program has appeared.
pub fn note_exec_in_a_sandbox(header: &'static Header, start: &Start) -> Option<Note> {
    let flags = flags(start);
    let pid = process::known_pid(header).unwrap_or(UNKNOWN_PID);
    if !is_worth_noting(&flags) || (flags, pid) == (0, UNKNOWN_PID) {
        return None;
    }
    let ticks = sys::ticks();
    let program = match start.program {
        // SAFETY: the C library reads the name itself, before it makes a system call.
        Program::Searched(name) => unsafe { CStr::from_ptr(name) }.to_bytes(),
        _ => b"",
    };
    let ticket = enter(header, pid, flags, ticks, program)?;
    Some(Note {
        header,
        ticket,
        pid,
        ticks,
    })
}

/// Notes that a program was started in a process of its own. `ticks` is the time before that, in ticks of
/// [`weir_record::clock`].
///
/// # Safety
/// The program was started by this path.
pub unsafe fn note_spawned(pid: u32, ticks: u64, start: &Start) {
    let flags = flags(start);
    let Some(header) = process::header().filter(|_| is_worth_noting(&flags)) else {
        return;
    };
    note(header, pid, flags, ticks, start.program);
}

/// Notes a program, of whose path the kernel has just read what can be read. A program without a note is counted.
fn note(header: &Header, pid: u32, flags: u32, ticks: u64, program: Program) -> Option<Ticket> {
    // In a sandbox this works on the thread's stack, which may be small.
    let entered = rooms::with_room_if_possible(|text: *mut Text| {
        // SAFETY: the room is ours, and all zeroes, which are an empty text.
        let text = unsafe { &mut *text };
        describe(program, text);
        enter(header, pid, flags, ticks, text.as_bytes())
    });
    if entered.is_none() {
        header.unlisted_starts.add_shared(1);
    }
    entered.flatten()
}

/// The same for a program with this path. Makes memory for the note if there is none.
fn enter(header: &Header, pid: u32, flags: u32, ticks: u64, path: &[u8]) -> Option<Ticket> {
    let sections = [Section::FirstStarts, Section::Starts];
    let ticket = sections.into_iter().find_map(|section| {
        mapping::make_section(header, section);
        let (starts, room) = header.starts();
        starts.note(room, pid, flags, ticks, [path])
    });
    if ticket.is_none() {
        header.unlisted_starts.add_shared(1);
    }
    ticket
}

/// Whether the exec is known to fail: the file does not exist, or may not be executed. Shells and other programs try
/// one directory after the other.
pub fn is_hopeless(start: &Start) -> bool {
    match (start.kind, start.program) {
        (Kind::Unreadable | Kind::Missing, _) => true,
        // The functions that search PATH run such a file in a shell.
        (Kind::Formless, Program::Path(_) | Program::At(..) | Program::Open(_)) => true,
        (_, Program::Path(path)) => sys::access(path, libc::X_OK) != 0,
        _ => false,
    }
}

/// Whether a start with these flags is to be noted.
fn is_worth_noting(flags: &u32) -> bool {
    environment::get().has_session() || *flags != 0
}

/// Why the program will not be traced, as far as is known here.
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
        Preload::OfOthers => NOT_PRELOADED | OTHERS_PRELOADED,
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

/// Writes the program's path, from the root directory if that is known. Nothing where it cannot be read.
fn describe(program: Program, text: &mut Text) {
    let (path, base) = match program {
        Program::Path(path) | Program::Searched(path) => (path, libc::AT_FDCWD),
        Program::At(dir, path) => (path, dir),
        Program::Open(_) if sys::is_sealed() => return,
        Program::Open(fd) => return push_open(fd, text),
    };
    with_text_after(path, |path| {
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
    });
}

/// Writes the path of the directory from which relative paths start.
#[inline(never)]
fn push_directory(base: c_int, text: &mut Text) {
    if base != libc::AT_FDCWD {
        return push_open(base, text);
    }
    let mut buffer = [0; PROGRAM_BYTES];
    text.push_what_fits(sys::working_directory(&mut buffer));
}

/// Writes the path of a descriptor's file.
#[inline(never)]
fn push_open(fd: c_int, text: &mut Text) {
    let mut link = Text::new();
    let _ = write!(link, "/proc/self/fd/{fd}\0");
    let mut buffer = [MaybeUninit::uninit(); PROGRAM_BYTES];
    if let Ok(link) = CStr::from_bytes_until_nul(link.as_bytes()) {
        text.push_what_fits(sys::read_link(link, &mut buffer));
    }
}
