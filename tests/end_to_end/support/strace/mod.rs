//! The system calls of a program and its child processes, as strace sees them, by process image; and which of them
//! the program requested, itself or by stdio.
//!
//! strace also prints the stack of each call (`-k`). It shows which function of the C library the program called
//! (`stack`), and so whether that is an interposed function (`kinds`). All other calls are the C library's or the
//! dynamic linker's own.

mod kinds;
mod stack;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;
use std::process::Command;

use super::finish::finish;
use super::{Mode, Program, scratch};
pub use kinds::{moves, of_function};
use stack::Asker;
pub use stack::{BARE, LINKER};

/// Calls, failed calls and moved bytes, by kind.
pub type Sums = BTreeMap<&'static str, [u64; 3]>;

/// The kinds for reads from and writes to TCP sockets. Only their bytes are compared: the number of calls depends on
/// when the bytes come.
pub const TCP: [&str; 2] = ["read from TCP sockets", "written to TCP sockets"];

/// The file of a process's own memory maps. With a library more it is longer, and takes more calls to read. So reads
/// of it are not compared.
pub const OWN_MAPS: &str = "/proc/self/maps";

/// What one process image did.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Image {
    /// The executable's name.
    pub executable: String,
    /// Whether it began by fork.
    pub forked: bool,
    /// The calls that it made itself, and those that stdio made.
    pub asked: Sums,
    /// The calls that the C library and the dynamic linker made for themselves, by system call and by the function of
    /// the C library that the program had called. Calls about memory maps are left out.
    pub others: BTreeMap<(String, String), [u64; 3]>,
}

/// The system calls with which a process or a process image begins.
const STARTS: [&str; 6] = ["execve", "execveat", "clone", "clone3", "fork", "vfork"];

/// Runs a program under strace, in this folder. Returns all its process images.
pub fn images(program: &Program, folder: &Path) -> Vec<Image> {
    let mut names = kinds::system_calls();
    names.extend(STARTS);
    trace(program, folder, &names, &["-k"])
}

/// The same with only the calls that start a process or an image, and without stacks: for programs that have too many
/// of both.
pub fn starts(program: &Program, folder: &Path) -> Vec<Image> {
    trace(program, folder, &STARTS, &[])
}

/// Gives strace the program of a command, its arguments and its environment. The environment is the program's alone: it may have
/// Weir loaded, and strace shall not.
pub fn run_under(strace: &mut Command, program: &Command) {
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => strace.arg("-E").arg([name, value].join("=".as_ref())),
            None => strace.arg("-E").arg(name),
        };
    }
    strace.arg(program.get_program()).args(program.get_args());
}

fn trace(program: &Program, folder: &Path, names: &[&str], options: &[&str]) -> Vec<Image> {
    let traces = scratch();
    let plain = program.command(Mode::Plain, Path::new(""));
    // The question mark: if strace does not know a name, the program cannot have made that call.
    let names: Vec<String> = names.iter().map(|name| format!("?{name}")).collect();
    let mut strace = Command::new("strace");
    strace
        .args(["-ff", "-yy", "-qq", "-s", "0"])
        .args(options)
        .args(["-e", "signal=none", "-o"])
        .arg(traces.path().join("trace"))
        .arg(format!("--trace={}", names.join(",")))
        .arg(plain.get_program())
        .args(plain.get_args())
        .current_dir(folder);
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
    let (status, _, stderr) = finish(&mut strace, program.input());
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    let mut reader = Reader {
        tasks: HashMap::new(),
        images: Vec::new(),
    };
    for entry in fs::read_dir(traces.path()).expect("a folder of traces") {
        let path = entry.expect("an entry").path();
        let task = path
            .extension()
            .and_then(|task| task.to_str()?.parse().ok());
        let text = fs::read(&path).expect("a trace");
        let text = String::from_utf8_lossy(&text).into_owned();
        reader.tasks.insert(task.expect("trace.TASK"), text);
    }
    let children: Vec<u32> = reader
        .tasks
        .values()
        .flat_map(|text| started_by(text))
        .collect();
    let first = reader.tasks.keys().find(|task| !children.contains(task));
    let first = *first.expect("the first process");
    let start = reader.add(Image::default());
    reader.follow(first, start);
    reader.images.retain(|image| !image.executable.is_empty());
    reader.images
}

/// One system call: its name, its text, and the frames that led to it, innermost first.
struct Call<'t> {
    name: &'t str,
    line: &'t str,
    frames: Vec<&'t str>,
}

impl Call<'_> {
    /// The result. `None` if the call did not return.
    fn result(&self) -> Option<i64> {
        let (_, result) = self.line.rsplit_once(" = ")?;
        let word = result.split([' ', '<']).next()?;
        match word.strip_prefix("0x") {
            Some(address) => i64::from_str_radix(address, 16).ok(),
            None => word.parse().ok(),
        }
    }

    /// Whether it is about the process's own memory maps ([`OWN_MAPS`]).
    fn is_of_own_maps(&self) -> bool {
        let first = self.line.split(',').next().unwrap_or(self.line);
        first.contains("</proc/") && first.ends_with("/maps>")
    }

    /// The kind of bytes that it moved, if it is about a TCP socket.
    fn tcp(&self) -> Option<&'static str> {
        let (_, socket) = self.line.split_once('<')?;
        if !socket.starts_with("TCP") || self.line.find('<') > self.line.find(',') {
            return None;
        }
        match self.name {
            "read" | "readv" | "recvfrom" | "recvmsg" => Some(TCP[0]),
            "write" | "writev" | "sendto" | "sendmsg" => Some(TCP[1]),
            _ => None,
        }
    }

    /// Calls, failed calls and bytes of this single call.
    fn counts(&self, result: i64, moves: bool) -> [u64; 3] {
        let bytes = if moves { result.max(0) } else { 0 };
        [1, u64::from(result < 0), bytes.unsigned_abs()]
    }
}

fn add(sum: &mut [u64; 3], counts: [u64; 3]) {
    *sum = [0, 1, 2].map(|place| sum[place] + counts[place]);
}

fn calls(text: &str) -> Vec<Call<'_>> {
    let mut calls: Vec<Call<'_>> = Vec::new();
    for line in text.lines() {
        if let Some(frame) = line.strip_prefix(" > ") {
            if let Some(call) = calls.last_mut() {
                call.frames.push(frame);
            }
        } else if let Some((name, _)) = line.split_once('(') {
            calls.push(Call {
                name,
                line,
                frames: Vec::new(),
            });
        }
    }
    calls
}

fn is_start(name: &str) -> bool {
    matches!(name, "clone" | "clone3" | "fork" | "vfork")
}

fn started_by(text: &str) -> Vec<u32> {
    calls(text)
        .iter()
        .filter(|call| is_start(call.name))
        .filter_map(|call| u32::try_from(call.result()?).ok())
        .collect()
}

struct Reader {
    tasks: HashMap<u32, String>,
    images: Vec<Image>,
}

impl Reader {
    fn add(&mut self, image: Image) -> usize {
        self.images.push(image);
        self.images.len() - 1
    }

    /// Adds up the calls of a task, which begins in this image, and of all tasks that it starts.
    fn follow(&mut self, task: u32, mut image: usize) {
        // A task without a trace made none of these calls.
        let Some(text) = self.tasks.remove(&task) else {
            return;
        };
        for call in calls(&text) {
            let Some(result) = call.result() else {
                continue;
            };
            if call.name.starts_with("exec") && result == 0 {
                let path = call.line.split('"').nth(1).expect("a path");
                // A relative path is below a folder that the trace does not show. Only the last name of the path is
                // needed.
                let path = fs::canonicalize(path).unwrap_or_else(|_| path.into());
                let name = path
                    .file_name()
                    .expect("a name")
                    .to_string_lossy()
                    .into_owned();
                image = self.add(Image {
                    executable: name,
                    ..Image::default()
                });
            } else if is_start(call.name) && result > 0 {
                // A thread and a vforked child share the memory of their parent, and so its counters.
                let shares = call.line.contains("CLONE_VM") || call.name == "vfork";
                let begins = if shares {
                    image
                } else {
                    let executable = self.images[image].executable.clone();
                    self.add(Image {
                        executable,
                        forked: true,
                        ..Image::default()
                    })
                };
                self.follow(u32::try_from(result).expect("a pid"), begins);
            } else if !call.name.starts_with("exec") && !is_start(call.name) {
                self.images[image].count(&call, result);
            }
        }
    }
}

impl Image {
    fn count(&mut self, call: &Call<'_>, result: i64) {
        if call.name == "read" && call.is_of_own_maps() {
            return;
        }
        match stack::asker(call.name, &call.frames) {
            Asker::Function(kind) => {
                let counts = call.counts(result, kind.moves);
                add(self.asked.entry(kind.name).or_default(), counts);
                if let Some(tcp) = call.tcp() {
                    add(self.asked.entry(tcp).or_default(), [0, 0, counts[2]]);
                }
            }
            Asker::Other(function) if !kinds::is_of_maps(call.name) => {
                let place = (call.name.to_owned(), function.to_owned());
                add(
                    self.others.entry(place).or_default(),
                    call.counts(result, kinds::moves(call.name)),
                );
            }
            Asker::Other(_) => {}
        }
    }
}
