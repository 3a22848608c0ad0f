//! The numbers of a report, by names that another report of the same program has, too.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use serde::Serialize;
use weir_report::Ordered;
use weir_report::model::{Activity, FileUse, Function, Heap, Process, Report};

use super::names::Names;
use super::number::{Number, whole};
use super::usage;
use crate::cli::Metric;
use crate::report::heap::of_their_own;
use crate::report::loss;
use crate::report::sites::places::{Place, Places};
use crate::sites::{Sites, is_library};
use crate::symbols::Lack;
use crate::units::Unit;

/// What a number is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Section {
    /// How long the program ran, and what it did meanwhile.
    Time,
    /// What its processes took of the machine.
    Usage,
    /// All processes together.
    Whole,
    /// A function.
    Functions,
    /// How long a function took.
    Latency,
    /// A file or socket.
    Files,
    /// A function that a function of the program calls.
    Sites,
    /// All processes of a program.
    Programs,
}

/// What a number is called.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub section: Section,
    /// The function, the file, or the program.
    pub name: String,
    /// Of a file its kind, of a call site the function of the program.
    pub aside: String,
    /// The number, by its path in the report.
    pub metric: String,
}

/// All of a report.
#[derive(Debug, Default)]
pub struct Numbers {
    of: BTreeMap<Key, (Unit, Number)>,
    /// How many processes there are.
    pub processes: u64,
    /// How many programs there are.
    pub programs: usize,
    /// Why functions of the program have no name, so that call sites cannot be compared.
    pub nameless: Option<String>,
    /// Whether no call was timed.
    is_untimed: bool,
    /// Sections of which the report has nothing.
    lacks: BTreeSet<Section>,
    /// What a number of a file or site may be that is not listed.
    unlisted: HashMap<(Section, String, String), Number>,
    /// For one allocated byte in so many there is a call stack; none where all calls have one.
    sampled_bytes: Option<u64>,
    /// Call sites with file and line, by what they call and the function.
    places: HashMap<(String, String), String>,
}

/// How long the program ran.
pub const DURATION: &str = "duration";

/// The percentiles that are compared.
const PERCENTILES: [(&str, f64); 3] = [
    ("latency.p50", 0.5),
    ("latency.p90", 0.9),
    ("latency.p99", 0.99),
];

/// Numbers of call sites, by the names of a budget.
pub const OF_SITES: [(&str, Metric, Unit); 6] = [
    ("requested_bytes", Metric::Bytes, Unit::Bytes),
    ("calls", Metric::Calls, Unit::Count),
    ("leak_bytes", Metric::Live, Unit::Bytes),
    ("temporary_blocks", Metric::Temporary, Unit::Count),
    ("moved_bytes", Metric::Moved, Unit::Bytes),
    ("time", Metric::Time, Unit::Time),
];

impl Numbers {
    /// Those of a report, and of its call sites.
    pub fn of(report: &Report, places: &Places<'_>) -> Numbers {
        let mut numbers = Numbers {
            is_untimed: report.timed_one_in == 0,
            ..Numbers::default()
        };
        numbers.add_whole(report);
        numbers.add_usage(report);
        for (name, function) in &report.functions {
            numbers.add_function(name, function);
        }
        numbers.add_files(report);
        numbers.add_sites(report, places);
        numbers.add_programs(&report.processes);
        numbers
    }

    /// What they are called.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.of.keys()
    }

    /// The unit of one that the report has.
    pub fn unit(&self, key: &Key) -> Option<Unit> {
        self.of.get(key).map(|&(unit, _)| unit)
    }

    /// Whether the report has nothing of a section.
    pub fn lacks(&self, section: Section) -> bool {
        self.lacks.contains(&section)
    }

    /// Where a call site is, where that is known.
    pub fn place(&self, key: &Key) -> Option<&str> {
        let place = self.places.get(&(key.name.clone(), key.aside.clone()))?;
        Some(place)
    }

    /// A number. None where the report cannot have it.
    pub fn get(&self, key: &Key) -> Option<Number> {
        let is_time = key.section == Section::Time && key.metric != DURATION;
        if self.lacks(key.section) || (is_time && self.is_untimed) {
            return None;
        }
        if let Some((_, number)) = self.of.get(key) {
            return Some(number.clone());
        }
        let called = match key.section {
            // A function without timed calls has no percentiles.
            Section::Latency => return None,
            Section::Sites if !self.has_meaning(&key.name, &key.metric) => return None,
            Section::Sites if loss::is_of_heap(&key.name) => {
                let none = |distance| Number::Sampled { sum: 0, distance };
                return Some(self.sampled_bytes.map_or(Number::Exact(0), none));
            }
            Section::Sites => key.name.as_str(),
            _ => "",
        };
        let unlisted = (key.section, called.to_owned(), key.metric.clone());
        let unlisted = self.unlisted.get(&unlisted).cloned();
        Some(
            unlisted.unwrap_or(match key.metric.ends_with("_ns") || key.metric == "time" {
                true => Number::Time(0),
                false => Number::Exact(0),
            }),
        )
    }

    fn add(
        &mut self,
        section: Section,
        name: &str,
        aside: &str,
        metric: &str,
        unit: Unit,
        number: Number,
    ) {
        let key = Key {
            section,
            name: name.to_owned(),
            aside: aside.to_owned(),
            metric: metric.to_owned(),
        };
        self.of.insert(key, (unit, number));
    }

    fn add_whole(&mut self, report: &Report) {
        let processes = report.processes.iter().map(Process::stands_for).sum();
        self.processes = processes;
        let mut add =
            |section, metric: &str, unit, number| self.add(section, "", "", metric, unit, number);
        add(
            Section::Time,
            DURATION,
            Unit::Time,
            Number::Time(report.duration_ns),
        );
        add(
            Section::Whole,
            "processes",
            Unit::Count,
            Number::Exact(whole(processes)),
        );
        for (name, Activity { calls, total_ns }) in &report.activities {
            let metric = |field| format!("activities.{name}.{field}");
            add(
                Section::Time,
                &metric("total"),
                Unit::Time,
                Number::Time(*total_ns),
            );
            add(
                Section::Whole,
                &metric("calls"),
                Unit::Count,
                Number::Exact(whole(*calls)),
            );
        }
        if report.heap.not_known.is_some() {
            for (metric, _, _) in of_heap(&report.heap) {
                let key = (Section::Whole, String::new(), metric.to_owned());
                self.unlisted.insert(key, Number::UNKNOWN);
            }
            return;
        }
        for (metric, unit, number) in of_heap(&report.heap) {
            add(Section::Whole, metric, unit, number);
        }
    }

    fn add_usage(&mut self, report: &Report) {
        let taken = usage::of(report);
        if taken.is_empty() {
            self.lacks.insert(Section::Usage);
        }
        for (metric, unit, number) in taken {
            self.add(Section::Usage, "", "", metric, unit, number);
        }
    }

    fn add_function(&mut self, name: &str, function: &Function) {
        let counts = [
            ("calls", Unit::Count, function.calls),
            ("errors", Unit::Count, function.errors),
            ("requested_bytes", Unit::Bytes, function.requested_bytes),
            ("moved_bytes", Unit::Bytes, function.moved_bytes),
        ];
        for (metric, unit, count) in counts {
            self.add(
                Section::Functions,
                name,
                "",
                metric,
                unit,
                Number::Exact(whole(count)),
            );
        }
        // What is not among the values that are listed.
        let listed = function
            .errors_by_errno
            .values()
            .fold(0, |sum: u64, of| sum.saturating_add(*of));
        let others = function.errors.saturating_sub(listed);
        for (errno, &count) in &function.errors_by_errno {
            let metric = format!("errors_by_errno.{errno}");
            let number = Number::at_least(count, others);
            self.add(Section::Functions, name, "", &metric, Unit::Count, number);
        }
        let latency = function.latency.as_deref();
        let calls = latency.and_then(|latency| Some((latency, Rc::new(Ordered::of(latency)?))));
        let Some((latency, calls)) = calls else {
            return;
        };
        let values = [latency.p50_ns, latency.p90_ns, latency.p99_ns];
        for ((metric, part), ns) in PERCENTILES.into_iter().zip(values) {
            let calls = Rc::clone(&calls);
            let number = Number::Percentile { ns, part, calls };
            self.add(Section::Latency, name, "", metric, Unit::Time, number);
        }
    }

    fn add_files(&mut self, report: &Report) {
        let same = Names::of(report);
        let mut files: BTreeMap<(String, &str), FileUse> = BTreeMap::new();
        for file in &report.files.listed {
            let name = (same.of_file(file), file.kind.as_str());
            files.entry(name).or_default().add(file);
        }
        for ((name, kind), file) in &files {
            for (metric, unit, number) in of_file(file) {
                self.add(Section::Files, name, kind, metric, unit, number);
            }
        }
        let others = &report.files.others;
        let counts = counts_of_file(others);
        for (metric, _, count) in counts.into_iter().filter(|_| report.files.folded > 0) {
            let key = (Section::Files, String::new(), metric.to_owned());
            self.unlisted.insert(key, Number::at_least(0, count));
        }
    }

    fn add_sites(&mut self, report: &Report, places: &Places<'_>) {
        let Some(sites) = places.sites() else {
            self.lacks.insert(Section::Sites);
            return;
        };
        self.sampled_bytes = sites.stacks.sampled_bytes;
        self.nameless = nameless(sites);
        if self.nameless.is_some() {
            self.lacks.insert(Section::Sites);
            return;
        }
        for (metric, of, unit) in OF_SITES {
            let sums = places.sums(of, None, &[]).unwrap_or_default();
            let sums: Vec<&Place> = sums
                .iter()
                .filter(|place| !place.key.0.is_empty())
                .collect();
            // Calls before the first sample of a function are at no call site.
            let mut missing: HashMap<&str, u64> = HashMap::new();
            for (name, function) in &report.functions {
                let count = match of {
                    Metric::Calls => function.calls,
                    Metric::Bytes => function.requested_bytes,
                    Metric::Moved => function.moved_bytes,
                    _ => 0,
                };
                missing.insert(name, count);
            }
            for place in &sums {
                let called = missing.entry(&place.key.1).or_default();
                *called = called.saturating_sub(place.sum);
            }
            for place in &sums {
                let (by, called) = (place.key.0.as_str(), place.key.1.as_str());
                if !self.has_meaning(called, metric) {
                    continue;
                }
                let number = match self.sampled_bytes.filter(|_| loss::is_of_heap(called)) {
                    Some(distance) => Number::Sampled {
                        sum: place.sum,
                        distance,
                    },
                    None if unit == Unit::Time => Number::Time(place.sum),
                    None => Number::at_least(place.sum, missing.get(called).copied().unwrap_or(0)),
                };
                let site = (called.to_owned(), by.to_owned());
                self.places
                    .entry(site)
                    .or_insert_with(|| place.name.clone());
                self.add(Section::Sites, called, by, metric, unit, number);
            }
            for (called, missing) in missing {
                let key = (Section::Sites, called.to_owned(), metric.to_owned());
                self.unlisted.insert(key, Number::at_least(0, missing));
            }
        }
    }

    /// Whether call sites of a function have a number.
    fn has_meaning(&self, called: &str, metric: &str) -> bool {
        has_meaning(called, metric, self.sampled_bytes.is_some())
    }

    fn add_programs(&mut self, processes: &[Process]) {
        let mut programs: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for process in processes {
            let functions = process.functions.values();
            let calls = functions.fold(0, |sum: u64, of| sum.saturating_add(of.calls));
            let sums = programs.entry(&process.executable).or_default();
            sums.0 = sums.0.saturating_add(process.stands_for());
            sums.1 = sums.1.saturating_add(calls);
        }
        self.programs = programs.len();
        // What is beyond the most executables that have an entry.
        if let Some((processes, calls)) = programs.remove("") {
            for (metric, count) in [("processes", processes), ("calls", calls)] {
                let key = (Section::Programs, String::new(), metric.to_owned());
                self.unlisted.insert(key, Number::at_least(0, count));
            }
        }
        for (program, (processes, calls)) in programs {
            for (metric, count) in [("processes", processes), ("calls", calls)] {
                let number = Number::Exact(whole(count));
                self.add(Section::Programs, program, "", metric, Unit::Count, number);
            }
        }
    }
}

/// Whether call sites of a function have a number: the heap's have no time, samples no number of blocks.
pub fn has_meaning(called: &str, metric: &str, is_sampled: bool) -> bool {
    match (loss::is_of_heap(called), is_sampled) {
        (true, true) => matches!(metric, "requested_bytes" | "leak_bytes"),
        (true, false) => !matches!(metric, "moved_bytes" | "time"),
        (false, _) => matches!(metric, "calls" | "moved_bytes" | "time"),
    }
}

/// What an object of the program lacks that is not the one that ran: its functions are addresses then, which no two builds share.
fn nameless(sites: &Sites) -> Option<String> {
    let mut lacks = sites.lacks.iter().filter_map(|(index, lack)| {
        let is_other = matches!(lack, Lack::Missing | Lack::Unreadable(_) | Lack::Changed);
        let path = &sites.stacks.modules.get(*index as usize)?.path;
        (is_other && !is_library(path)).then_some((path, lack))
    });
    let (path, lack) = lacks.next()?;
    Some(format!(
        "call sites are not compared: {path} {lack}; weir symbolize, before the next build, writes the names into a report"
    ))
}

/// The heap at its peak and at the end.
fn of_heap(heap: &Heap) -> [(&'static str, Unit, Number); 3] {
    let (peak, error) = (whole(heap.peak_bytes), whole(heap.peak_error_bytes));
    let peak = Number::Between {
        low: peak.saturating_sub(error),
        value: peak,
        high: peak.saturating_add(error),
    };
    let (bytes, blocks) = of_their_own(heap);
    [
        ("heap.peak_bytes", Unit::Bytes, peak),
        ("leak_bytes", Unit::Bytes, Number::Exact(bytes)),
        ("leak_blocks", Unit::Count, Number::Exact(blocks)),
    ]
}

fn of_file(file: &FileUse) -> Vec<(&'static str, Unit, Number)> {
    let times = [
        ("read_ns", file.read_ns),
        ("write_ns", file.write_ns),
        ("other_ns", file.other_ns),
    ];
    let counts = counts_of_file(file).into_iter();
    let counts = counts.map(|(metric, unit, count)| (metric, unit, Number::Exact(whole(count))));
    let times = times.into_iter();
    counts
        .chain(times.map(|(metric, ns)| (metric, Unit::Time, Number::Time(ns))))
        .collect()
}

fn counts_of_file(file: &FileUse) -> [(&'static str, Unit, u64); 8] {
    [
        ("opens", Unit::Count, file.opens),
        ("reads", Unit::Count, file.reads),
        ("writes", Unit::Count, file.writes),
        ("other_calls", Unit::Count, file.other_calls),
        ("errors", Unit::Count, file.errors),
        ("read_bytes", Unit::Bytes, file.read_bytes),
        ("written_bytes", Unit::Bytes, file.written_bytes),
        ("mapped_bytes", Unit::Bytes, file.mapped_bytes),
    ]
}
