//! The allocations of a program, as heaptrack sees them.
//!
//! heaptrack is a preloaded library, too, by other authors. It records each successful allocation with its size and
//! stack. It loads libstdc++ and libunwind; their allocations are left out.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::finish::finish;
use super::{Mode, Program, scratch};

/// What was allocated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allocations {
    /// Calls that allocated a block: malloc, calloc, realloc and their like.
    pub calls: u64,
    /// The bytes that these calls requested.
    pub requested_bytes: u64,
    /// Blocks freed by free and realloc.
    pub freed: u64,
    /// Those of them that were freed before another block was allocated.
    pub temporary: u64,
}

/// Runs a program under heaptrack, in this folder, for comparison with a run in `mode`. heaptrack removes its own
/// variables from the environment, and some programs make objects of the variables. So variables as long as Weir's
/// replace them.
pub fn allocations(program: &Program, folder: &Path, mode: Mode) -> Allocations {
    let records = scratch();
    let record = records.path().join("record");
    let plain = program.command(Mode::Plain, Path::new(""));
    let mut command = Command::new(plain.get_program());
    command.args(plain.get_args()).current_dir(folder);
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    for (name, value) in added_to_environment(mode) {
        let stand_in: String = name.chars().rev().collect();
        command.env(stand_in, value);
    }
    // The same as the script `heaptrack` does, without compression of the record.
    command
        .env("LD_PRELOAD", "/usr/lib/heaptrack/libheaptrack_preload.so")
        .env("DUMP_HEAPTRACK_OUTPUT", &record);
    let (status, _, stderr) = finish(&mut command, program.input());
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    read(&fs::read_to_string(&record).expect("heaptrack's record"))
}

/// The variables that Weir adds to a program's environment.
fn added_to_environment(mode: Mode) -> Vec<(String, String)> {
    let variables = |mode| {
        let outcome = Program::new("/usr/bin/env").run(mode).expect_status(0);
        let text = outcome.text();
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        let owned = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        owned.collect::<Vec<_>>()
    };
    let plain = variables(Mode::Plain);
    let mut measured = variables(mode);
    measured.retain(|(name, _)| !plain.iter().any(|(known, _)| known == name));
    measured
}

/// An object in memory: its name, and the addresses and sizes of its segments.
struct Object {
    name: String,
    segments: Vec<(u64, u64)>,
}

/// A frame, and the index of its caller; 0 is none.
#[derive(Default)]
struct Frame {
    address: u64,
    caller: u64,
}

/// Reads a raw record. Its lines are `m` (a loaded object), `t` (a frame and its caller), `+` (size, frame, block)
/// and `-` (block); numbers are hexadecimal.
fn read(record: &str) -> Allocations {
    let mut sums = Allocations::default();
    let mut objects: Vec<Object> = Vec::new();
    let mut frames: Vec<Frame> = vec![Frame::default()];
    let mut live = HashSet::new();
    let mut last = None;
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
            ["t", address, caller] => frames.push(Frame {
                address: hexadecimal(address),
                caller: hexadecimal(caller),
            }),
            ["+", size, frame, block] => {
                let caller = caller(&frames, &objects, hexadecimal(frame));
                let brought = ["libstdc++", "libunwind"];
                if !brought.iter().any(|part| caller.contains(part)) {
                    sums.calls += 1;
                    sums.requested_bytes += hexadecimal(size);
                    live.insert(block);
                    last = Some(block);
                }
            }
            // It also records freed blocks that were allocated before it began.
            ["-", block] => {
                sums.freed += u64::from(live.remove(block));
                sums.temporary += u64::from(last == Some(block));
                last = last.filter(|&last| last != block);
            }
            _ => (),
        }
    }
    sums
}

/// The object that requested the memory: the innermost one that is not heaptrack.
fn caller<'o>(frames: &[Frame], objects: &'o [Object], innermost: u64) -> &'o str {
    let mut place = innermost;
    while place != 0 {
        let frame = &frames[usize::try_from(place).expect("a frame")];
        let holds = |object: &&Object| {
            let mut segments = object.segments.iter();
            segments.any(|&(at, size)| (at..at + size).contains(&frame.address))
        };
        let name = objects.iter().find(holds).map_or("", |object| &object.name);
        if !name.contains("libheaptrack") {
            return name;
        }
        place = frame.caller;
    }
    ""
}

fn hexadecimal(word: &str) -> u64 {
    u64::from_str_radix(word, 16).unwrap_or_else(|error| panic!("{word}: {error}"))
}
