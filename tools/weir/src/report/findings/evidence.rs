//! What the rules ask of a report.

use std::collections::HashMap;

use weir_record::functions::{Function as Known, Role};
use weir_report::model::{FilePart, FileUse, Function, InFlight, Process, Site};

use super::super::subject::Subject;
use crate::sites::{PointId, Sites};
use crate::units;

/// A recording, and the places behind its numbers.
pub struct Evidence<'a> {
    pub subject: &'a Subject<'a>,
    pub sites: Option<&'a Sites>,
    /// For each frame the place of the program ([`Sites::users`]).
    users: Vec<PointId>,
    /// For each frame, whether a futex is a lock there ([`Sites::lock_waits`]).
    lock_waits: Vec<bool>,
}

/// The sites that are in one function of the program.
#[derive(Default)]
pub struct Placed<'a> {
    pub sites: Vec<&'a Site>,
}

impl Placed<'_> {
    /// A sum over them.
    pub fn sum(&self, of: impl Fn(&Site) -> u64) -> u64 {
        let each = self.sites.iter().map(|site| of(site));
        each.fold(0, u64::saturating_add)
    }
}

impl<'a> Evidence<'a> {
    pub fn new(subject: &'a Subject<'a>, sites: Option<&'a Sites>) -> Evidence<'a> {
        Evidence {
            subject,
            sites,
            users: sites.map(Sites::users).unwrap_or_default(),
            lock_waits: sites.map(Sites::lock_waits).unwrap_or_default(),
        }
    }

    /// How long the recording is.
    pub fn duration_ns(&self) -> u64 {
        self.subject.duration_ns
    }

    /// Whether this time is at least so many thousandths of the run.
    pub fn is_thousandths(&self, part_ns: u64, thousandths: u64) -> bool {
        u128::from(part_ns) * 1000 >= u128::from(self.duration_ns()) * u128::from(thousandths)
    }

    /// `1.03 s of 1.22 s`: this time, and how long the recording is.
    pub fn of_run(&self, part_ns: u64) -> String {
        let (part, whole) = (units::time(part_ns), units::time(self.duration_ns()));
        match part_ns > self.duration_ns() {
            true => format!("{part}, summed over its threads, in {whole}"),
            false => format!("{part} of {whole}"),
        }
    }

    /// A function's numbers; those of none where it was never called.
    pub fn function(&self, name: &str) -> Option<&'a Function> {
        self.subject.functions.get(name)
    }

    /// Those of the functions that were called and are wanted.
    pub fn functions(
        &self,
        wanted: impl Fn(Known) -> bool,
    ) -> impl Iterator<Item = (&'a str, &'a Function)> {
        let called = self.subject.functions.iter();
        let is_wanted = move |name: &str| Known::from_name(name).is_some_and(&wanted);
        called
            .filter(move |(name, _)| is_wanted(name))
            .map(|(name, function)| (name.as_str(), function))
    }

    /// The files and sockets that are listed.
    pub fn files(&self) -> impl Iterator<Item = &'a FileUse> {
        self.subject.files.listed.iter()
    }

    /// The processes, without those that are reported together.
    pub fn processes(&self) -> impl Iterator<Item = &'a Process> {
        let each = self.subject.processes.iter().copied();
        each.filter(|process| process.folded.is_none())
    }

    /// The mean distance of samples of the heap, where its sites are estimates.
    pub fn sampled_bytes(&self) -> Option<u64> {
        self.sites?.stacks.sampled_bytes
    }

    /// Whether calls at a futex from this site wait for a lock that a language or a library brings itself.
    pub fn is_lock_wait(&self, site: &Site) -> bool {
        site.frame
            .is_some_and(|frame| self.lock_waits.get(frame as usize) == Some(&true))
    }

    /// All sites that pass, by the function of the program that they are in.
    pub fn places(&self, wanted: impl Fn(&Site) -> bool) -> Vec<Placed<'a>> {
        let mut places: Vec<Placed<'a>> = Vec::new();
        let mut known = HashMap::new();
        let Some(sites) = self.sites else {
            return places;
        };
        for site in sites.stacks.sites.iter().filter(|site| wanted(site)) {
            let point = site.frame.map(|frame| self.users[frame as usize]);
            let function = point.map(|point| sites.points.get(point).function.as_str());
            let index = *known.entry(function).or_insert_with(|| {
                places.push(Placed::default());
                places.len() - 1
            });
            places[index].sites.push(site);
        }
        places
    }

    /// The place that has most of a sum over sites. None where none has any.
    pub fn place(&self, of: impl Fn(&Site) -> u64) -> Option<String> {
        let places = self.places(|site| of(site) > 0);
        let mut greatest: Option<(u64, &Placed<'_>)> = None;
        for placed in &places {
            let sum = placed.sum(&of);
            // The first of equal ones.
            if greatest.is_none_or(|(most, _)| sum > most) {
                greatest = Some((sum, placed));
            }
        }
        self.name_of(greatest?.1)
    }

    /// The place that has most of a sum over the calls about one file.
    pub fn place_at(
        &self,
        file: &FileUse,
        wanted: impl Fn(Role) -> bool,
        of: impl Fn(&FilePart) -> u64,
    ) -> Option<String> {
        let files = &self.sites?.stacks.files;
        let is_it = |part: &FilePart| {
            let listed = files.get(part.file as usize);
            listed.is_some_and(|listed| listed.name == file.name && listed.kind == file.kind)
        };
        self.place(|site| {
            let known = Known::from_name(&site.function);
            if !known.is_some_and(|known| wanted(known.row().role)) {
                return 0;
            }
            let parts = site.by_file.iter().filter(|part| is_it(part));
            parts.map(&of).fold(0, u64::saturating_add)
        })
    }

    /// The place that has most of a sum over the calls of some functions.
    pub fn place_of(
        &self,
        wanted: impl Fn(Known) -> bool,
        of: impl Fn(&Site) -> u64,
    ) -> Option<String> {
        self.place(|site| match Known::from_name(&site.function) {
            Some(known) if wanted(known) => of(site),
            _ => 0,
        })
    }

    /// The files that calls of some functions were about, and how many calls.
    pub fn files_of(&self, wanted: impl Fn(Known) -> bool) -> Vec<(&'a FileUse, u64)> {
        let Some(sites) = self.sites else {
            return Vec::new();
        };
        let stacks = &sites.stacks;
        let mut calls = vec![0_u64; stacks.files.len()];
        let is_wanted = |site: &&Site| Known::from_name(&site.function).is_some_and(&wanted);
        for site in stacks.sites.iter().filter(is_wanted) {
            for part in &site.by_file {
                if let Some(sum) = calls.get_mut(part.file as usize) {
                    *sum = sum.saturating_add(part.calls);
                }
            }
        }
        let of_sites = stacks
            .files
            .iter()
            .zip(calls)
            .filter(|&(_, calls)| calls > 0);
        let listed = of_sites.filter_map(|(file, calls)| {
            let mut listed = self.files();
            let is_it = |of: &&FileUse| of.name == file.name && of.kind == file.kind;
            Some((listed.find(is_it)?, calls))
        });
        listed.collect()
    }

    /// Where a call was made that had not returned.
    pub fn place_of_call(&self, process: &Process, call: &InFlight) -> Option<String> {
        self.sites?.place_of_call(process, call)
    }

    /// What a place is called: its function, and the line with most calls. None where nothing of its stacks is known.
    pub fn name_of(&self, placed: &Placed<'_>) -> Option<String> {
        let sites = self.sites?;
        let with_frame = placed.sites.iter().filter(|site| site.frame.is_some());
        let most = with_frame.max_by_key(|site| site.calls)?;
        let point = most.frame.map(|frame| self.users[frame as usize]);
        Some(sites.place(point))
    }
}
