//! Rows that were read, and what is known of a statement before it runs.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use rusqlite::types::{FromSql, ValueRef};

use super::Error;

/// What statements are like, each looked up once a connection.
#[derive(Debug, Default)]
pub struct Shapes(RefCell<Known>);

#[derive(Debug, Default)]
struct Known {
    /// A text that lives for ever is known by where it stands.
    placed: HashMap<(usize, usize), Arc<Shape>>,
    /// Any other by its letters.
    spelled: HashMap<String, Arc<Shape>>,
}

/// Texts that are known by their letters: whoever makes more of them makes a new one each time.
const SPELLED: usize = 256;

#[derive(Debug)]
pub(super) struct Shape {
    pub(super) columns: Arc<[String]>,
    /// The number of each parameter: SQLite numbers `$2` by where it first stands in the text, not by its name. None
    /// that binds has the number 0.
    pub(super) numbers: Vec<usize>,
}

impl Shapes {
    #[allow(clippy::ptr_arg)] // whether it is borrowed matters
    pub(super) fn of(
        &self,
        sql: &Cow<'static, str>,
        statement: &rusqlite::Statement<'_>,
    ) -> rusqlite::Result<Arc<Shape>> {
        let Known { placed, spelled } = &mut *self.0.borrow_mut();
        let known = match sql {
            Cow::Borrowed(text) => placed.get(&place(text)),
            Cow::Owned(text) => spelled.get(text),
        };
        // A table may have got columns since.
        if let Some(shape) = known.filter(|shape| shape.columns.len() == statement.column_count()) {
            return Ok(Arc::clone(shape));
        }
        let shape = Arc::new(Shape::of(statement)?);
        match sql {
            Cow::Borrowed(text) => drop(placed.insert(place(text), Arc::clone(&shape))),
            Cow::Owned(text) => {
                if spelled.len() == SPELLED {
                    spelled.clear();
                }
                spelled.insert(text.clone(), Arc::clone(&shape));
            }
        }
        Ok(shape)
    }
}

fn place(text: &'static str) -> (usize, usize) {
    (text.as_ptr().addr(), text.len())
}

impl Shape {
    fn of(statement: &rusqlite::Statement<'_>) -> rusqlite::Result<Self> {
        let number = |at| {
            let name = statement.parameter_name(at).and_then(|name| name.strip_prefix('$'));
            name.and_then(|number| number.parse().ok()).unwrap_or_default()
        };
        let columns = statement.column_names().into_iter().map(str::to_owned).collect();
        Ok(Self { columns, numbers: (1..=statement.parameter_count()).map(number).collect() })
    }
}

/// A row that was read.
#[derive(Debug)]
pub struct Row {
    columns: Arc<[String]>,
    cells: Vec<Cell>,
    /// The texts and blobs of all cells, one behind the other.
    bytes: Vec<u8>,
}

#[derive(Debug)]
enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(Range<usize>),
    Blob(Range<usize>),
}

impl Row {
    pub(super) fn read(columns: &Arc<[String]>, row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let (mut cells, mut bytes) = (Vec::with_capacity(columns.len()), Vec::new());
        let mut keep = |value: &[u8]| {
            let begin = bytes.len();
            bytes.extend_from_slice(value);
            begin..bytes.len()
        };
        for at in 0..columns.len() {
            cells.push(match row.get_ref(at)? {
                ValueRef::Null => Cell::Null,
                ValueRef::Integer(value) => Cell::Integer(value),
                ValueRef::Real(value) => Cell::Real(value),
                ValueRef::Text(value) => Cell::Text(keep(value)),
                ValueRef::Blob(value) => Cell::Blob(keep(value)),
            });
        }
        Ok(Self { columns: Arc::clone(columns), cells, bytes })
    }

    /// The value of the column of this name.
    ///
    /// # Errors
    /// There is no such column, or its value is no `T`.
    pub fn try_get<T: FromSql>(&self, column: &str) -> Result<T, Error> {
        let at = self.columns.iter().position(|name| name == column);
        self.column(at.ok_or_else(|| rusqlite::Error::InvalidColumnName(column.to_owned()))?)
    }

    pub(super) fn column<T: FromSql>(&self, at: usize) -> Result<T, Error> {
        let value = match self.cells.get(at).ok_or(rusqlite::Error::InvalidColumnIndex(at))? {
            Cell::Null => ValueRef::Null,
            Cell::Integer(value) => ValueRef::Integer(*value),
            Cell::Real(value) => ValueRef::Real(*value),
            Cell::Text(at) => ValueRef::Text(&self.bytes[at.clone()]),
            Cell::Blob(at) => ValueRef::Blob(&self.bytes[at.clone()]),
        };
        T::column_result(value).map_err(|error| {
            let column = self.columns.get(at).map(String::as_str).unwrap_or_default();
            Error::decode(format!("the column {column}: {error}"))
        })
    }
}
