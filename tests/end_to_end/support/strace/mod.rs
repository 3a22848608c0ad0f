//! The system calls of a program and of all that it starts, as strace sees them, by process image; and which
//! of them the program's own code asked for.
//!
//! strace also gives the stack of each call (`-k`). The innermost frame is the C library's wrapper. Where the
//! frame that called it is in the C library or the dynamic linker as well, the call was made inside libc: by
//! stdio to fill or flush a buffer, by the linker to load a library, by setlocale, and so on. No
//! interposed function was called for it, so it is not to be in the report. All others are.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;
use std::process::Command;

use super::program::finish;
use super::{Mode, Program, scratch};

/// Calls, failed calls and bytes moved, by what was asked of the kernel.
pub type Sums = BTreeMap<&'static str, [u64; 3]>;

/// What one process image did.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Image {
    /// The executable's name.
    pub executable: String,
    /// Whether it began by fork.
    pub forked: bool,
    /// What its own code asked for.
    pub own: Sums,
    /// What was asked for inside the C library and the dynamic linker.
    pub inside_libc: Sums,
}

/// What is compared: the system call, what it is called here, whether it returns bytes moved.
const CALLS: [(&str, &str, bool); 17] = [
    ("read", "read", true),
    ("pread64", "pread64", true),
    ("readv", "readv", true),
    ("preadv", "preadv", true),
    ("preadv2", "preadv", true),
    ("write", "write", true),
    ("pwrite64", "pwrite64", true),
    ("writev", "writev", true),
    ("pwritev", "pwritev", true),
    ("pwritev2", "pwritev", true),
    ("openat", "open", false),
    ("open", "open", false),
    ("creat", "open", false),
    ("close", "close", false),
    ("lseek", "lseek", false),
    ("fsync", "fsync", false),
    ("fdatasync", "fdatasync", false),
];

/// Under which name of [`CALLS`] the calls of an interposed function go.
pub fn kind_of(function: &str) -> Option<&'static str> {
    Some(match function {
        "read" | "__read_chk" => "read",
        "pread" | "pread64" | "__pread_chk" | "__pread64_chk" => "pread64",
        "readv" => "readv",
        "preadv" | "preadv64" | "preadv2" | "preadv64v2" => "preadv",
        "write" => "write",
        "pwrite" | "pwrite64" => "pwrite64",
        "writev" => "writev",
        "pwritev" | "pwritev64" | "pwritev2" | "pwritev64v2" => "pwritev",
        "open" | "open64" | "__open_2" | "__open64_2" | "openat" | "openat64" | "__openat_2"
        | "__openat64_2" | "creat" | "creat64" => "open",
        "close" => "close",
        "lseek" | "lseek64" => "lseek",
        "fsync" => "fsync",
        "fdatasync" => "fdatasync",
        _ => return None,
    })
}

/// Runs a program under strace, in this folder; every process image of it.
pub fn images(program: &Program, folder: &Path) -> Vec<Image> {
    let traces = scratch();
    let plain = program.command(Mode::Plain, Path::new(""));
    let mut names: Vec<&str> = CALLS.iter().map(|call| call.0).collect();
    names.extend(["execve", "execveat", "clone", "clone3", "fork", "vfork"]);
    let mut strace = Command::new("strace");
    strace
        .args(["-ff", "-k", "-qq", "-s", "0", "-e", "signal=none", "-o"])
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
    /// What it returned; none where it did not return.
    fn result(&self) -> Option<i64> {
        let (_, result) = self.line.rsplit_once(" = ")?;
        result.split(' ').next()?.parse().ok()
    }

    /// Whether it was asked for by code outside the C library.
    fn is_own(&self) -> bool {
        let mut frames = self.frames.iter();
        // The wrapper, and what fortified programs call, which jumps or calls on to it.
        // libc's variants that are no cancellation points are for itself.
        let wrapper = |frame: &str| is_libc(frame) && !frame.contains("_nocancel+");
        let innermost = frames.next().is_some_and(|frame| wrapper(frame));
        let caller = frames.find(|frame| !frame.contains("_chk+") && !frame.contains("64_2+"));
        innermost && caller.is_some_and(|frame| !is_libc(frame))
    }
}

fn is_libc(frame: &str) -> bool {
    let object = frame.split('(').next().unwrap_or(frame);
    object.contains("/libc.so.6") || object.contains("/ld-linux-x86-64.so.2")
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

    /// Adds up the calls of a task, which begins in this image, and of all that it starts.
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
                let path = fs::canonicalize(path).expect("an executable");
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
                // A thread and a vforked child have the memory, and so the counters, of their parent.
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
            } else if let Some(&(_, kind, moves)) = CALLS.iter().find(|known| known.0 == call.name)
            {
                let image = &mut self.images[image];
                let own = call.is_own();
                let sums = if own {
                    &mut image.own
                } else {
                    &mut image.inside_libc
                };
                let sum = sums.entry(kind).or_default();
                sum[0] += 1;
                sum[1] += u64::from(result < 0);
                sum[2] += if moves {
                    result.max(0).unsigned_abs()
                } else {
                    0
                };
            }
        }
    }
}
