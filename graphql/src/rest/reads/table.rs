//! Tables: the same rows as CSV and as a stream of Arrow.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Float64Builder, PrimitiveBuilder, StringBuilder, UInt8Builder, UInt16Builder,
    UInt32Builder, UInt64Builder,
};
use arrow_array::types::{ArrowPrimitiveType, Decimal256Type};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema};

use super::value::{Cell, Column, Kind, Shown};

/// Digits of the widest number.
const DIGITS: u8 = 39;

/// Rows under columns.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<Cell<'a>>>,
}

impl<'a> Table<'a> {
    /// A row for each record.
    pub(crate) fn of<T: Shown + 'a>(records: impl IntoIterator<Item = &'a T>) -> Self {
        let mut columns = Vec::new();
        T::columns("", &mut columns);
        let row = |record| {
            let mut cells = Vec::with_capacity(columns.len());
            T::cells(Some(record), &mut cells);
            cells
        };
        let rows = records.into_iter().map(row).collect();
        Self { columns, rows }
    }

    /// As CSV (RFC 4180) with a header row. Null is an empty cell and empty text is `""`. Text is
    /// quoted, and text that a spreadsheet would take for a formula has `'` before it.
    pub(crate) fn csv(&self) -> Vec<u8> {
        let mut out = String::new();
        for (place, column) in self.columns.iter().enumerate() {
            if place > 0 {
                out.push(',');
            }
            out.push_str(&column.name);
        }
        out.push_str("\r\n");
        for row in &self.rows {
            for (place, cell) in row.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write_cell(cell, &mut out);
            }
            out.push_str("\r\n");
        }
        out.into_bytes()
    }

    /// As an Arrow IPC stream whose schema carries `metadata`. Every integer is exact: up to 64
    /// bits unsigned integers, above them decimals of 39 digits.
    pub(crate) fn arrow(&self, metadata: &[(&str, String)]) -> Result<Vec<u8>, ArrowError> {
        let fields: Vec<Field> = self
            .columns
            .iter()
            .map(|column| Field::new(&column.name, data_type(column.kind), true))
            .collect();
        let metadata: HashMap<String, String> = metadata
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        let schema = Arc::new(Schema::new_with_metadata(fields, metadata));
        let arrays = self.columns.iter().enumerate();
        let arrays = arrays.map(|(place, column)| self.array(place, column.kind));
        let arrays: Vec<ArrayRef> = arrays.collect::<Result<_, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows.len()));
        let batch = RecordBatch::try_new_with_options(schema.clone(), arrays, &options)?;
        let mut out = Vec::new();
        let mut writer = StreamWriter::try_new(&mut out, &schema)?;
        writer.write(&batch)?;
        writer.finish()?;
        drop(writer);
        Ok(out)
    }

    fn array(&self, place: usize, kind: Kind) -> Result<ArrayRef, ArrowError> {
        let cells = || self.rows.iter().map(move |row| row.get(place));
        let whole = |cell: Option<&Cell<'_>>| match cell {
            Some(Cell::Whole(value)) => Some(*value),
            _ => None,
        };
        macro_rules! numbers {
            ($builder:ident) => {{
                let mut builder = $builder::with_capacity(self.rows.len());
                for cell in cells() {
                    // A cell is made from a value of its column's width.
                    builder.append_option(whole(cell).and_then(|value| value.try_into().ok()));
                }
                Arc::new(builder.finish()) as ArrayRef
            }};
        }
        Ok(match kind {
            Kind::U8 => numbers!(UInt8Builder),
            Kind::U16 => numbers!(UInt16Builder),
            Kind::U32 => numbers!(UInt32Builder),
            Kind::U64 => numbers!(UInt64Builder),
            Kind::U128 => {
                type Decimal = <Decimal256Type as ArrowPrimitiveType>::Native;
                let builder = PrimitiveBuilder::<Decimal256Type>::with_capacity(self.rows.len());
                let mut builder = builder.with_precision_and_scale(DIGITS, 0)?;
                for cell in cells() {
                    builder.append_option(match cell {
                        Some(Cell::Wide(value)) => Some(Decimal::from_parts(*value, 0)),
                        _ => None,
                    });
                }
                Arc::new(builder.finish())
            }
            Kind::Bool => {
                let mut builder = BooleanBuilder::with_capacity(self.rows.len());
                for cell in cells() {
                    builder.append_option(match cell {
                        Some(Cell::Bool(value)) => Some(*value),
                        _ => None,
                    });
                }
                Arc::new(builder.finish())
            }
            Kind::F64 => {
                let mut builder = Float64Builder::with_capacity(self.rows.len());
                for cell in cells() {
                    builder.append_option(match cell {
                        Some(Cell::Float(value)) => Some(*value),
                        _ => None,
                    });
                }
                Arc::new(builder.finish())
            }
            Kind::Text => {
                let mut builder = StringBuilder::new();
                for cell in cells() {
                    match cell {
                        Some(Cell::Text(text)) => builder.append_value(text),
                        _ => builder.append_null(),
                    }
                }
                Arc::new(builder.finish())
            }
        })
    }
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Bool => DataType::Boolean,
        Kind::U8 => DataType::UInt8,
        Kind::U16 => DataType::UInt16,
        Kind::U32 => DataType::UInt32,
        Kind::U64 => DataType::UInt64,
        Kind::U128 => DataType::Decimal256(DIGITS, 0),
        Kind::F64 => DataType::Float64,
        Kind::Text => DataType::Utf8,
    }
}

fn write_cell(cell: &Cell<'_>, out: &mut String) {
    use std::fmt::Write;
    let written = match cell {
        Cell::Null => Ok(()),
        Cell::Bool(value) => write!(out, "{value}"),
        Cell::Whole(value) => write!(out, "{value}"),
        Cell::Wide(value) => write!(out, "{value}"),
        Cell::Float(value) => write!(out, "{value}"),
        Cell::Text(text) => {
            write_text(text, out);
            Ok(())
        }
    };
    // Writing to a text in memory does not fail.
    debug_assert!(written.is_ok());
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        out.push('\'');
    }
    for char in text.chars() {
        if char == '"' {
            out.push('"');
        }
        out.push(char);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> String {
        let mut out = String::new();
        write_text(text, &mut out);
        out
    }

    #[test]
    fn text_is_quoted_and_never_a_formula() {
        assert_eq!(written(""), "\"\"");
        assert_eq!(written("a\"b,c\r\nd"), "\"a\"\"b,c\r\nd\"");
        for first in ["=", "+", "-", "@", "\t", "\r", "\n", "＝"] {
            let text = format!("{first}1+cmd|' /C calc'!A0");
            assert_eq!(written(&text), format!("\"'{text}\""));
        }
    }

    #[test]
    fn null_and_empty_text_differ() {
        let table = Table {
            columns: vec![
                Column {
                    name: "a".into(),
                    kind: Kind::Text,
                },
                Column {
                    name: "b".into(),
                    kind: Kind::U64,
                },
            ],
            rows: vec![
                vec![Cell::Text("".into()), Cell::Whole(u64::MAX)],
                vec![Cell::Null, Cell::Null],
            ],
        };
        let csv = String::from_utf8(table.csv()).unwrap();
        assert_eq!(csv, "a,b\r\n\"\",18446744073709551615\r\n,\r\n");
    }
}
