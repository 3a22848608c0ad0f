//! Who made a system call, by the stack that led to it.

use std::process::Command;
use std::sync::OnceLock;

use super::kinds::{self, Kind};

/// Who made a system call.
pub enum Asker {
    /// The program, or stdio for it: by a call of an interposed function, of this kind.
    Function(&'static Kind),
    /// The C library for itself, in this function of it; or code that makes system calls without it.
    Other(&'static str),
}

/// The dynamic linker, as an asker.
pub const LINKER: &str = "ld.so";
/// Code that makes system calls by itself.
pub const BARE: &str = "a bare system call";
/// The C library without a call of the program: in a new thread, or in a child that it made.
const NOBODY: &str = "-";

struct Frame<'s> {
    object: &'s str,
    /// The nearest symbol before the address, which may be another function's.
    near: &'s str,
    address: u64,
}

impl<'s> Frame<'s> {
    /// `OBJECT(SYMBOL+0xOFFSET) [0xADDRESS]`
    fn of(line: &'s str) -> Option<Frame<'s>> {
        let (object, rest) = line.rsplit_once('(')?;
        let (near, rest) = rest.split_once(')')?;
        let address = rest.trim().strip_prefix("[0x")?.strip_suffix(']')?;
        Some(Frame {
            object,
            near: near.split('+').next()?,
            address: u64::from_str_radix(address, 16).ok()?,
        })
    }

    fn is_linker(&self) -> bool {
        self.object.ends_with("/ld-linux-x86-64.so.2")
    }

    fn is_libc(&self) -> bool {
        self.object.ends_with("/libc.so.6") || self.is_linker()
    }

    /// The names of the exported function that contains the address.
    fn names(&self) -> impl Iterator<Item = &'static str> {
        let in_libc = self.is_libc() && !self.is_linker();
        let within = move |symbol: &&Symbol| {
            in_libc && symbol.address < self.address && self.address <= symbol.end
        };
        exports().iter().filter(within).map(|symbol| &*symbol.name)
    }

    /// Whether it is a function for a stream of a file, exported or not. Or `fdopen`, which makes such a stream from
    /// a descriptor, and asks for the offset in its file.
    fn is_of_file(&self) -> bool {
        self.near.starts_with("_IO_file_")
            || self.near.starts_with("_IO_wfile_")
            || self.names().any(|name| name == "fdopen")
    }
}

struct Symbol {
    address: u64,
    end: u64,
    name: String,
}

/// The C library's exported functions.
fn exports() -> &'static [Symbol] {
    static EXPORTS: OnceLock<Vec<Symbol>> = OnceLock::new();
    EXPORTS.get_or_init(|| {
        let output = Command::new("nm")
            .args(["--dynamic", "--defined-only", "--print-size"])
            .arg("/lib/x86_64-linux-gnu/libc.so.6")
            .output()
            .expect("nm runs");
        let symbols = String::from_utf8_lossy(&output.stdout).into_owned();
        let number = |word| u64::from_str_radix(word, 16).expect("a number");
        symbols
            .lines()
            .filter_map(|line| {
                let [address, size, kind, name] = line.split_whitespace().collect::<Vec<_>>()[..]
                else {
                    return None;
                };
                "TtWwiI".contains(kind).then(|| Symbol {
                    address: number(address),
                    end: number(address) + number(size),
                    name: name.split('@').next().unwrap_or(name).to_owned(),
                })
            })
            .collect()
    })
}

/// Who made a system call. The frames led to it, innermost first.
///
/// The C library's frames up to the first of another object belong to one call of the program. The outermost of them
/// is the function that the program called, unless that function ended in a jump to the next.
pub fn asker(call: &str, lines: &[&str]) -> Asker {
    let frames: Vec<Frame<'_>> = lines.iter().filter_map(|line| Frame::of(line)).collect();
    let length = frames
        .iter()
        .position(|frame| !frame.is_libc())
        .unwrap_or(frames.len());
    let is_called = length < frames.len();
    let Some((outermost, _)) = frames[..length].split_last() else {
        return Asker::Other(BARE);
    };
    if frames[..length].iter().any(Frame::is_linker) {
        return Asker::Other(LINKER);
    }
    // stdio's functions that ask the kernel end in a jump to the wrapper, except for the one that writes.
    if frames[..length.min(2)].iter().any(Frame::is_of_file)
        && let Some(kind) = kinds::of_stdio(call)
    {
        return Asker::Function(kind);
    }
    // fopen ends in a jump to a function of the same source file; freopen does not.
    if is_called && length == 4 && frames[2].names().any(|name| name == "_IO_file_fopen") {
        return Asker::Function(kinds::of_function(kinds::FOPEN).expect("a kind"));
    }
    // mkstemp, mkdtemp and their kin end in a jump to a function that tries names.
    let is_local = |frame: &Frame<'_>| frame.names().next().is_none();
    if is_called && length > 1 && frames[1..length].iter().all(is_local) {
        let tries = match call {
            "openat" => Some("mkstemp"),
            "mkdir" => Some("mkdtemp"),
            _ => None,
        };
        if let Some(kind) = tries.and_then(kinds::of_function) {
            return Asker::Function(kind);
        }
    }
    // utimensat and futimens end in a jump to the same function.
    if is_called && length == 1 && call == "utimensat" && is_local(outermost) {
        return Asker::Function(kinds::of_function(call).expect("a kind"));
    }
    let kind = outermost
        .names()
        .find_map(|name| kinds::of_function(name).filter(|kind| kind.calls.contains(&call)));
    if let Some(kind) = kind.filter(|_| is_called) {
        return Asker::Function(kind);
    }
    let mut outwards = frames[..length].iter().rev();
    let known = outwards.find_map(|frame| frame.names().next());
    match known {
        Some(name) if is_called || name != "clone" => Asker::Other(name),
        _ => Asker::Other(NOBODY),
    }
}
