//! The programs that this process starts, noted in the region for `weir run`, which lists those that it never
//! hears of.
//!
//! A note is made before an exec, since nothing of ours comes after it, and after a posix_spawn. What the program
//! passes may not be there to be read: the kernel is asked first.

use std::ffi::{CStr, c_char, c_int};
use std::fmt::Write;
use std::mem::MaybeUninit;

use weir_record::region::Header;
use weir_record::starts::{NOT_PRELOADED, OUT_OF_REACH, PROGRAM_BYTES, Ticket};

use crate::{environment, follow, image, sys};

type Strings = *const *const c_char;

/// The program that is started.
#[derive(Clone, Copy)]
pub enum Program {
    /// At a path.
    Path(*const c_char),
    /// At a path, or under a name that is looked for in PATH.
    Searched(*const c_char),
    /// At a path that starts from a directory; at none, what the descriptor is of.
    At(c_int, *const c_char),
    /// What a descriptor is of.
    Open(c_int),
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
    pub fn withdraw(self) {
        self.header
            .starts
            .withdraw(self.ticket, self.pid, self.ticks);
    }
}

/// Notes that the calling process is about to execute a program; unless the process is sealed: then it cannot ask
/// whether there is anything to be read.
pub fn note_exec(header: &'static Header, program: Program, environment: Strings) -> Option<Note> {
    if !environment::get().has_session() || image::is_sealed() || !may_be_there(program) {
        return None;
    }
    let (pid, ticks) = (sys::pid(), sys::ticks());
    let flags = flags(environment);
    let mut text = Text::new();
    // SAFETY: the kernel has just read the path.
    unsafe { describe(program, &mut text) };
    let ticket = header.starts.note(pid, flags, ticks, [text.as_bytes()])?;
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
/// The program was started by this path, with this environment.
pub unsafe fn note_spawned(pid: u32, ticks: u64, program: Program, environment: Strings) {
    let Some(header) = image::header().filter(|_| environment::get().has_session()) else {
        return;
    };
    let mut text = Text::new();
    // SAFETY: the kernel has read the path.
    unsafe { describe(program, &mut text) };
    let flags = flags(environment);
    header.starts.note(pid, flags, ticks, [text.as_bytes()]);
}

/// Whether a path can be read, and leads anywhere: shells try one directory after the other.
fn may_be_there(program: Program) -> bool {
    let (path, is_whole) = match program {
        Program::Path(path) => (path, true),
        Program::Searched(path) | Program::At(_, path) => (path, false),
        Program::Open(_) => return true,
    };
    match sys::access(path, libc::F_OK) {
        -1 => false,
        libc::ENOENT | libc::ENOTDIR => !is_whole,
        _ => true,
    }
}

/// Whether the kernel will not execute a program, as far as can be told before: there is none, or it may not be. Shells try
/// one directory after the other, and so do others.
pub fn is_hopeless(program: Program) -> bool {
    let is_refused = |path| sys::access(path, libc::X_OK) != 0;
    match program {
        Program::Path(path) => is_refused(path),
        Program::Searched(name) => match sys::access(name, libc::F_OK) {
            // It cannot be read.
            -1 => true,
            // SAFETY: the kernel has just read it.
            _ => is_nowhere(unsafe { CStr::from_ptr(name) }, is_refused),
        },
        Program::At(..) | Program::Open(_) => false,
    }
}

/// Whether a name leads to nothing, in none of the directories in which the C library looks for it.
fn is_nowhere(name: &CStr, is_refused: impl Fn(*const c_char) -> bool) -> bool {
    if name.to_bytes().contains(&b'/') {
        return is_refused(name.as_ptr());
    }
    let Some(folders) = search_path() else {
        return false;
    };
    folders.split(|&byte| byte == b':').all(|folder| {
        let mut path = environment::Path::new();
        let fits = path.push(folder)
            && (folder.is_empty() || path.push(b"/"))
            && path.push(name.to_bytes());
        // What is too long for us may be short enough for the kernel.
        fits && is_refused(path.as_c_str().as_ptr())
    })
}

/// Where the C library looks for programs, if the environment says so.
fn search_path() -> Option<&'static [u8]> {
    unsafe extern "C" {
        static environ: Strings;
    }
    // SAFETY: a variable of the C library: NULL, or strings up to NULL, which the C library is about to read too.
    unsafe {
        let mut entries = environ;
        while let Some(&entry) = entries.as_ref().filter(|entry| !entry.is_null()) {
            if let Some(folders) = CStr::from_ptr(entry).to_bytes().strip_prefix(b"PATH=") {
                return Some(folders);
            }
            entries = entries.add(1);
        }
    }
    None
}

/// What keeps the program from being traced, as far as is known here.
fn flags(environment: Strings) -> u32 {
    if image::is_sealed() {
        return 0;
    }
    let not_preloaded = match follow::is_preloaded(environment) {
        Some(false) => NOT_PRELOADED,
        _ => 0,
    };
    let session = environment::get().session.as_c_str();
    let out_of_reach = match sys::access(session.as_ptr(), libc::W_OK | libc::X_OK) {
        libc::EACCES | libc::ENOENT | libc::ENOTDIR => OUT_OF_REACH,
        _ => 0,
    };
    not_preloaded | out_of_reach
}

/// Room for a path; the caller's stack may be small.
struct Text {
    bytes: [u8; PROGRAM_BYTES],
    length: usize,
}

impl Text {
    fn new() -> Text {
        Text {
            bytes: [0; PROGRAM_BYTES],
            length: 0,
        }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Appends what there is room for.
    fn push(&mut self, bytes: &[u8]) {
        let room = &mut self.bytes[self.length..];
        let length = bytes.len().min(room.len());
        room[..length].copy_from_slice(&bytes[..length]);
        self.length += length;
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

/// The program's path, from the root where that can be told.
///
/// # Safety
/// The path can be read.
unsafe fn describe(program: Program, text: &mut Text) {
    let (path, base) = match program {
        Program::Path(path) | Program::Searched(path) => (path, libc::AT_FDCWD),
        Program::At(dir, path) => (path, dir),
        Program::Open(fd) => return push_open(fd, text),
    };
    // SAFETY: as the caller promises.
    let path = unsafe { CStr::from_ptr(path) }.to_bytes();
    let is_name = matches!(program, Program::Searched(_)) && !path.contains(&b'/');
    let path = path.strip_prefix(b"./").unwrap_or(path);
    if !path.starts_with(b"/") && !is_name {
        if base == libc::AT_FDCWD {
            let mut buffer = [0; PROGRAM_BYTES];
            text.push(sys::working_directory(&mut buffer));
        } else {
            push_open(base, text);
        }
        if !path.is_empty() && !text.as_bytes().is_empty() {
            text.push(b"/");
        }
    }
    text.push(path);
}

/// The path of what a descriptor is of.
fn push_open(fd: c_int, text: &mut Text) {
    if image::is_sealed() {
        return;
    }
    let mut link = Text::new();
    let _ = write!(link, "/proc/self/fd/{fd}\0");
    let mut buffer = [MaybeUninit::uninit(); PROGRAM_BYTES];
    if let Ok(link) = CStr::from_bytes_until_nul(link.as_bytes()) {
        text.push(sys::read_link(link, &mut buffer));
    }
}
