//! The tables: what changed between two looks.

use std::collections::BTreeMap;

use weir_record::functions::{Family, Function as Known};
use weir_report::live::Figures;
use weir_report::model::{FileUse, Function, Process, SiteBlocks, Thread};

use super::grid::{Field, Grid, Value, id, name, of, path, share};
use super::looking::Tab;
use super::watch::{Shown, Watch};
use crate::cli::Group;
use crate::sites::{Naming, Sites};
use crate::symbols::DEBUG_DIRECTORY;
use crate::text;
use crate::units::{self, Unit};

/// That of a tab: for each second between the looks, or since the start of the processes.
pub fn of_tab(tab: Tab, watch: &Watch, is_whole: bool) -> Grid {
    match tab {
        Tab::Functions => functions(watch, is_whole),
        Tab::Files => files(watch, is_whole),
        Tab::Threads => threads(watch, is_whole),
        Tab::Processes => processes(watch, is_whole),
        Tab::Sites => sites(watch, is_whole),
    }
}

/// The numbers of something, now or before.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    calls: u64,
    errors: u64,
    bytes: u64,
    moved: u64,
    read: u64,
    written: u64,
    timed: u64,
    ns: u64,
}

impl Sums {
    fn since(self, before: Sums) -> Sums {
        Sums {
            calls: self.calls.saturating_sub(before.calls),
            errors: self.errors.saturating_sub(before.errors),
            bytes: self.bytes.saturating_sub(before.bytes),
            moved: self.moved.saturating_sub(before.moved),
            read: self.read.saturating_sub(before.read),
            written: self.written.saturating_sub(before.written),
            timed: self.timed.saturating_sub(before.timed),
            ns: self.ns.saturating_sub(before.ns),
        }
    }
}

/// Sums over processes, for each second or whole.
#[derive(Clone, Copy, Debug, Default)]
struct Rates {
    calls: f64,
    errors: f64,
    bytes: f64,
    moved: f64,
    read: f64,
    written: f64,
    timed: f64,
    ns: f64,
}

impl Rates {
    fn add(&mut self, sums: Sums, seconds: f64) {
        for (rate, sum) in [
            (&mut self.calls, sums.calls),
            (&mut self.errors, sums.errors),
            (&mut self.bytes, sums.bytes),
            (&mut self.moved, sums.moved),
            (&mut self.read, sums.read),
            (&mut self.written, sums.written),
            (&mut self.timed, sums.timed),
            (&mut self.ns, sums.ns),
        ] {
            *rate += sum as f64 / seconds;
        }
    }

    fn is_nothing(&self) -> bool {
        self.calls == 0.0
    }
}

fn number(number: f64) -> Value {
    Value::Number(number)
}

/// What a process did, in which time.
fn in_time(of: &Shown, is_whole: bool) -> (Option<&Process>, f64) {
    match is_whole {
        // The sum, not for each second.
        true => (None, 1.0),
        false => (of.before.as_deref(), of.seconds()),
    }
}

fn of_function(of: &Function) -> Sums {
    let latency = of.latency.as_deref();
    Sums {
        calls: of.calls,
        errors: of.errors,
        bytes: of.requested_bytes,
        moved: of.moved_bytes,
        timed: latency.map_or(0, |of| of.timed),
        ns: latency.map_or(0, |of| of.total_ns),
        ..Sums::default()
    }
}

fn functions(watch: &Watch, is_whole: bool) -> Grid {
    let mut all: BTreeMap<&str, Rates> = BTreeMap::new();
    for shown in &watch.shown {
        let (before, seconds) = in_time(shown, is_whole);
        for (name, of) in &shown.process.functions {
            let before = before.and_then(|before| before.functions.get(name));
            let sums = of_function(of).since(before.map(of_function).unwrap_or_default());
            all.entry(name).or_default().add(sums, seconds);
        }
    }
    all.retain(|_, rates| !rates.is_nothing());
    let rows = all.into_iter().map(|(name, rates)| {
        let recent = Known::from_name(name).and_then(|known| watch.recent.of(known));
        let latency = |ns: fn(&Figures) -> u64| {
            recent.map_or(Value::None, |figures| number(ns(&figures) as f64))
        };
        // Of sampled calls, the time of all.
        let mean = (rates.timed > 0.0).then(|| rates.ns / rates.timed);
        vec![
            Value::Text(name.to_owned()),
            number(rates.calls),
            number(rates.errors),
            number(rates.bytes),
            number(rates.moved),
            mean.map_or(Value::None, |mean| time_of(mean * rates.calls, is_whole)),
            mean.map_or(Value::None, number),
            latency(|of| of.p50_ns),
            latency(|of| of.p99_ns),
            latency(|of| of.max_ns),
        ]
    });
    Grid {
        rows: rows.collect(),
        fields: vec![
            name("function"),
            of("calls", Unit::Count, 0),
            of("errors", Unit::Count, 3),
            of("requested", Unit::Bytes, 2),
            of("moved", Unit::Bytes, 2),
            time_field(is_whole),
            of("mean", Unit::Time, 4),
            of("p50", Unit::Time, 3),
            of("p99", Unit::Time, 1),
            of("longest", Unit::Time, 5),
        ],
    }
}

/// A time: as it is, or as a part of the time between two looks.
fn time_of(ns: f64, is_whole: bool) -> Value {
    number(if is_whole { ns } else { ns / 1e9 })
}

fn time_field(is_whole: bool) -> Field {
    match is_whole {
        true => of("time", Unit::Time, 0),
        false => share("time", 0),
    }
}

fn files(watch: &Watch, is_whole: bool) -> Grid {
    let sums = |of: &FileUse| Sums {
        calls: of
            .reads
            .saturating_add(of.writes)
            .saturating_add(of.other_calls),
        errors: of.errors,
        read: of.read_bytes,
        written: of.written_bytes,
        ns: of
            .read_ns
            .saturating_add(of.write_ns)
            .saturating_add(of.other_ns),
        ..Sums::default()
    };
    let mut all: BTreeMap<(&str, &str), Rates> = BTreeMap::new();
    for shown in &watch.shown {
        let (before, seconds) = in_time(shown, is_whole);
        let before: BTreeMap<(&str, &str), Sums> = before
            .iter()
            .flat_map(|before| &before.files.listed)
            .map(|of| ((of.kind.as_str(), of.name.as_str()), sums(of)))
            .collect();
        for of in &shown.process.files.listed {
            let key = (of.kind.as_str(), of.name.as_str());
            let sums = sums(of).since(before.get(&key).copied().unwrap_or_default());
            all.entry(key).or_default().add(sums, seconds);
        }
    }
    all.retain(|_, rates| !rates.is_nothing());
    let rows = all.into_iter().map(|((kind, name), rates)| {
        vec![
            Value::Text(if name.is_empty() { kind } else { name }.to_owned()),
            Value::Text(kind.to_owned()),
            number(rates.calls),
            number(rates.errors),
            number(rates.read),
            number(rates.written),
            time_of(rates.ns, is_whole),
        ]
    });
    Grid {
        rows: rows.collect(),
        fields: vec![
            path("file or socket"),
            name("kind").of_rank(2),
            of("calls", Unit::Count, 1),
            of("errors", Unit::Count, 3),
            of("read", Unit::Bytes, 0),
            of("written", Unit::Bytes, 0),
            time_field(is_whole),
        ],
    }
}

fn threads(watch: &Watch, is_whole: bool) -> Grid {
    let mut rows = Vec::new();
    for shown in &watch.shown {
        let (before, seconds) = in_time(shown, is_whole);
        let before = before.map(|before| &before.threads);
        for (place, thread) in shown.process.threads.iter().enumerate() {
            let sums = |of: &Thread| {
                let mut sums = Sums::default();
                for of in of.functions.values() {
                    sums.calls = sums.calls.saturating_add(of.calls);
                    sums.bytes = sums.bytes.saturating_add(of.requested_bytes);
                    sums.moved = sums.moved.saturating_add(of.moved_bytes);
                    sums.ns = sums.ns.saturating_add(of.total_ns);
                }
                sums
            };
            let before =
                before.and_then(|before| same_thread(before, &shown.process.threads, place));
            let mut rates = Rates::default();
            rates.add(
                sums(thread).since(before.map(sums).unwrap_or_default()),
                seconds,
            );
            rows.push(vec![
                Value::Text(match thread.tid {
                    0 => "without a slot".to_owned(),
                    _ => thread.name.clone(),
                }),
                number(shown.process.pid.into()),
                number(thread.tid.into()),
                number(rates.calls),
                number(rates.bytes),
                number(rates.moved),
                time_of(rates.ns, is_whole),
                number(thread.live_bytes as f64),
                in_flight(&shown.process, thread.tid),
            ]);
        }
    }
    Grid {
        rows,
        fields: vec![
            name("thread"),
            id("pid", 4),
            id("tid", 1),
            of("calls", Unit::Count, 0),
            of("requested", Unit::Bytes, 2),
            of("moved", Unit::Bytes, 3),
            time_field(is_whole),
            of("allocated − freed", Unit::Bytes, 5),
            name("in").of_rank(3),
        ],
    }
}

/// The call that a thread has not returned from, what it is about, and since when.
fn in_flight(process: &Process, tid: u32) -> Value {
    let Some(call) = process.in_flight.iter().find(|call| call.tid == tid) else {
        return Value::None;
    };
    let about = call.file.as_ref().filter(|file| !file.is_empty());
    let about = about
        .or(call.kind.as_ref())
        .map(|about| format!(" of {about}"));
    let age = call.age_ns.map(|age| format!(" for {}", units::time(age)));
    Value::Text(format!(
        "{}{}{}",
        call.function,
        age.unwrap_or_default(),
        about.unwrap_or_default()
    ))
}

/// What an entry was before. One may be of several threads, one after the other, which count on.
fn same_thread<'t>(before: &'t [Thread], now: &[Thread], place: usize) -> Option<&'t Thread> {
    let tid = now.get(place)?.tid;
    let same = before.iter().find(|of| of.tid == tid);
    same.or_else(|| {
        let other = before.get(place)?;
        let goes_on = now.iter().any(|of| of.tid == other.tid);
        (!goes_on).then_some(other)
    })
}

fn processes(watch: &Watch, is_whole: bool) -> Grid {
    let rows = watch.shown.iter().map(|shown| {
        let (before, seconds) = in_time(shown, is_whole);
        let sums = |of: &Process| {
            let mut sums = Sums::default();
            for (name, of) in &of.functions {
                let own = of_function(of);
                sums.calls = sums.calls.saturating_add(own.calls);
                sums.errors = sums.errors.saturating_add(own.errors);
                sums.moved = sums.moved.saturating_add(own.moved);
                let family = Known::from_name(name).map(|known| known.row().family);
                if family == Some(Family::Alloc) {
                    sums.bytes = sums.bytes.saturating_add(own.bytes);
                }
            }
            sums
        };
        let mut rates = Rates::default();
        rates.add(
            sums(&shown.process).since(before.map(sums).unwrap_or_default()),
            seconds,
        );
        let process = &shown.process;
        let is_known = process.heap.not_known.is_none();
        let heap = |bytes: f64| if is_known { number(bytes) } else { Value::None };
        vec![
            Value::Text(match &process.title {
                Some(title) => text::printable(title).into_owned(),
                None => text::command_line(&process.command),
            }),
            number(process.pid.into()),
            number(process.parent_pid.into()),
            number(process.duration_ns as f64),
            number(rates.calls),
            number(rates.errors),
            number(rates.bytes),
            number(rates.moved),
            heap(process.heap.live_bytes as f64),
            heap(process.heap.peak_bytes as f64),
        ]
    });
    Grid {
        rows: rows.collect(),
        fields: vec![
            name("command"),
            id("pid", 0),
            id("parent", 6),
            of("ran for", Unit::Time, 4),
            of("calls", Unit::Count, 0),
            of("errors", Unit::Count, 5),
            of("allocated", Unit::Bytes, 1),
            of("moved", Unit::Bytes, 2),
            of("live heap", Unit::Bytes, 0),
            of("peak", Unit::Bytes, 3),
        ],
    }
}

fn sites(watch: &Watch, is_whole: bool) -> Grid {
    let now = by_place(watch.shown.iter().map(|of| &*of.process));
    let before = match is_whole {
        true => BTreeMap::new(),
        false => by_place(watch.shown.iter().filter_map(|of| of.before.as_deref())),
    };
    // They are together: what is new since has the time of those that were there.
    let seconds = match is_whole {
        true => 1.0,
        false => watch.shown.iter().map(Shown::seconds).fold(1e-3, f64::max),
    };
    let mut stacks = watch
        .shown
        .iter()
        .filter_map(|of| of.process.stacks.as_ref());
    let is_sampled = stacks.any(|of| of.sampled_bytes.is_some());
    let rows = now
        .into_iter()
        .filter_map(|((place, called), (sums, blocks))| {
            let is_estimate = is_sampled && Group::of(&called) == Group::Allocation;
            let estimated = |value: f64| match is_estimate {
                true => Value::About(value),
                false => number(value),
            };
            let (before, _) = before
                .get(&(place.clone(), called.clone()))
                .copied()
                .unwrap_or_default();
            let mut rates = Rates::default();
            rates.add(sums.since(before), seconds);
            (!rates.is_nothing() || blocks.live_bytes > 0).then(|| {
                vec![
                    Value::Text(place),
                    Value::Text(called),
                    estimated(rates.calls),
                    estimated(rates.bytes),
                    number(rates.moved),
                    match is_estimate {
                        // Their time is not known by site.
                        true => Value::None,
                        false => time_of(rates.ns, is_whole),
                    },
                    estimated(blocks.live_bytes as f64),
                    estimated(blocks.live as f64),
                ]
            })
        });
    Grid {
        rows: rows.collect(),
        fields: vec![
            name("call site"),
            name("called").of_rank(1),
            of("calls", Unit::Count, 0),
            of("requested", Unit::Bytes, 0),
            of("moved", Unit::Bytes, 3),
            time_field(is_whole),
            of("live", Unit::Bytes, 0),
            of("blocks", Unit::Count, 4),
        ],
    }
}

/// The numbers of each place and what it calls, and its blocks.
fn by_place<'p>(
    processes: impl Iterator<Item = &'p Process>,
) -> BTreeMap<(String, String), (Sums, SiteBlocks)> {
    let mut all: BTreeMap<(String, String), (Sums, SiteBlocks)> = BTreeMap::new();
    let sites = Sites::of(processes, &[DEBUG_DIRECTORY.into()], Naming::Quick);
    let Some(sites) = sites else {
        return all;
    };
    let users = sites.users();
    for site in &sites.stacks.sites {
        let place = sites.place(site.frame.map(|frame| users[frame as usize]));
        let (sums, blocks) = all.entry((place, site.function.clone())).or_default();
        for (sum, by) in [
            (&mut sums.calls, site.calls),
            (&mut sums.bytes, site.requested_bytes),
            (&mut sums.moved, site.moved_bytes),
            (&mut sums.ns, site.time_ns),
        ] {
            *sum = sum.saturating_add(by);
        }
        let of = site.blocks.unwrap_or_default();
        blocks.live = blocks.live.saturating_add(of.live);
        blocks.live_bytes = blocks.live_bytes.saturating_add(of.live_bytes);
    }
    all
}
