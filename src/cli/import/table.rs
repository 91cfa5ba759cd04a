//! Rows of a CSV file as rows of an import.
//!
//! Invariant: which attribute a column is, is settled before the first row is read; an empty cell is no value. What the
//! values must be is for admission to say, as for any other row.

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::sync::Arc;

use serde_json::{Map, Number, Value, json};

use crate::cli::Refused;
use crate::cli::import::{Admission, Row};
use crate::scim::path::{Target, described_value};
use crate::scim::registry::{AttributeName, ResourceType};
use crate::scim::schema::{Attribute, Mutability, Type};

/// What may stand between cells.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// A byte-order mark in UTF-8, which spreadsheets put in front.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// The rows of an input.
pub(super) struct Table {
    reader: csv::Reader<Box<dyn BufRead + Send>>,
    record: csv::ByteRecord,
    kind: Arc<ResourceType>,
    columns: Vec<Column>,
    width: usize,
    /// 1 where lines end in CR LF: a row is said to begin in front of the LF that ends the line before.
    late: u64,
    /// The line on which the last row begins.
    pub(super) line: u64,
}

/// A column that is imported.
struct Column {
    index: usize,
    heading: String,
    place: Place,
    /// The first column of the value that it is a part of.
    group: usize,
}

/// The attribute that a column is.
#[derive(Clone)]
struct Place {
    attribute: Arc<Attribute>,
    sub: Option<Arc<Attribute>>,
    /// The `type` of the value that it is a part of, where the mapping says one.
    label: Option<Value>,
}

impl Place {
    /// Reads `userName`, `name.givenName`, `emails.work`, `addresses.work.locality`, `emails[type eq "work"].value`, with
    /// the URN of an extension in front where that is needed.
    fn parse(text: &str, kind: &ResourceType) -> Option<Self> {
        if text.contains('[') {
            return Self::parse_path(text, kind);
        }
        let name = AttributeName::split(text);
        let whole = kind.resolve(&AttributeName { sub: None, ..name })?.attribute;
        let place = |sub: Option<&Arc<Attribute>>, label: Option<&str>| {
            let sub = sub.cloned();
            (whole.kind != Type::Complex || sub.is_some()).then(|| Self {
                attribute: Arc::clone(&whole),
                sub,
                label: label.map(|label| json!(label)),
            })
        };
        match name.sub {
            None => place(whole.value_sub(), None),
            Some(sub) if whole.sub(sub).is_some() => place(whole.sub(sub), None),
            Some(sub) if whole.multi_valued && whole.sub("type").is_some() => match sub.split_once('.') {
                None => place(whole.value_sub(), Some(sub)),
                Some((label, part)) => whole.sub(part).and_then(|part| place(Some(part), Some(label))),
            },
            Some(_) => None,
        }
    }

    fn parse_path(text: &str, kind: &ResourceType) -> Option<Self> {
        let target = Target::parse(text, kind).ok()?;
        let mut described = described_value(text, &target)?;
        let label = described.remove("type").filter(|_| described.is_empty())?;
        let path = target.path()?.to_value();
        Some(Self { attribute: Arc::clone(&path.attribute), sub: path.sub.clone(), label: Some(label) })
    }

    fn leaf(&self) -> &Attribute {
        self.sub.as_ref().unwrap_or(&self.attribute)
    }

    /// What tells it from other places, but for the label.
    fn path(&self) -> &str {
        &self.leaf().path
    }
}

/// How columns become attributes.
pub(super) struct Mapping<'a> {
    /// `ATTRIBUTE=COLUMN`.
    pub(super) given: &'a [String],
    pub(super) kind: &'a Arc<ResourceType>,
}

impl Mapping<'_> {
    /// The columns of a header; those that are no attributes are named in the second part.
    fn bind(&self, header: &[String]) -> Result<(Vec<Column>, Vec<String>), Refused> {
        let mut places: BTreeMap<usize, Place> = BTreeMap::new();
        for pair in self.given {
            let (attribute, column) = pair.split_once('=').ok_or_else(|| {
                Refused(format!("--map takes ATTRIBUTE=COLUMN, as in userName=login, and {pair:?} is none"))
            })?;
            let place = Place::parse(attribute.trim(), self.kind).ok_or_else(|| {
                Refused(format!(
                    "--map {pair}: {} has no attribute {attribute}; write userName, name.givenName or emails.work",
                    self.kind.name
                ))
            })?;
            let index = header.iter().position(|heading| heading == column.trim()).ok_or_else(|| {
                Refused(format!(
                    "--map {pair}: there is no such column; the columns are {}",
                    header.join(", ")
                ))
            })?;
            places.insert(index, place);
        }
        let mut ignored = Vec::new();
        for (index, heading) in header.iter().enumerate().filter(|(_, heading)| !heading.is_empty()) {
            if places.contains_key(&index) {
                continue;
            }
            match Place::parse(heading, self.kind) {
                Some(place) => {
                    places.insert(index, place);
                }
                None => ignored.push(heading.clone()),
            }
        }
        let columns = grouped(header, places)?;
        self.check_required(&columns)?;
        Ok((columns, ignored))
    }

    /// Without these, every row would be refused.
    fn check_required(&self, columns: &[Column]) -> Result<(), Refused> {
        let is_missing = |attribute: &&Arc<Attribute>| {
            attribute.required
                && attribute.mutability != Mutability::ReadOnly
                && !columns.iter().any(|column| column.place.attribute.path == attribute.path)
        };
        match self.kind.schema.attributes.iter().find(is_missing) {
            None => Ok(()),
            Some(attribute) => Err(Refused(format!(
                "no column is {}, which a {} must have; say which one is, with --map {}=COLUMN",
                attribute.path, self.kind.name, attribute.path
            ))),
        }
    }
}

/// Puts the columns that are parts of one value beside each other; a part that the value has already begins another one.
fn grouped(header: &[String], places: BTreeMap<usize, Place>) -> Result<Vec<Column>, Refused> {
    let mut columns: Vec<Column> = Vec::new();
    for (index, place) in places {
        let heading = header.get(index).cloned().unwrap_or_default();
        let twins = columns.iter().filter(|column| column.place.path() == place.path());
        if let Some(twin) = twins.clone().next().filter(|_| !place.attribute.multi_valued) {
            let (path, other) = (place.path(), &twin.heading);
            return Err(Refused(format!("the columns {other} and {heading} cannot both be {path}")));
        }
        let siblings = columns.iter().filter(|column| {
            column.place.attribute.path == place.attribute.path && column.place.label == place.label
        });
        let latest = siblings.map(|column| column.group).max();
        let is_taken = |group: &usize| twins.clone().any(|twin| twin.group == *group);
        let group = latest.filter(|group| !is_taken(group)).unwrap_or(index);
        columns.push(Column { index, heading, place, group });
    }
    columns.sort_by_key(|column| (column.group, column.index));
    Ok(columns)
}

impl Table {
    /// Reads the header and settles the columns; answers the headings of those that are not imported, too.
    pub(super) fn open(
        mut input: Box<dyn BufRead + Send>,
        mapping: &Mapping<'_>,
    ) -> Result<(Self, Vec<String>), Refused> {
        if input.fill_buf()?.starts_with(MARK) {
            input.consume(MARK.len());
        }
        let head = first_line(input.fill_buf()?);
        let (delimiter, late) = (delimiter(head), u64::from(head.ends_with(b"\r")));
        let mut builder = csv::ReaderBuilder::new();
        let mut reader = builder.delimiter(delimiter).has_headers(false).flexible(true).from_reader(input);
        let mut record = csv::ByteRecord::new();
        if !reader.read_byte_record(&mut record).map_err(io::Error::from)? {
            return Err(Refused("the file is empty; its first line must name the columns".to_owned()));
        }
        let header: Option<Vec<String>> =
            record.iter().map(|cell| Some(str::from_utf8(cell).ok()?.trim().to_owned())).collect();
        let header = header.ok_or_else(|| Refused("the first line is not UTF-8".to_owned()))?;
        let (columns, ignored) = mapping.bind(&header)?;
        let kind = Arc::clone(mapping.kind);
        Ok((Self { reader, record, kind, columns, width: header.len(), late, line: 1 }, ignored))
    }

    /// Reads the next row; answers whether there is one.
    pub(super) fn advance(&mut self) -> io::Result<bool> {
        let is_there = self.reader.read_byte_record(&mut self.record).map_err(io::Error::from)?;
        if let Some(position) = self.record.position() {
            self.line = position.line() + self.late;
        }
        Ok(is_there)
    }

    /// How many bytes were read.
    pub(super) fn bytes(&self) -> u64 {
        self.reader.position().byte()
    }

    /// The row that was read.
    pub(super) fn row(&self, admission: &Admission) -> Result<Row, String> {
        if self.record.len() != self.width {
            return Err(format!("the row has {} cells, and the header {}", self.record.len(), self.width));
        }
        admission.resource(&self.kind.name, self.resource()?, None, Map::new())
    }

    fn resource(&self) -> Result<Map<String, Value>, String> {
        let mut core = Map::new();
        let mut extensions: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
        let mut last = None;
        for column in &self.columns {
            let Column { index, heading, place: Place { attribute, sub, label }, group } = column;
            let cell = self.record.get(*index).unwrap_or_default();
            let cell = str::from_utf8(cell).map_err(|_| format!("the column {heading} is not UTF-8"))?.trim();
            if cell.is_empty() {
                continue;
            }
            let value = typed(column.place.leaf(), cell)
                .ok_or_else(|| format!("the column {heading} must be {}", wanted(column.place.leaf())))?;
            let holder = match &attribute.extension {
                Some(id) => extensions.entry(id).or_default(),
                None => &mut core,
            };
            let is_new = last.replace(group) != Some(group);
            match (sub, attribute.multi_valued) {
                (None, false) => {
                    holder.insert(attribute.name.clone(), value);
                }
                (Some(sub), false) => {
                    let whole = holder.entry(attribute.name.clone()).or_insert_with(|| json!({}));
                    if let Value::Object(parts) = whole {
                        parts.insert(sub.name.clone(), value);
                    }
                }
                (sub, true) => {
                    let values = holder.entry(attribute.name.clone()).or_insert_with(|| json!([]));
                    if let Value::Array(values) = values {
                        add(values, sub.as_deref(), label.as_ref(), value, is_new);
                    }
                }
            }
        }
        let ids = std::iter::once(&*self.kind.schema.id).chain(extensions.keys().copied());
        let mut body = Map::from_iter([("schemas".to_owned(), ids.collect())]);
        body.extend(core);
        body.extend(extensions.into_iter().map(|(id, parts)| (id.to_owned(), Value::Object(parts))));
        Ok(body)
    }
}

/// Adds to a multi-valued attribute: a part to its last value, or another value.
fn add(values: &mut Vec<Value>, sub: Option<&Attribute>, label: Option<&Value>, value: Value, is_new: bool) {
    let Some(sub) = sub else { return values.push(value) };
    if is_new {
        values.push(label.map_or_else(|| json!({}), |label| json!({"type": label})));
    }
    if let Some(Value::Object(parts)) = values.last_mut() {
        parts.insert(sub.name.clone(), value);
    }
}

/// The cell as a value of the attribute.
fn typed(attribute: &Attribute, cell: &str) -> Option<Value> {
    Some(match attribute.kind {
        Type::Boolean => match cell.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => json!(true),
            "false" | "no" | "0" => json!(false),
            _ => return None,
        },
        Type::Integer => json!(cell.parse::<i64>().ok()?),
        Type::Decimal => Value::Number(cell.parse::<Number>().ok()?),
        _ => json!(cell),
    })
}

fn wanted(attribute: &Attribute) -> &'static str {
    match attribute.kind {
        Type::Boolean => "true or false, yes or no, 1 or 0, or empty",
        _ => "a number, or empty",
    }
}

fn first_line(text: &[u8]) -> &[u8] {
    text.split(|&octet| octet == b'\n').next().unwrap_or_default()
}

/// What stands most often between the cells of a line.
fn delimiter(line: &[u8]) -> u8 {
    let count = |delimiter: &u8| line.iter().filter(|octet| *octet == delimiter).count();
    // Of several that are as frequent, the first counts.
    DELIMITERS.into_iter().rev().max_by_key(count).unwrap_or(b',')
}
