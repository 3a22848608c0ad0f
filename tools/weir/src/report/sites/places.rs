//! The places of the program that a number comes from.

use std::cell::OnceCell;
use std::collections::HashMap;

use weir_report::model::Process;

use super::sums;
use crate::cli::{Metric, SiteArgs};
use crate::sites::{Patterns, Sites, Wanted};

/// What a place comes to. A place is a function of the program that calls a function; lines change too easily.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Function, file and line.
    pub place: String,
    /// The same, and what it calls.
    pub name: String,
    /// The function and what it calls.
    pub key: (String, String),
    /// The sum.
    pub sum: u64,
}

/// The call sites of processes, named when they are first asked for.
pub struct Places<'r> {
    processes: Vec<&'r Process>,
    sites: OnceCell<Option<Sites>>,
}

impl<'r> Places<'r> {
    /// Those of some processes.
    pub fn of(processes: impl IntoIterator<Item = &'r Process>) -> Places<'r> {
        Places {
            processes: processes.into_iter().collect(),
            sites: OnceCell::new(),
        }
    }

    /// None where the processes have no call stacks.
    pub fn sites(&self) -> Option<&Sites> {
        let sites = self
            .sites
            .get_or_init(|| Sites::asked(&self.processes, &SiteArgs::default()).ok());
        sites.as_ref()
    }

    /// The sums of all lines that call a function, the greatest first: the key is the line in place of its function.
    pub fn lines(&self, metric: Metric, called: &str) -> Option<Vec<Place>> {
        let sites = self.sites()?;
        let wanted = sites.stacks.sites.iter();
        let wanted: Vec<bool> = wanted.map(|site| site.function == called).collect();
        let lines = sums(sites, &wanted, metric).into_iter().map(|of| Place {
            name: format!("{} by {}", of.called, of.place),
            key: (of.place.clone(), of.called),
            place: of.place,
            sum: of.sum,
        });
        Some(lines.collect())
    }

    /// The sums of all places, the greatest first: of calls of one function, or of all; without those whose stack has one of the
    /// patterns.
    pub fn sums(
        &self,
        metric: Metric,
        called: Option<&str>,
        ignore: &[String],
    ) -> Option<Vec<Place>> {
        let sites = self.sites()?;
        let wanted = Wanted {
            ignore: Patterns::of(ignore),
            ..Wanted::default()
        };
        let mut wanted = sites.wanted(&wanted);
        for (is_wanted, site) in wanted.iter_mut().zip(&sites.stacks.sites) {
            *is_wanted &= called.is_none_or(|called| called == site.function);
        }
        let mut places: Vec<Place> = Vec::new();
        let mut known: HashMap<(String, String), usize> = HashMap::new();
        for of in sums(sites, &wanted, metric) {
            let key = (of.function, of.called);
            if let Some(&at) = known.get(&key) {
                let place: &mut Place = &mut places[at];
                place.sum = place.sum.saturating_add(of.sum);
                // It has several lines: none of them is the place.
                place.place.clone_from(&key.0);
                place.name = format!("{} by {}", key.1, key.0);
                continue;
            }
            known.insert(key.clone(), places.len());
            places.push(Place {
                name: format!("{} by {}", key.1, of.place),
                place: of.place,
                key,
                sum: of.sum,
            });
        }
        places.sort_by_key(|place| std::cmp::Reverse(place.sum));
        Some(places)
    }
}

/// The places that have grown most since before, at most so many, with how much; all of them where there is no before.
pub fn grown(now: Vec<Place>, before: Option<Vec<Place>>, count: usize) -> Vec<(String, u64)> {
    let before: HashMap<(String, String), u64> = before
        .unwrap_or_default()
        .into_iter()
        .map(|place| (place.key, place.sum))
        .collect();
    let mut grown: Vec<(String, u64)> = now
        .into_iter()
        .map(|place| {
            let was = before.get(&place.key).copied().unwrap_or(0);
            (place.name, place.sum.saturating_sub(was))
        })
        .filter(|(_, by)| *by > 0)
        .collect();
    grown.sort_by_key(|(_, by)| std::cmp::Reverse(*by));
    grown.truncate(count);
    grown
}
