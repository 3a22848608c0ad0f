//! JSON for the Firefox Profiler (<https://profiler.firefox.com>): its processed format, version 55, which later ones read.
//! <https://github.com/firefox-devtools/profiler/blob/main/docs-developer/processed-profile-format.md>
//!
//! Each sum is a thread of it, and each call site a sample, which weighs what the site has of the sum. A profile of these has no time:
//! samples stand a millisecond apart, the heaviest first.

use std::collections::HashMap;
use std::hash::Hash;
use std::io::{self, Write};

use serde_json::{Value, json, to_writer};

use super::Profile;
use crate::sites::Choice;
use crate::units::Unit;

const VERSION: u32 = 55;

/// What frames are by: their index is their place in `categories`.
const OTHER: u32 = 0;
const PROGRAM: u32 = 1;
const LANGUAGE: u32 = 2;

pub fn write(profile: &Profile, choices: &[Choice], out: &mut dyn Write) -> io::Result<()> {
    let category = |name: &str, color: &str| json!({ "name": name, "color": color, "subcategories": ["Other"] });
    const MS_NS: f64 = 1e6;
    let meta = json!({
        "categories": [
            category("Other", "grey"),
            category("Program and libraries", "yellow"),
            category("Language and allocator", "lightblue"),
        ],
        "debug": false,
        "extensions": { "length": 0, "baseURL": [], "id": [], "name": [] },
        "interval": 1.0,
        "preprocessedProfileVersion": VERSION,
        "processType": 0,
        "product": "Weir",
        "importedFrom": "Weir",
        "arguments": profile.title(),
        "sampleUnits": { "time": "ms", "eventDelay": "ms", "threadCPUDelta": "µs" },
        "startTime": profile.report.started_unix_ns as f64 / MS_NS,
        "symbolicated": true,
        "pausedRanges": [],
        "version": 24,
        "usesOnlyOneStackType": true,
        "sourceCodeIsNotOnSearchfox": true,
        "markerSchema": [],
    });
    out.write_all(br#"{"meta":"#)?;
    to_writer(&mut *out, &meta)?;
    out.write_all(br#","libs":["#)?;
    for (place, module) in profile.sites.stacks.modules.iter().enumerate() {
        out.write_all(if place > 0 { b"," } else { b"" })?;
        let name = crate::text::file_name(&module.path);
        let library = json!({
            "name": name, "path": module.path, "debugName": name, "debugPath": module.path,
            "breakpadId": "", "codeId": module.build_id, "arch": null,
        });
        to_writer(&mut *out, &library)?;
    }
    out.write_all(br#"],"threads":["#)?;
    for (place, &choice) in choices.iter().enumerate() {
        out.write_all(if place > 0 { b"," } else { b"" })?;
        to_writer(&mut *out, &thread(profile, place, choice))?;
    }
    out.write_all(b"],\"pages\":[],\"profilerOverhead\":[],\"counters\":[]}\n")
}

/// What is in a thread, each once, with its number.
#[derive(Debug)]
struct Numbered<T> {
    all: Vec<T>,
    known: HashMap<T, usize>,
}

impl<T> Default for Numbered<T> {
    fn default() -> Numbered<T> {
        Numbered {
            all: Vec::new(),
            known: HashMap::new(),
        }
    }
}

impl<T: Clone + Eq + Hash> Numbered<T> {
    fn number(&mut self, of: T) -> usize {
        *self.known.entry(of).or_insert_with_key(|of| {
            self.all.push(of.clone());
            self.all.len() - 1
        })
    }

    fn column<C>(&self, field: impl FnMut(&T) -> C) -> Vec<C> {
        self.all.iter().map(field).collect()
    }

    fn same<C: Clone>(&self, value: C) -> Vec<C> {
        vec![value; self.all.len()]
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Frame {
    function: usize,
    line: Option<u32>,
    /// In the object's file; none for a function that was called.
    address: Option<u64>,
    inline_depth: usize,
    category: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Function {
    name: usize,
    file: Option<usize>,
    resource: Option<usize>,
}

/// The tables of a thread.
#[derive(Debug, Default)]
struct Tables {
    strings: Numbered<String>,
    /// Objects, by their index in the report.
    resources: Numbered<u32>,
    functions: Numbered<Function>,
    frames: Numbered<Frame>,
    /// The caller's stack, and the frame.
    stacks: Numbered<(Option<usize>, usize)>,
}

impl Tables {
    /// A call site's stack.
    fn stack(&mut self, profile: &Profile, frame: Option<u32>, called: &str) -> usize {
        let sites = &profile.sites;
        let mut inside_out = Vec::new();
        for (frame, place) in sites.stacks.chain(frame) {
            let points = sites.points.of_frame(frame);
            for (depth, &point) in points.iter().enumerate().rev() {
                let point = sites.points.get(point);
                let function = Function {
                    name: self.strings.number(point.function.clone()),
                    file: point.file.clone().map(|file| self.strings.number(file)),
                    resource: point.module.map(|module| self.resources.number(module)),
                };
                let category = match (point.path.is_empty(), point.is_plumbing()) {
                    (true, _) => OTHER,
                    (false, true) => LANGUAGE,
                    (false, false) => PROGRAM,
                };
                inside_out.push(Frame {
                    function: self.functions.number(function),
                    line: point.line,
                    address: Some(place.offset.saturating_sub(1)),
                    inline_depth: depth,
                    category,
                });
            }
        }
        let mut stack = None;
        for frame in inside_out.into_iter().rev() {
            let frame = self.frames.number(frame);
            stack = Some(self.stacks.number((stack, frame)));
        }
        let function = Function {
            name: self.strings.number(called.to_owned()),
            file: None,
            resource: None,
        };
        let function = self.functions.number(function);
        let frame = self.frames.number(Frame {
            function,
            line: None,
            address: None,
            inline_depth: 0,
            category: OTHER,
        });
        self.stacks.number((stack, frame))
    }
}

/// A weight in the units of the format.
fn weight(unit: Unit, sum: u64) -> Value {
    const MS_NS: f64 = 1e6;
    match unit {
        Unit::Bytes | Unit::Count => json!(sum),
        Unit::Time => json!(sum as f64 / MS_NS),
    }
}

fn thread(profile: &Profile, place: usize, choice: Choice) -> Value {
    let mut tables = Tables::default();
    let mut sites: Vec<_> = profile.chosen(choice).collect();
    sites.sort_by_key(|site| std::cmp::Reverse(choice.metric.of(site)));
    let unit = choice.metric.unit();
    let stacks = sites
        .iter()
        .map(|site| tables.stack(profile, site.frame, &site.function));
    let stacks: Vec<usize> = stacks.collect();
    let weights = sites
        .iter()
        .map(|site| weight(unit, choice.metric.of(site)));
    let samples = json!({
        "length": sites.len(),
        "weightType": match unit {
            Unit::Bytes => "bytes",
            Unit::Count => "samples",
            Unit::Time => "tracing-ms",
        },
        "stack": stacks,
        "timeDeltas": (0..sites.len()).map(|of| if of == 0 { 0.0 } else { 1.0 }).collect::<Vec<_>>(),
        "weight": weights.collect::<Vec<_>>(),
        "threadCPUDelta": vec![0; sites.len()],
    });
    let modules = &profile.sites.stacks.modules;
    let resource_names = tables.resources.all.clone().into_iter().map(|module| {
        let path = &modules[module as usize].path;
        let name = crate::text::file_name(path).to_owned();
        tables.strings.number(name)
    });
    let resource_names: Vec<usize> = resource_names.collect();
    let Tables {
        strings,
        resources,
        functions,
        frames,
        stacks,
    } = &tables;
    /// An object with code.
    const LIBRARY: u32 = 1;
    let none: Option<u32> = None;
    json!({
        "name": choice.name(),
        "isMainThread": place == 0,
        "processType": "default",
        "processName": profile.title(),
        "processStartupTime": 0.0,
        "processShutdownTime": null,
        "registerTime": 0.0,
        "unregisterTime": null,
        "pausedRanges": [],
        "showMarkersInTimeline": false,
        "pid": profile.pid().to_string(),
        "tid": place.to_string(),
        "samples": samples,
        "markers": {
            "length": 0, "category": [], "data": [], "endTime": [], "name": [], "phase": [], "startTime": [],
        },
        "stackTable": {
            "length": stacks.all.len(),
            "prefix": stacks.column(|of| of.0),
            "frame": stacks.column(|of| of.1),
        },
        "frameTable": {
            "length": frames.all.len(),
            "address": frames.column(|of| of.address.map_or(json!(-1), |address| json!(address))),
            "inlineDepth": frames.column(|of| of.inline_depth),
            "category": frames.column(|of| of.category),
            "subcategory": frames.same(0),
            "func": frames.column(|of| of.function),
            "nativeSymbol": frames.same(none),
            "innerWindowID": frames.same(0),
            "line": frames.column(|of| of.line),
            "column": frames.same(none),
        },
        "funcTable": {
            "length": functions.all.len(),
            "name": functions.column(|of| of.name),
            "isJS": functions.same(false),
            "relevantForJS": functions.same(false),
            "resource": functions.column(|of| of.resource.map_or(json!(-1), |resource| json!(resource))),
            "fileName": functions.column(|of| of.file),
            "lineNumber": functions.same(none),
            "columnNumber": functions.same(none),
        },
        "resourceTable": {
            "length": resources.all.len(),
            "lib": resources.all,
            "name": resource_names,
            "host": resources.same(none),
            "type": resources.same(LIBRARY),
        },
        "nativeSymbols": { "length": 0, "address": [], "functionSize": [], "libIndex": [], "name": [] },
        "stringArray": strings.all,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::tests::profile;
    use fxprof_processed_profile as witness;

    fn written(profile: &Profile) -> Value {
        let choices = profile.choices().expect("sums");
        let mut out = Vec::new();
        write(profile, &choices, &mut out).expect("written");
        serde_json::from_slice(&out).expect("JSON")
    }

    /// A profile that a library for the format makes.
    fn another() -> Value {
        let start = witness::ReferenceTimestamp::from_millis_since_unix_epoch(1000.0);
        let zero = witness::Timestamp::from_millis_since_reference(0.0);
        let interval = witness::SamplingInterval::from_millis(1);
        let mut profile = witness::Profile::new("another", start, interval);
        let process = profile.add_process("process", 12, zero);
        let thread = profile.add_thread(process, 12, zero, true);
        profile.set_thread_samples_weight_type(thread, witness::WeightType::Bytes);
        let name = profile.intern_string("main");
        let frame = witness::FrameInfo {
            frame: witness::Frame::Label(name),
            category_pair: witness::CategoryHandle::OTHER.into(),
            flags: witness::FrameFlags::empty(),
        };
        let stack = profile.intern_stack_frames(thread, [frame].into_iter());
        profile.add_sample(thread, zero, stack, witness::CpuDelta::ZERO, 77);
        serde_json::to_value(&profile).expect("JSON")
    }

    /// Each object of `theirs` has its names in `ours`, too, and values of the same kind.
    fn has_the_shape_of(ours: &Value, theirs: &Value, at: &str) {
        match (ours, theirs) {
            (Value::Object(ours), Value::Object(theirs)) => {
                for (name, theirs) in theirs {
                    let at = format!("{at}.{name}");
                    let ours = ours.get(name).unwrap_or_else(|| panic!("{at} is missing"));
                    has_the_shape_of(ours, theirs, &at);
                }
            }
            (Value::Array(ours), Value::Array(theirs)) => {
                if let (Some(ours), Some(theirs)) = (ours.first(), theirs.first()) {
                    has_the_shape_of(ours, theirs, &format!("{at}[0]"));
                }
            }
            (Value::Null, _) | (_, Value::Null) => {}
            _ => {
                let kind = |of: &Value| std::mem::discriminant(of);
                assert_eq!(kind(ours), kind(theirs), "{at}: {ours} {theirs}");
            }
        }
    }

    #[test]
    fn the_format_is_that_of_a_library_for_it() {
        let (ours, theirs) = (written(&profile()), another());
        let version = |of: &Value| of["meta"]["preprocessedProfileVersion"].clone();
        assert_eq!(version(&ours), version(&theirs));
        has_the_shape_of(&ours, &theirs, "");
    }

    /// Follows each sample through all tables, as the profiler does.
    #[test]
    fn each_sample_leads_to_its_functions_and_lines() {
        let profile = profile();
        let json = written(&profile);
        let threads = json["threads"].as_array().expect("threads");
        let choices = profile.choices().expect("sums");
        assert_eq!(threads.len(), choices.len());
        for (thread, &choice) in threads.iter().zip(&choices) {
            assert_eq!(thread["name"], choice.name());
            let cell = |table: &str, column: &str, row: u64| {
                let length = thread[table]["length"].as_u64().expect("a length");
                let column = thread[table][column].as_array().expect("a column");
                assert_eq!(column.len() as u64, length, "{table}.{column:?}");
                column[row as usize].clone()
            };
            let string = |number: Value| match number.as_u64() {
                Some(number) => thread["stringArray"][number as usize].clone(),
                None => Value::Null,
            };
            let mut found = Vec::new();
            for sample in 0..thread["samples"]["length"].as_u64().expect("a length") {
                let mut stack = cell("samples", "stack", sample).as_u64();
                let mut line = Vec::new();
                while let Some(at) = stack {
                    let frame = cell("stackTable", "frame", at).as_u64().expect("a frame");
                    let function = cell("frameTable", "func", frame).as_u64().expect("one");
                    line.push((
                        string(cell("funcTable", "name", function)),
                        string(cell("funcTable", "fileName", function)),
                        cell("frameTable", "line", frame),
                    ));
                    stack = cell("stackTable", "prefix", at).as_u64();
                }
                line.reverse();
                let weight = cell("samples", "weight", sample);
                found.push((weight.as_f64().expect("a number"), format!("{line:?}")));
            }
            let scale = match choice.metric.unit() {
                Unit::Time => 1e6,
                _ => 1.0,
            };
            let expected = profile.chosen(choice).map(|site| {
                let points = profile.sites.stack(site.frame).into_iter();
                let mut line: Vec<_> = points
                    .map(|point| profile.sites.points.get(point))
                    .map(|of| (json!(of.function), json!(of.file), json!(of.line)))
                    .collect();
                line.push((json!(site.function), Value::Null, Value::Null));
                let weight = choice.metric.of(site) as f64 / scale;
                (weight, format!("{line:?}"))
            });
            let mut expected: Vec<_> = expected.collect();
            expected.sort_by(|one, other| other.0.total_cmp(&one.0));
            assert_eq!(found, expected);
        }
    }
}
