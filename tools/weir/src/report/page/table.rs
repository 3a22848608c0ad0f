//! Tables that leave out their least important columns rather than wrap their rows.

use comfy_table::{
    Attribute, CellAlignment, Color, ColumnConstraint, ContentArrangement, Width, presets,
};

use crate::{text, units};

/// Between two columns.
const GAP: usize = 2;

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    title: &'static str,
    /// Columns of the highest rank go first where there is no room; those of rank 0 never go.
    rank: u8,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Aligned right.
    Number,
    /// Aligned left, the end cut off down to so many columns.
    Name(usize),
    /// Aligned left, the beginning cut off down to so many columns.
    Path(usize),
}

impl Column {
    /// Numbers.
    pub const fn number(title: &'static str, rank: u8) -> Column {
        Column {
            title,
            rank,
            kind: Kind::Number,
        }
    }

    /// Names, cut where there is too little room, but not below `least` columns.
    pub const fn name(title: &'static str, rank: u8, least: usize) -> Column {
        Column {
            title,
            rank,
            kind: Kind::Name(least),
        }
    }

    /// Paths, the beginning cut off where there is too little room, but not below `least` columns.
    pub const fn path(title: &'static str, rank: u8, least: usize) -> Column {
        Column {
            title,
            rank,
            kind: Kind::Path(least),
        }
    }

    /// The fewest columns of the terminal that it can do with.
    fn least(&self, natural: usize) -> usize {
        match self.kind {
            Kind::Number => natural,
            Kind::Name(least) | Kind::Path(least) => {
                natural.min(least.max(text::width(self.title)))
            }
        }
    }
}

/// What stands in one place of a table.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    is_alarming: bool,
}

impl Cell {
    /// Text, which is made printable.
    pub fn new(text: impl AsRef<str>) -> Cell {
        Cell {
            text: text::printable(text.as_ref()).into_owned(),
            is_alarming: false,
        }
    }

    /// Text that should be noticed.
    pub fn alarming(text: impl AsRef<str>) -> Cell {
        Cell {
            is_alarming: true,
            ..Cell::new(text)
        }
    }
}

/// Columns and rows.
#[derive(Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

/// A table's columns that fit, and how wide they may be.
pub struct Fitted {
    table: Table,
    /// The place of each column in the table, and its width.
    shown: Vec<(usize, usize)>,
    /// The titles of the columns that are not shown.
    pub left_out: Vec<&'static str>,
}

impl Table {
    /// A table without rows.
    pub fn new(columns: impl Into<Vec<Column>>) -> Table {
        Table {
            columns: columns.into(),
            rows: Vec::new(),
        }
    }

    /// Adds a row, a cell for each column.
    pub fn push(&mut self, row: impl Into<Vec<Cell>>) {
        let row = row.into();
        debug_assert_eq!(row.len(), self.columns.len());
        self.rows.push(row);
    }

    /// Without the columns that may be left out and have nothing in any row.
    pub fn without_empty_columns(mut self) -> Table {
        let is_kept: Vec<bool> = (0..self.columns.len())
            .map(|place| {
                self.columns[place].rank == 0
                    || self.rows.iter().any(|row| row[place].text != units::NONE)
            })
            .collect();
        let mut kept = is_kept.iter();
        self.columns.retain(|_| kept.next() == Some(&true));
        for row in &mut self.rows {
            let mut kept = is_kept.iter();
            row.retain(|_| kept.next() == Some(&true));
        }
        self
    }

    /// Decides which columns to show in so many columns of a terminal, and how wide.
    pub fn fitted(self, room: usize) -> Fitted {
        let natural: Vec<usize> = (0..self.columns.len())
            .map(|place| self.natural(place))
            .collect();
        let least = |place: usize| self.columns[place].least(natural[place]);
        let total = |shown: &[usize], width: &dyn Fn(usize) -> usize| -> usize {
            shown
                .iter()
                .map(|&place| width(place) + GAP)
                .sum::<usize>()
                .saturating_sub(GAP)
        };

        let mut shown: Vec<usize> = (0..self.columns.len()).collect();
        while total(&shown, &least) > room {
            let droppable = shown
                .iter()
                .enumerate()
                .filter(|&(_, &place)| self.columns[place].rank > 0);
            match droppable.max_by_key(|&(_, &place)| self.columns[place].rank) {
                Some((position, _)) => drop(shown.remove(position)),
                None => break,
            }
        }

        // What room is left goes to the columns that were cut, from the left.
        let mut spare = room.saturating_sub(total(&shown, &least));
        let widths = shown.iter().map(|&place| {
            let more = spare.min(natural[place] - least(place));
            spare -= more;
            (place, least(place) + more)
        });
        let widths: Vec<(usize, usize)> = widths.collect();
        let left_out = (0..self.columns.len())
            .filter(|place| !shown.contains(place))
            .map(|place| self.columns[place].title)
            .collect();
        Fitted {
            table: self,
            shown: widths,
            left_out,
        }
    }

    /// The width at which nothing of a column is cut.
    fn natural(&self, place: usize) -> usize {
        let cells = self.rows.iter().map(|row| text::width(&row[place].text));
        cells
            .max()
            .unwrap_or(0)
            .max(text::width(self.columns[place].title))
    }
}

impl Fitted {
    /// The table's lines.
    pub fn lines(&self, coloured: bool) -> Vec<String> {
        let mut out = comfy_table::Table::new();
        out.load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled);
        match coloured {
            true => out.enforce_styling(),
            false => out.force_no_tty(),
        };
        out.style_text_only();
        out.set_header(self.shown.iter().map(|&(place, _)| {
            comfy_table::Cell::new(self.table.columns[place].title)
                .add_attribute(Attribute::Underlined)
        }));
        for row in &self.table.rows {
            out.add_row(
                self.shown
                    .iter()
                    .map(|&(place, width)| self.cell(&row[place], place, width)),
            );
        }
        for (position, &(place, width)) in self.shown.iter().enumerate() {
            let Some(column) = out.column_mut(position) else {
                continue;
            };
            let gap = if position == 0 { 0 } else { GAP as u16 };
            column.set_padding((gap, 0));
            column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width as u16 + gap)));
            column.set_cell_alignment(match self.table.columns[place].kind {
                Kind::Number => CellAlignment::Right,
                Kind::Name(_) | Kind::Path(_) => CellAlignment::Left,
            });
        }
        out.lines().map(|line| line.trim_end().to_owned()).collect()
    }

    fn cell(&self, cell: &Cell, place: usize, width: usize) -> comfy_table::Cell {
        let text = match self.table.columns[place].kind {
            Kind::Number => cell.text.as_str().into(),
            Kind::Name(_) => text::cut(&cell.text, width),
            Kind::Path(_) => text::cut_front(&cell.text, width),
        };
        let out = comfy_table::Cell::new(text);
        match cell.is_alarming {
            true => out.fg(Color::Red).add_attribute(Attribute::Bold),
            false => out,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::new([
            Column::name("name", 0, 6),
            Column::number("kept", 0),
            Column::number("first to go", 9),
            Column::name("path", 1, 10),
        ]);
        table.push(["a rather long name", "1", "22", "/a/long/path/to/a/file"].map(Cell::new));
        table.push(["漢字", "1,000", "3", "/b"].map(Cell::new));
        table
    }

    #[test]
    fn nothing_is_left_out_where_there_is_room() {
        let fitted = sample().fitted(80);
        assert_eq!(fitted.left_out, Vec::<&str>::new());
        assert_eq!(
            fitted.lines(false),
            [
                "name                 kept  first to go  path",
                "a rather long name      1           22  /a/long/path/to/a/file",
                "漢字                1,000            3  /b",
            ]
        );
    }

    #[test]
    fn names_are_cut_before_a_column_goes() {
        let fitted = sample().fitted(40);
        assert_eq!(fitted.left_out, Vec::<&str>::new());
        assert_eq!(
            fitted.lines(false),
            [
                "name       kept  first to go  path",
                "a rathe…      1           22  /a/long/p…",
                "漢字      1,000            3  /b",
            ]
        );
    }

    #[test]
    fn the_least_important_column_goes_first() {
        assert_eq!(sample().fitted(34).left_out, ["first to go"]);
        assert_eq!(sample().fitted(20).left_out, ["first to go", "path"]);
        assert_eq!(
            sample().fitted(1).left_out,
            ["first to go", "path"],
            "the others always stay"
        );
    }

    #[test]
    fn paths_lose_their_beginning() {
        let mut table = Table::new([Column::path("path", 0, 8), Column::number("n", 0)]);
        table.push(["/a/long/path/to/a/file", "1"].map(Cell::new));
        assert_eq!(
            table.fitted(13).lines(false),
            ["path        n", "…to/a/file  1"]
        );
    }

    #[test]
    fn columns_with_nothing_in_them_go_unless_they_are_essential() {
        let columns = [
            Column::name("name", 0, 6),
            Column::number("essential", 0),
            Column::number("none", 2),
            Column::number("some", 1),
        ];
        let mut table = Table::new(columns);
        table.push(["a", units::NONE, units::NONE, units::NONE].map(Cell::new));
        table.push(["b", units::NONE, units::NONE, "7"].map(Cell::new));
        let fitted = table.without_empty_columns().fitted(80);
        assert_eq!(
            fitted.lines(false),
            [
                "name  essential  some",
                "a             –     –",
                "b             –     7"
            ]
        );
        assert_eq!(fitted.left_out, Vec::<&str>::new());
    }

    #[test]
    fn no_line_is_wider_than_the_room() {
        for room in 13..70 {
            for line in sample().fitted(room).lines(false) {
                assert!(text::width(&line) <= room, "{line:?} in {room}");
            }
        }
    }

    #[test]
    fn a_cell_cannot_command_the_terminal() {
        let mut table = Table::new([Column::name("name", 0, 6)]);
        table.push([Cell::alarming("a\x1b[2Jb\nc")]);
        let lines = table.fitted(80).lines(false);
        assert_eq!(lines, ["name", "a\\u{1b}[2Jb\\nc"]);
    }
}
