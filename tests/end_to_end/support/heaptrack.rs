//! The allocations of a program, as heaptrack sees them.
//!
//! heaptrack is a preloaded library too, written by others: it records every successful allocation with its
//! size and stack. It brings libstdc++ and libunwind with it; what these allocate is left out.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Mode, Program, scratch};

/// What was allocated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allocations {
    /// Calls that made a block: malloc, calloc, realloc and their like.
    pub calls: u64,
    /// Bytes that they were asked for.
    pub requested_bytes: u64,
    /// Blocks given back by free, and by realloc.
    pub freed: u64,
}

/// Runs a program under heaptrack, in this folder.
pub fn allocations(program: &Program, stdin: &Path, folder: &Path) -> Allocations {
    let records = scratch();
    let record = records.path().join("record");
    let plain = program.command(Mode::Plain, Path::new(""));
    let mut command = Command::new(plain.get_program());
    command
        .args(plain.get_args())
        .stdin(fs::File::open(stdin).expect("what it reads"))
        .current_dir(folder);
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    // As the script `heaptrack` does, less its compression of the record.
    command
        .env("LD_PRELOAD", "/usr/lib/heaptrack/libheaptrack_preload.so")
        .env("DUMP_HEAPTRACK_OUTPUT", &record);
    let output = command.output().expect("the program runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    read(&fs::read_to_string(&record).expect("heaptrack's record"))
}

/// An object in memory: its name, and where its segments are.
struct Object {
    name: String,
    segments: Vec<(u64, u64)>,
}

/// Reads a raw record: lines of `m` (a loaded object), `t` (a frame and the one that called it), `+` (size, frame,
/// block) and `-` (block); numbers are hexadecimal.
fn read(record: &str) -> Allocations {
    let mut sums = Allocations::default();
    let mut objects: Vec<Object> = Vec::new();
    let mut frames: Vec<u64> = vec![0];
    let mut brought_along = Vec::new();
    for line in record.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["m", _, "-"] => objects.clear(),
            ["m", _, name, base, ref segments @ ..] => {
                let base = hexadecimal(base);
                let segments = segments.chunks_exact(2);
                let segments = segments
                    .map(|pair| (base + hexadecimal(pair[0]), hexadecimal(pair[1])))
                    .collect();
                objects.push(Object {
                    name: name.to_owned(),
                    segments,
                });
            }
            ["t", address, _] => frames.push(hexadecimal(address)),
            ["+", size, frame, block] => {
                let caller = frames[usize::try_from(hexadecimal(frame)).expect("a frame")];
                let holds = |object: &&Object| {
                    object
                        .segments
                        .iter()
                        .any(|&(at, size)| (at..at + size).contains(&caller))
                };
                let object = objects.iter().find(holds).map_or("", |object| &object.name);
                if ["libstdc++", "libunwind", "libheaptrack"]
                    .iter()
                    .any(|part| object.contains(part))
                {
                    brought_along.push(block);
                } else {
                    sums.calls += 1;
                    sums.requested_bytes += hexadecimal(size);
                }
            }
            ["-", block] => sums.freed += u64::from(!brought_along.contains(&block)),
            _ => (),
        }
    }
    sums
}

fn hexadecimal(word: &str) -> u64 {
    u64::from_str_radix(word, 16).unwrap_or_else(|error| panic!("{word}: {error}"))
}
