//! Latencies over time, in bounded memory: timed calls by columns of time and rows of latency.
//!
//! All samples of a look at the rings are in one column. They are counted in an array, which is emptied into a list of cells
//! when the next column begins: a sample takes an addition, and a process takes memory for the cells that it has.

mod together;

use std::collections::BTreeMap;

use weir_record::functions::Function;

use crate::activity::{self, ACTIVITIES};
use crate::model::{LatencyCell, LatencyOverTime};

pub use together::together;

/// How wide a column is at first.
const FIRST_INTERVAL_NS: u64 = 5_000_000;
/// The most columns.
const MAX_COLUMNS: u64 = 200;
/// One for each value of [`row`].
const ROWS: usize = 128;

/// The cells so far.
#[derive(Debug)]
pub struct Grid {
    interval_ns: u64,
    /// The column of what is recorded next.
    column: u32,
    /// What that column has; none before the first sample.
    current: Option<Column>,
    /// Those of the columns before. A cell may be there twice, after two columns became one.
    cells: [Vec<LatencyCell>; ACTIVITIES.len()],
}

/// A column.
#[derive(Debug)]
struct Column {
    /// The place of a function's activity in [`ACTIVITIES`].
    activities: Vec<Option<usize>>,
    /// By activity and row.
    samples: Vec<[u64; ROWS]>,
    is_empty: bool,
}

impl Grid {
    /// An empty grid.
    pub const fn new() -> Grid {
        Grid {
            interval_ns: FIRST_INTERVAL_NS,
            column: 0,
            current: None,
            cells: [const { Vec::new() }; ACTIVITIES.len()],
        }
    }

    /// What is recorded from now on was taken so long after the image's start.
    pub fn advance(&mut self, at_ns: u64) {
        while at_ns / self.interval_ns >= MAX_COLUMNS {
            self.flush();
            self.interval_ns = self.interval_ns.saturating_mul(2);
            self.column /= 2;
            for cells in &mut self.cells {
                cells.iter_mut().for_each(|cell| cell.0 /= 2);
                settle(cells);
            }
        }
        // There are few columns.
        let column = (at_ns / self.interval_ns) as u32;
        if column != self.column {
            self.flush();
            self.column = column;
        }
    }

    /// Records a call that took so long.
    #[inline]
    pub fn record(&mut self, function: Function, ns: u64) {
        let current = self.current.get_or_insert_with(Column::new);
        let activity = current.activities.get(function.index()).copied().flatten();
        let rows = activity.and_then(|place| current.samples.get_mut(place));
        if let Some(samples) = rows.and_then(|rows| rows.get_mut(row(ns) as usize)) {
            *samples = samples.saturating_add(1);
            current.is_empty = false;
        }
    }

    /// All of it; none where nothing was recorded.
    pub fn found(&self) -> Option<LatencyOverTime> {
        let mut activities = BTreeMap::new();
        for (place, (name, cells)) in ACTIVITIES.iter().zip(&self.cells).enumerate() {
            let current = self.current.iter();
            let current = current.flat_map(|of| of.cells(place, self.column));
            let mut cells: Vec<LatencyCell> = cells.iter().copied().chain(current).collect();
            if !cells.is_empty() {
                settle(&mut cells);
                activities.insert((*name).to_owned(), cells);
            }
        }
        let interval_ns = self.interval_ns;
        (!activities.is_empty()).then_some(LatencyOverTime {
            interval_ns,
            activities,
        })
    }

    /// Empties the column into the cells.
    fn flush(&mut self) {
        let Some(current) = self.current.as_mut().filter(|of| !of.is_empty) else {
            return;
        };
        for (place, cells) in self.cells.iter_mut().enumerate() {
            cells.extend(current.cells(place, self.column));
        }
        current.samples.fill([0; ROWS]);
        current.is_empty = true;
    }
}

impl Column {
    fn new() -> Column {
        let activities = Function::ALL.into_iter().map(|function| {
            let name = activity::of(function)?;
            ACTIVITIES.iter().position(|&known| known == name)
        });
        Column {
            activities: activities.collect(),
            samples: vec![[0; ROWS]; ACTIVITIES.len()],
            is_empty: true,
        }
    }

    /// The cells of an activity that are not empty, if this is that column.
    fn cells(&self, activity: usize, column: u32) -> impl Iterator<Item = LatencyCell> {
        let rows = self.samples.get(activity).into_iter().flatten();
        (0..).zip(rows).filter_map(move |(row, &samples)| {
            (samples != 0).then_some(LatencyCell(column, row, samples))
        })
    }
}

/// The row of a latency: the integer part of the logarithm of its square to base 2.
fn row(ns: u64) -> u32 {
    let square = u128::from(ns) * u128::from(ns);
    square.checked_ilog2().unwrap_or(0)
}

/// Sorts cells, and makes one of those of the same place.
fn settle(cells: &mut Vec<LatencyCell>) {
    cells.sort_unstable_by_key(|cell| (cell.0, cell.1));
    cells.dedup_by(|next, kept| {
        let is_same = (next.0, next.1) == (kept.0, kept.1);
        if is_same {
            kept.2 = kept.2.saturating_add(next.2);
        }
        is_same
    });
}

#[cfg(test)]
mod tests {
    use weir_record::functions::{Family, Timing};

    use super::*;

    const MS: u64 = 1_000_000;

    fn triples(found: &LatencyOverTime, activity: &str) -> Vec<(u32, u32, u64)> {
        let cells = found.activities.get(activity).into_iter().flatten();
        cells.map(|cell| (cell.0, cell.1, cell.2)).collect()
    }

    #[test]
    fn rows_are_half_octaves() {
        // √2 × 2^k, rounded up, is the first of the upper half.
        for (ns, expected) in [
            (0, 0),
            (1, 0),
            (2, 2),
            (3, 3),
            (4, 4),
            (5, 4),
            (6, 5),
            (1023, 19),
            (1024, 20),
            (1448, 20),
            (1449, 21),
            (2047, 21),
            (2048, 22),
            (30_000_000, 49),
            (u64::MAX, 127),
        ] {
            assert_eq!(row(ns), expected, "{ns}");
        }
        for row_of in 20..128_u32 {
            // By other arithmetic.
            let from = 2_f64.powf(f64::from(row_of) / 2.0);
            let ns = (from * 1.001).ceil() as u64;
            assert_eq!(row(ns), row_of, "{ns}");
            assert_eq!(row((from * 0.999) as u64), row_of - 1, "{row_of}");
        }
    }

    #[test]
    fn calls_are_in_the_column_of_their_moment_and_the_row_of_their_latency() {
        let mut grid = Grid::new();
        assert_eq!(grid.found(), None);
        grid.advance(2 * MS);
        grid.record(Function::Malloc, 1000);
        assert_eq!(grid.found(), None, "an allocation is of no activity");
        grid.record(Function::Read, 1000);
        grid.record(Function::Write, 1023);
        grid.record(Function::Read, 70_000);
        grid.record(Function::Poll, 1000);
        grid.advance(4 * MS);
        grid.record(Function::Read, 1000);
        grid.advance(999 * MS);
        grid.record(Function::Read, 1000);
        let found = grid.found().expect("cells");
        assert_eq!(found.interval_ns, 5 * MS);
        let transfer = [(0, 19, 3), (0, 32, 1), (199, 19, 1)];
        assert_eq!(triples(&found, "transfer"), transfer);
        assert_eq!(triples(&found, "wait"), [(0, 19, 1)]);
        assert_eq!(found.activities.len(), 2);
        // It was a look.
        assert_eq!(grid.found(), Some(found));
    }

    #[test]
    fn neighbours_become_one_column_and_nothing_is_lost() {
        let mut grid = Grid::new();
        let mut expected: BTreeMap<(u64, u32), u64> = BTreeMap::new();
        let (mut count, mut at_ns) = (0_u64, 0);
        // Half a day, denser at first.
        while at_ns < 43_200_000 * MS {
            grid.advance(at_ns);
            for ns in [100, 5000, 5100] {
                grid.record(Function::Read, ns);
                *expected.entry((at_ns, row(ns))).or_default() += 1;
                count += 1;
            }
            at_ns += 3 * MS + at_ns / 100;
            let found = grid.found().expect("cells");
            let cells = triples(&found, "transfer");
            let sum: u64 = cells.iter().map(|cell| cell.2).sum();
            assert_eq!(sum, count);
            assert!(cells.iter().all(|cell| cell.0 < 200), "{cells:?}");
            let next = cells.iter().skip(1);
            assert!(cells.iter().zip(next).all(|(a, b)| (a.0, a.1) < (b.0, b.1)));
            let places: usize = grid.cells.iter().map(Vec::len).sum();
            assert!(places <= 200 * 2 + 2, "{places}");
        }
        let found = grid.found().expect("cells");
        assert!(found.interval_ns.is_multiple_of(5 * MS));
        assert!((found.interval_ns / (5 * MS)).is_power_of_two());
        let mut columns: BTreeMap<(u32, u32), u64> = BTreeMap::new();
        for ((at_ns, row), samples) in expected {
            let column = (at_ns / found.interval_ns) as u32;
            *columns.entry((column, row)).or_default() += samples;
        }
        let columns = columns.into_iter().map(|((c, r), samples)| (c, r, samples));
        assert_eq!(triples(&found, "transfer"), columns.collect::<Vec<_>>());
    }

    /// A clock that is not one.
    #[test]
    fn impossible_moments_and_latencies_are_held() {
        let mut grid = Grid::new();
        for at_ns in [u64::MAX, 0, u64::MAX - 1, 7 * MS, 0] {
            grid.advance(at_ns);
            grid.record(Function::Read, u64::MAX);
            grid.record(Function::Read, at_ns);
        }
        let found = grid.found().expect("cells");
        let cells = triples(&found, "transfer");
        assert_eq!(cells.iter().map(|cell| cell.2).sum::<u64>(), 10);
        assert!(cells.iter().all(|cell| cell.0 < 200 && cell.1 < 128));
    }

    #[test]
    fn each_function_that_is_always_timed_has_an_activity() {
        let column = Column::new();
        for function in Function::ALL {
            let place = column.activities[function.index()];
            let is_timed = function.row().family.timing() == Timing::Always;
            assert_eq!(place.is_some(), is_timed, "{function:?}");
        }
        let name = |function: Function| activity::of(function);
        assert_eq!(name(Function::Read), Some("transfer"));
        assert_eq!(name(Function::Malloc), None);
        assert!(Function::ALL.into_iter().any(|function| {
            function.row().family == Family::Lock && name(function) == Some("lock")
        }));
    }
}
