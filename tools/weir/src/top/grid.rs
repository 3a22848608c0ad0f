//! Rows and columns, how they are sorted and written.

use std::cmp::Ordering;

use super::looking::View;
use crate::report::page::{Cell, Column, Table};
use crate::units::{self, Unit};

/// What stands in one place.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(String),
    Number(f64),
    /// An estimate.
    About(f64),
    /// Not known.
    None,
}

/// A column: its title, and how its values are written.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub title: &'static str,
    kind: Kind,
    rank: u8,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Name,
    Path,
    /// Exact, or for each second.
    Of(Unit),
    /// A part of the time, of one thread: 1 is all of it.
    Share,
    /// An identifier.
    Id,
}

/// Rows, each with a value for each column.
#[derive(Debug)]
pub struct Grid {
    pub fields: Vec<Field>,
    pub rows: Vec<Vec<Value>>,
}

/// A column of names.
pub const fn name(title: &'static str) -> Field {
    Field {
        title,
        kind: Kind::Name,
        rank: 0,
    }
}

/// A column of paths, of which the end matters more.
pub const fn path(title: &'static str) -> Field {
    Field {
        title,
        kind: Kind::Path,
        rank: 0,
    }
}

/// A column of numbers.
pub const fn of(title: &'static str, unit: Unit, rank: u8) -> Field {
    Field {
        title,
        kind: Kind::Of(unit),
        rank,
    }
}

/// A column of parts of the time, of one thread.
pub const fn share(title: &'static str, rank: u8) -> Field {
    Field {
        title,
        kind: Kind::Share,
        rank,
    }
}

/// A column of identifiers.
pub const fn id(title: &'static str, rank: u8) -> Field {
    Field {
        title,
        kind: Kind::Id,
        rank,
    }
}

impl Field {
    /// The same with another rank: columns of the highest rank go first where there is no room.
    pub const fn of_rank(self, rank: u8) -> Field {
        Field { rank, ..self }
    }

    fn column(&self) -> Column {
        match self.kind {
            Kind::Name => Column::name(self.title, self.rank, 12),
            Kind::Path => Column::path(self.title, self.rank, 16),
            Kind::Of(_) | Kind::Share | Kind::Id => Column::number(self.title, self.rank),
        }
    }

    fn shown(&self, value: &Value) -> String {
        let number = match value {
            Value::Text(text) => return text.clone(),
            Value::None => return units::NONE.to_owned(),
            Value::About(number) => return format!("≈{}", self.shown(&Value::Number(*number))),
            Value::Number(number) => *number,
        };
        match self.kind {
            Kind::Share => format!("{:.1} %", number * 100.0),
            Kind::Id => format!("{number:.0}"),
            // Less than ten a second are not none.
            Kind::Of(Unit::Count) if number > 0.0 && number < 10.0 && number.fract() != 0.0 => {
                format!("{number:.1}")
            }
            Kind::Of(unit) => unit.shown(number.round() as i128),
            Kind::Name | Kind::Path => number.to_string(),
        }
    }
}

impl Grid {
    /// The rows that are wanted, in order.
    pub fn table(&self, view: &View) -> Table {
        let columns: Vec<Column> = self.fields.iter().map(Field::column).collect();
        let mut table = Table::new(columns);
        for row in self.in_order(view) {
            let cells = self.fields.iter().zip(row);
            let cells = cells.map(|(field, value)| Cell::new(field.shown(value)));
            table.push(cells.collect::<Vec<Cell>>());
        }
        table
    }

    fn in_order(&self, view: &View) -> Vec<&Vec<Value>> {
        let wanted = view.filter.to_lowercase();
        let is_wanted = |row: &&Vec<Value>| {
            wanted.is_empty()
                || row.iter().any(|value| match value {
                    Value::Text(text) => text.to_lowercase().contains(&wanted),
                    _ => false,
                })
        };
        let mut rows: Vec<&Vec<Value>> = self.rows.iter().filter(is_wanted).collect();
        let column = view.sort.min(self.fields.len().saturating_sub(1));
        rows.sort_by(|a, b| {
            let order = match (&a[column], &b[column]) {
                (Value::Number(a) | Value::About(a), Value::Number(b) | Value::About(b)) => {
                    b.total_cmp(a)
                }
                (Value::Text(a), Value::Text(b)) => a.cmp(b),
                // What is not known comes last.
                (Value::None, Value::None) => Ordering::Equal,
                (Value::None, _) => Ordering::Greater,
                _ => Ordering::Less,
            };
            if view.is_reversed {
                order.reverse()
            } else {
                order
            }
        });
        rows
    }
}
