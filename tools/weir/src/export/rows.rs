//! Tables as lines: CSV (RFC 4180), and JSON objects.

use std::io::{self, Write};

use serde_json::Value;

use super::tables::Table;

/// A line with the names of the columns, and one for each row. What is not known is empty.
pub fn write_csv(table: &Table, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(&table.columns)?;
    for row in &table.rows {
        writer.write_record(row.iter().map(|value| match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }))?;
    }
    writer.flush()
}

/// An object in each line. What is not known is null.
pub fn write_ndjson(table: &Table, out: &mut dyn Write) -> io::Result<()> {
    for row in &table.rows {
        serde_json::to_writer(&mut *out, &table.object(row))?;
        out.write_all(b"\n")?;
    }
    Ok(())
}
