//! The call sites with the greatest sums.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::super::page::{Cell, Column, Page, Table};
use super::{Options, Part};
use crate::cli::{Group, Metric};
use crate::sites::{Ages, NAME, NO_STACK, PointId, Sites, shortened};
use crate::{text, units};

/// All sites of one function that have the same place in the program.
#[derive(Default)]
pub struct Line {
    /// What is summed.
    pub sum: u64,
    /// How often the function was called, or how many blocks it made that are live ([`Metric::count`]).
    pub count: u64,
    /// How long the blocks lived that the function made.
    pub ages: Ages,
}

impl Line {
    /// When what is live was made, or else how long blocks lived that were freed. Nothing where that is not known.
    pub fn age(&self, sites: &Sites, metric: Metric) -> Option<String> {
        match metric {
            Metric::Live => self.ages.made(sites.longest_ms),
            _ => self.ages.lived(),
        }
    }
}

pub fn show(page: &mut Page, sites: &Sites, wanted: &[bool], part: &Part, options: &Options) {
    page.heading(part.title(), &part.aside());
    let lines = lines(sites, wanted, part);
    let metric = part.metric;
    let mut table = Table::new([
        Column::number("share", 0),
        Column::number(metric.title(), 0),
        Column::number(metric.count_title(), 3),
        Column::number(
            if metric == Metric::Live {
                "made"
            } else {
                "lived"
            },
            4,
        ),
        Column::name("called", 2, 8),
        Column::name("by", 0, 16),
        Column::path("at", 1, 12),
    ]);
    let (shown, more) = lines.split_at(lines.len().min(options.top));
    for ((called, point), line) in shown {
        let point = point.map(|point| sites.points.get(point));
        table.push([
            Cell::new(units::share(line.sum, part.total)),
            Cell::new(metric.shown(line.sum)),
            Cell::new(match metric {
                Metric::Calls => units::NONE.to_owned(),
                _ => units::count(line.count),
            }),
            Cell::new(line.age(sites, metric).unwrap_or(units::NONE.to_owned())),
            Cell::new(called),
            Cell::new(point.map_or(NO_STACK.to_owned(), |point| {
                shortened(&point.function, NAME)
            })),
            Cell::new(match point.map(|point| point.whole_place()) {
                Some(place) if !place.is_empty() => place,
                _ => units::NONE.to_owned(),
            }),
        ]);
    }
    page.table(table.without_empty_columns());
    if !more.is_empty() {
        let sum = more
            .iter()
            .fold(0, |sum: u64, (_, line)| sum.saturating_add(line.sum));
        page.remark(&format!(
            "and {}: {}",
            text::counted(more.len() as u64, "more", "more"),
            units::share(sum, part.total)
        ));
    }
}

/// The lines, the greatest first.
pub fn lines<'s>(
    sites: &'s Sites,
    wanted: &[bool],
    part: &Part,
) -> Vec<((&'s str, Option<PointId>), Line)> {
    let users = sites.users();
    let mut lines: Vec<((&str, Option<PointId>), Line)> = Vec::new();
    let mut known = HashMap::new();
    for (site, &is_wanted) in sites.stacks.sites.iter().zip(wanted) {
        let sum = part.metric.of(site);
        if !is_wanted || sum == 0 || Group::of(&site.function) != part.group {
            continue;
        }
        let point = site.frame.map(|frame| users[frame as usize]);
        let key = (site.function.as_str(), point);
        let place = *known.entry(key).or_insert_with(|| {
            lines.push((key, Line::default()));
            lines.len() - 1
        });
        let line = &mut lines[place].1;
        line.sum = line.sum.saturating_add(sum);
        line.count = line.count.saturating_add(part.metric.count(site));
        line.ages.add(site.lifetimes.as_ref());
    }
    // Stable: equal ones stay as the report has them.
    lines.sort_by_key(|(_, line)| Reverse((line.sum, line.count)));
    lines
}
