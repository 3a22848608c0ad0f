//! A table as a Parquet file, row by row.

use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical, ZstdLevel};
use parquet::column::writer::ColumnWriterImpl;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::Result;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};
use serde_json::Value;

use super::super::columns::{Column, Kind};

/// The rows of a row group. Readers skip whole groups by the least and the largest value of a column, and divide work by groups.
const GROUP_ROWS: usize = 100_000;

/// The level of compression at which a file is small and is written about as fast as at the lowest.
const ZSTD_LEVEL: i32 = 3;

/// A value.
#[derive(Clone, Copy, Debug)]
pub enum Cell<'a> {
    Nothing,
    Number(i64),
    Text(&'a str),
}

/// Parquet's unsigned numbers are no numbers to every reader: what is beyond an `i64` is held at its end.
impl From<u64> for Cell<'_> {
    fn from(number: u64) -> Self {
        Cell::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<i64> for Cell<'_> {
    fn from(number: i64) -> Self {
        Cell::Number(number)
    }
}

impl From<u32> for Cell<'_> {
    fn from(number: u32) -> Self {
        Cell::Number(number.into())
    }
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        Cell::Text(text)
    }
}

impl<'a, T: Into<Cell<'a>>> From<Option<T>> for Cell<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Cell::Nothing, Into::into)
    }
}

/// A value of the other formats of tables.
impl<'a> From<&'a Value> for Cell<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::String(text) => text.as_str().into(),
            Value::Number(number) => match number.as_i64() {
                Some(number) => Cell::Number(number),
                None => number.as_u64().into(),
            },
            _ => Cell::Nothing,
        }
    }
}

/// A table that is being written.
pub struct Writer {
    file: SerializedFileWriter<File>,
    columns: Vec<Values>,
    rows: usize,
}

impl Writer {
    /// An empty table. `sorted_by` are the columns by which its rows will come in order.
    pub fn new(to: File, table: &str, columns: &[Column], sorted_by: &[&str]) -> Result<Writer> {
        let place = |name: &&str| columns.iter().position(|column| column.name == *name);
        let sorting = sorted_by
            .iter()
            .filter_map(place)
            .map(|place| SortingColumn {
                column_idx: place as i32,
                descending: false,
                nulls_first: true,
            });
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
            // A file of a run has few pages: an index of them would be larger than what it saves.
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            .set_sorting_columns(Some(sorting.collect()))
            .set_created_by(concat!("weir ", env!("CARGO_PKG_VERSION")).to_owned());
        Ok(Writer {
            file: SerializedFileWriter::new(
                to,
                schema(table, columns)?,
                Arc::new(properties.build()),
            )?,
            columns: columns.iter().map(Values::new).collect(),
            rows: 0,
        })
    }

    /// Adds a row: a value for each column.
    pub fn row<'a>(&mut self, cells: impl IntoIterator<Item = Cell<'a>>) -> Result<()> {
        let mut cells = cells.into_iter();
        for column in &mut self.columns {
            column.add(cells.next().unwrap_or(Cell::Nothing));
        }
        debug_assert!(cells.next().is_none(), "a cell without a column");
        self.rows += 1;
        match self.rows {
            GROUP_ROWS => self.end_group(),
            _ => Ok(()),
        }
    }

    /// Ends the file.
    pub fn finish(mut self) -> Result<()> {
        if self.rows > 0 {
            self.end_group()?;
        }
        self.file.finish()?;
        Ok(())
    }

    fn end_group(&mut self) -> Result<()> {
        let mut group = self.file.next_row_group()?;
        for values in &mut self.columns {
            let Some(mut column) = group.next_column()? else {
                break;
            };
            match values {
                Values::Numbers(numbers) => numbers.write(column.typed::<Int64Type>())?,
                Values::Texts { texts, known } => {
                    texts.write(column.typed::<ByteArrayType>())?;
                    known.clear();
                }
            }
            column.close()?;
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }
}

fn schema(table: &str, columns: &[Column]) -> Result<TypePtr> {
    let column = |of: &Column| {
        let (physical, logical) = match of.kind {
            Kind::Number => (Physical::INT64, None),
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        };
        let repetition = match of.is_optional {
            true => Repetition::OPTIONAL,
            false => Repetition::REQUIRED,
        };
        let column = Type::primitive_type_builder(of.name, physical)
            .with_logical_type(logical)
            .with_repetition(repetition);
        Ok(Arc::new(column.build()?))
    };
    let columns: Result<Vec<TypePtr>> = columns.iter().map(column).collect();
    let table = Type::group_type_builder(table).with_fields(columns?);
    Ok(Arc::new(table.build()?))
}

/// The values of a column in a row group.
enum Values {
    Numbers(Present<Int64Type>),
    Texts {
        texts: Present<ByteArrayType>,
        /// Each text is kept once.
        known: HashMap<Box<str>, ByteArray>,
    },
}

impl Values {
    fn new(column: &Column) -> Values {
        match column.kind {
            Kind::Number => Values::Numbers(Present::new(column, 0)),
            Kind::Text => Values::Texts {
                texts: Present::new(column, ByteArray::from(Vec::new())),
                known: HashMap::new(),
            },
        }
    }

    /// Adds a value. Where the column is required, what is missing or of another kind is 0, or no text.
    fn add(&mut self, cell: Cell<'_>) {
        match self {
            Values::Numbers(numbers) => numbers.add(match cell {
                Cell::Number(number) => Some(number),
                _ => None,
            }),
            Values::Texts { texts, known } => texts.add(match cell {
                Cell::Text(text) => Some(match known.get(text) {
                    Some(known) => known.clone(),
                    None => {
                        let bytes = ByteArray::from(text.as_bytes().to_vec());
                        known.insert(text.into(), bytes.clone());
                        bytes
                    }
                }),
                _ => None,
            }),
        }
    }
}

/// Those values that there are, and for an optional column which rows have one.
struct Present<T: DataType> {
    values: Vec<T::T>,
    levels: Option<Vec<i16>>,
    /// What stands for a missing value where there must be one.
    missing: T::T,
}

impl<T: DataType> Present<T> {
    fn new(column: &Column, missing: T::T) -> Present<T> {
        Present {
            values: Vec::new(),
            levels: column.is_optional.then(Vec::new),
            missing,
        }
    }

    fn add(&mut self, value: Option<T::T>) {
        let Some(levels) = &mut self.levels else {
            let missing = || self.missing.clone();
            self.values.push(value.unwrap_or_else(missing));
            return;
        };
        levels.push(value.is_some().into());
        self.values.extend(value);
    }

    fn write(&mut self, column: &mut ColumnWriterImpl<'_, T>) -> Result<()> {
        column.write_batch(&self.values, self.levels.as_deref(), None)?;
        self.values.clear();
        self.levels.iter_mut().for_each(Vec::clear);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;

    /// A table, and a reader of its file.
    fn table(columns: &[Column], fill: impl FnOnce(&mut Writer)) -> SerializedFileReader<File> {
        let file = tempfile::tempfile().expect("a file");
        let other = file.try_clone().expect("a descriptor");
        let mut writer = Writer::new(other, "table", columns, &["n"]).expect("a table");
        fill(&mut writer);
        writer.finish().expect("written");
        SerializedFileReader::new(file).expect("Parquet")
    }

    #[test]
    fn numbers_beyond_64_bits_with_a_sign_are_held_at_the_end() {
        for (number, expected) in [
            (0, 0),
            (i64::MAX as u64, i64::MAX),
            (i64::MAX as u64 + 1, i64::MAX),
            (u64::MAX, i64::MAX),
        ] {
            let value = Value::from(number);
            for cell in [Cell::from(number), Cell::from(&value)] {
                assert!(
                    matches!(cell, Cell::Number(found) if found == expected),
                    "{number}: {cell:?}"
                );
            }
        }
        let value = Value::from(-5);
        assert!(matches!(Cell::from(&value), Cell::Number(-5)));
    }

    #[test]
    fn a_group_has_100_000_rows() {
        let columns = [Column::number("n"), Column::text("t").optional()];
        let reader = table(&columns, |writer| {
            for n in 0..250_000 {
                let text = (n % 2 == 0).then_some("even");
                writer.row([Cell::Number(n), text.into()]).expect("written");
            }
        });
        let groups = reader.metadata().row_groups();
        let rows: Vec<i64> = groups.iter().map(|group| group.num_rows()).collect();
        assert_eq!(rows, [100_000, 100_000, 50_000]);
        let sorted = groups[2].sorting_columns().expect("an order");
        assert_eq!((sorted.len(), sorted[0].column_idx), (1, 0));
        for (n, row) in (0..).zip(reader.get_row_iter(None).expect("rows")) {
            let row = row.expect("a row").into_columns();
            let text = match n % 2 {
                0 => Field::Str("even".to_owned()),
                _ => Field::Null,
            };
            let expected = [("n".to_owned(), Field::Long(n)), ("t".to_owned(), text)];
            assert_eq!(row, expected);
        }
    }

    #[test]
    fn a_table_may_be_empty() {
        let reader = table(&[Column::number("n")], |_| {});
        assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
    }
}
