//! profile.proto, compressed, as `go tool pprof` reads it: <https://github.com/google/pprof/blob/main/proto/profile.proto>
//!
//! A stack is a list of locations, the innermost one first. Here that is the function that was called; the others are the frames, with
//! the address of the call and not the one behind it.

use std::collections::HashMap;
use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message;
use prost::encoding::message;

use super::Profile;
use crate::cli::{Group, Metric};
use crate::sites::Choice;
use crate::units::Unit;

/// The fields of `Profile`.
mod field {
    pub const SAMPLE_TYPE: u32 = 1;
    pub const SAMPLE: u32 = 2;
    pub const MAPPING: u32 = 3;
    pub const LOCATION: u32 = 4;
    pub const FUNCTION: u32 = 5;
    pub const STRING_TABLE: u32 = 6;
    pub const TIME_NANOS: u32 = 9;
    pub const DURATION_NANOS: u32 = 10;
    pub const DEFAULT_SAMPLE_TYPE: u32 = 14;
}

#[derive(Clone, PartialEq, Message)]
struct ValueType {
    #[prost(int64, tag = "1")]
    kind: i64,
    #[prost(int64, tag = "2")]
    unit: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(uint64, repeated, tag = "1")]
    location_id: Vec<u64>,
    #[prost(int64, repeated, tag = "2")]
    value: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct Mapping {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(uint64, tag = "3")]
    memory_limit: u64,
    #[prost(int64, tag = "5")]
    filename: i64,
    #[prost(int64, tag = "6")]
    build_id: i64,
    #[prost(bool, tag = "7")]
    has_functions: bool,
    #[prost(bool, tag = "8")]
    has_filenames: bool,
    #[prost(bool, tag = "9")]
    has_line_numbers: bool,
    #[prost(bool, tag = "10")]
    has_inline_frames: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Location {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(uint64, tag = "2")]
    mapping_id: u64,
    #[prost(uint64, tag = "3")]
    address: u64,
    #[prost(message, repeated, tag = "4")]
    line: Vec<Line>,
}

#[derive(Clone, PartialEq, Message)]
struct Line {
    #[prost(uint64, tag = "1")]
    function_id: u64,
    #[prost(int64, tag = "2")]
    line: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Function {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(int64, tag = "2")]
    name: i64,
    #[prost(int64, tag = "3")]
    system_name: i64,
    #[prost(int64, tag = "4")]
    filename: i64,
}

pub fn write(profile: &Profile, choices: &[Choice], out: &mut dyn Write) -> io::Result<()> {
    let mut pprof = Pprof {
        out: GzEncoder::new(out, Compression::default()),
        buffer: Vec::new(),
        strings: Strings::default(),
        functions: HashMap::new(),
    };
    for &choice in choices {
        let kind = pprof.strings.id(&kind(choice))?;
        let unit = pprof.strings.id(unit(choice.metric))?;
        pprof.put(field::SAMPLE_TYPE, &ValueType { kind, unit })?;
    }
    if let Some(&first) = choices.first() {
        let kind = pprof.strings.id(&kind(first))?;
        pprof.number(field::DEFAULT_SAMPLE_TYPE, kind)?;
    }
    let times = [
        (field::TIME_NANOS, profile.report.started_unix_ns),
        (field::DURATION_NANOS, profile.report.duration_ns),
    ];
    for (field, time) in times {
        pprof.number(field, signed(time))?;
    }
    pprof.mappings(profile)?;
    let of_frames = pprof.locations(profile)?;
    pprof.samples(profile, choices, &of_frames)?;
    pprof.finish()
}

/// What is written of a profile, in pieces: all of it may be more than memory holds.
struct Pprof<'o> {
    out: GzEncoder<&'o mut dyn Write>,
    buffer: Vec<u8>,
    strings: Strings,
    /// By name and file.
    functions: HashMap<(i64, i64), u64>,
}

impl Pprof<'_> {
    fn put(&mut self, field: u32, value: &impl Message) -> io::Result<()> {
        self.buffer.clear();
        message::encode(field, value, &mut self.buffer);
        self.out.write_all(&self.buffer)
    }

    fn number(&mut self, field: u32, number: i64) -> io::Result<()> {
        self.buffer.clear();
        prost::encoding::int64::encode(field, &number, &mut self.buffer);
        self.out.write_all(&self.buffer)
    }

    fn mappings(&mut self, profile: &Profile) -> io::Result<()> {
        let stacks = &profile.sites.stacks;
        let mut mappings = vec![Mapping::default(); stacks.modules.len()];
        for frame in &stacks.frames {
            if let Some(module) = frame.module {
                let limit = &mut mappings[module as usize].memory_limit;
                *limit = frame.offset.saturating_add(1).max(*limit);
            }
        }
        for point in profile.sites.points.all() {
            if let Some(module) = point.module {
                let mapping = &mut mappings[module as usize];
                mapping.has_functions |= point.is_named;
                mapping.has_filenames |= point.file.is_some();
                mapping.has_line_numbers |= point.line.is_some();
                mapping.has_inline_frames |= point.is_inlined;
            }
        }
        let mut mappings: Vec<_> = (1..)
            .zip(mappings.into_iter().zip(&stacks.modules))
            .collect();
        // Who reads this takes the first one for the program.
        let program = profile.report.processes.first();
        let program = program.map_or("", |process| process.executable.as_str());
        mappings.sort_by_key(|(_, (_, module))| module.path != program);
        for (id, (mut mapping, module)) in mappings {
            mapping.id = id;
            mapping.filename = self.strings.id(&module.path)?;
            mapping.build_id = self
                .strings
                .id(module.build_id.as_deref().unwrap_or_default())?;
            self.put(field::MAPPING, &mapping)?;
        }
        Ok(())
    }

    /// The location of each frame.
    fn locations(&mut self, profile: &Profile) -> io::Result<Vec<u64>> {
        let sites = &profile.sites;
        let mut known: HashMap<(Option<u32>, u64), u64> = HashMap::new();
        let mut of_frames = Vec::with_capacity(sites.stacks.frames.len());
        for (index, frame) in (0..).zip(&sites.stacks.frames) {
            let next = known.len() as u64 + 1;
            let id = *known.entry((frame.module, frame.offset)).or_insert(next);
            of_frames.push(id);
            if id != next {
                continue;
            }
            let mut lines = Vec::new();
            // What has no name here may get one from who reads this.
            let points = sites.points.of_frame(index).iter().rev();
            for point in points
                .map(|&id| sites.points.get(id))
                .filter(|of| of.is_named)
            {
                let file = point.file.as_deref().unwrap_or_default();
                lines.push(Line {
                    function_id: self.function(&point.function, file)?,
                    line: point.line.map_or(0, i64::from),
                });
            }
            let location = Location {
                id,
                mapping_id: frame.module.map_or(0, |module| u64::from(module) + 1),
                address: frame.offset.saturating_sub(1),
                line: lines,
            };
            self.put(field::LOCATION, &location)?;
        }
        Ok(of_frames)
    }

    fn function(&mut self, name: &str, file: &str) -> io::Result<u64> {
        let key = (self.strings.id(name)?, self.strings.id(file)?);
        let next = self.functions.len() as u64 + 1;
        let id = *self.functions.entry(key).or_insert(next);
        if id == next {
            let (name, filename) = key;
            let function = Function {
                id,
                name,
                system_name: name,
                filename,
            };
            self.put(field::FUNCTION, &function)?;
        }
        Ok(id)
    }

    fn samples(
        &mut self,
        profile: &Profile,
        choices: &[Choice],
        of_frames: &[u64],
    ) -> io::Result<()> {
        let stacks = &profile.sites.stacks;
        let mut next = of_frames.iter().max().map_or(1, |last| last + 1);
        let mut called: HashMap<&str, u64> = HashMap::new();
        for (index, site) in stacks.sites.iter().enumerate() {
            let value: Vec<i64> = choices
                .iter()
                .map(|choice| match profile.has(index, choice.group) {
                    true => signed(choice.metric.of(site)),
                    false => 0,
                })
                .collect();
            if value.iter().all(|&value| value == 0) {
                continue;
            }
            let leaf = match called.get(site.function.as_str()) {
                Some(&leaf) => leaf,
                None => {
                    let line = Line {
                        function_id: self.function(&site.function, "")?,
                        line: 0,
                    };
                    let location = Location {
                        id: next,
                        line: vec![line],
                        ..Location::default()
                    };
                    self.put(field::LOCATION, &location)?;
                    called.insert(&site.function, next);
                    next += 1;
                    next - 1
                }
            };
            let frames = stacks.chain(site.frame);
            let frames = frames.map(|(frame, _)| of_frames[frame as usize]);
            let location_id = std::iter::once(leaf).chain(frames).collect();
            self.put(field::SAMPLE, &Sample { location_id, value })?;
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        self.buffer.clear();
        for string in &self.strings.list {
            prost::encoding::string::encode(field::STRING_TABLE, string, &mut self.buffer);
        }
        self.out.write_all(&self.buffer)?;
        self.out.finish().map(drop)
    }
}

/// All strings, each once. The first one is empty.
struct Strings {
    list: Vec<String>,
    known: HashMap<String, i64>,
}

impl Default for Strings {
    fn default() -> Strings {
        Strings {
            list: vec![String::new()],
            known: HashMap::from([(String::new(), 0)]),
        }
    }
}

impl Strings {
    fn id(&mut self, text: &str) -> io::Result<i64> {
        if let Some(&id) = self.known.get(text) {
            return Ok(id);
        }
        let id = i64::try_from(self.list.len()).map_err(io::Error::other)?;
        self.list.push(text.to_owned());
        self.known.insert(text.to_owned(), id);
        Ok(id)
    }
}

/// What a sum is called: the group, and what is summed. Those of allocations are called as in the Go runtime's profiles, where these
/// have the like.
fn kind(choice: Choice) -> String {
    let group = match choice.group {
        Group::Allocation => "alloc",
        Group::Io => "io",
        Group::Stdio => "stdio",
        Group::Wait => "wait",
    };
    let sum = match (choice.group, choice.metric) {
        (Group::Allocation, Metric::Bytes) => "bytes",
        (Group::Allocation, Metric::Live) => return "inuse_bytes".to_owned(),
        (_, Metric::Bytes) => "requested",
        (Group::Allocation, Metric::Moved) => "moved",
        (_, Metric::Moved) => "bytes",
        (_, Metric::Calls) => "calls",
        (_, Metric::Time) => "time",
        (_, Metric::Live) => "live",
        (_, Metric::Peak) => "peak_bytes",
        (_, Metric::Temporary) => "temporary",
    };
    format!("{group}_{sum}")
}

fn unit(metric: Metric) -> &'static str {
    match metric.unit() {
        Unit::Bytes => "bytes",
        Unit::Count => "count",
        Unit::Time => "nanoseconds",
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
