//! Rows as the server writes them: those of people, of a person with another name, of a group with another member.
//!
//! Invariant: the statements are the same for SQLite and PostgreSQL.

use std::rc::Rc;

use uuid::Uuid;

use crate::Failure;
use crate::raw::{Raw, Statement, Value};
use crate::request::LABEL;

/// The rows of one person, with gaps for what is its own.
pub(crate) struct Rows {
    rows: Vec<Row>,
}

struct Row {
    insert: Rc<str>,
    columns: Vec<Column>,
}

enum Column {
    Same(Value),
    /// The row key.
    Pk,
    /// The resource's id.
    Id,
    /// An id that nothing refers to.
    Fresh,
    /// A text with gaps for the label.
    Labelled(String),
    /// A text with gaps for the label, and for the id.
    Document {
        text: String,
        id: String,
    },
}

impl Rows {
    /// Reads the rows of the person with that id and label.
    pub(crate) fn of(raw: &Raw, id: &str, label: &str) -> Result<Self, Failure> {
        let pk = "SELECT pk FROM resource WHERE id = $1";
        let places = [("resource", "pk"), ("fact", "resource"), ("contact", "resource")];
        let mut rows = Vec::new();
        for (table, key) in places {
            let select = format!("SELECT * FROM {table} WHERE {key} = ({pk})");
            rows.extend(Self::read(raw, table, &select, id, label, key)?);
        }
        let change = "SELECT tenant, kind, resource, version, what, at, who FROM change WHERE resource = $1";
        rows.extend(Self::read(raw, "change", change, id, label, "")?);
        Ok(Self { rows })
    }

    fn read(
        raw: &Raw,
        table: &str,
        select: &str,
        id: &str,
        label: &str,
        key: &str,
    ) -> Result<Vec<Row>, Failure> {
        let column = |(name, value): (String, Value)| match value {
            Value::Integer(_) if name == key => Column::Pk,
            Value::Text(text) if text == id => Column::Id,
            Value::Text(_) if name == "id" => Column::Fresh,
            Value::Text(text) if text.contains(id) => {
                Column::Document { text: text.replace(label, LABEL), id: id.replace(label, LABEL) }
            }
            Value::Text(text) if text.contains(label) => Column::Labelled(text.replace(label, LABEL)),
            value => Column::Same(value),
        };
        let rows = raw.select(select, &[id.to_owned().into()])?.into_iter().map(|row| {
            let names: Vec<&str> = row.iter().map(|(name, _)| name.as_str()).collect();
            let places: Vec<String> = (1..=names.len()).map(|n| format!("${n}")).collect();
            let insert = format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), places.join(", "));
            Row { insert: insert.into(), columns: row.into_iter().map(column).collect() }
        });
        Ok(rows.collect())
    }

    /// The statements that store another such person.
    pub(crate) fn insert(&self, raw: &mut Raw, label: &str) -> Vec<Statement> {
        let pk = raw.next_pk();
        let id = Uuid::now_v7().hyphenated().to_string();
        let value = |column: &Column| match column {
            Column::Same(value) => value.clone(),
            Column::Pk => pk.into(),
            Column::Id => id.clone().into(),
            Column::Fresh => Uuid::now_v7().hyphenated().to_string().into(),
            Column::Labelled(text) => text.replace(LABEL, label).into(),
            Column::Document { text, id: old } => {
                text.replace(old.as_str(), &id).replace(LABEL, label).into()
            }
        };
        let insert = |row: &Row| (Rc::clone(&row.insert), row.columns.iter().map(value).collect());
        let mut statements: Vec<Statement> = self.rows.iter().map(insert).collect();
        let count = "UPDATE counter SET n = n + 1 WHERE tenant = 1 AND slot = $1 \
                     AND kind = (SELECT id FROM dictionary WHERE name = 'User')";
        statements.push((count.into(), vec![(pk % 8).into()]));
        statements
    }
}

/// A person whose `displayName` is changed again and again.
pub(crate) struct Renamed {
    pk: i64,
    id: String,
    version: i64,
    name: String,
    document: String,
    /// The number of `displayName` among the paths.
    path: i64,
}

impl Renamed {
    pub(crate) fn read(raw: &Raw, id: &str) -> Result<Self, Failure> {
        let sql = "SELECT r.pk, r.version, d.id AS path, r.label, r.document FROM resource r, dictionary d \
                   WHERE r.tenant = 1 AND r.id = $1 AND d.name = 'User/displayName'";
        let row = raw.select(sql, &[id.to_owned().into()])?.pop().ok_or("there is no such person")?;
        let values: Vec<Value> = row.into_iter().map(|(_, value)| value).collect();
        let [
            Value::Integer(pk),
            Value::Integer(version),
            Value::Integer(path),
            Value::Text(name),
            Value::Text(document),
        ] = &values[..]
        else {
            return Err("the person's row is not as expected".into());
        };
        let (name, document) = (name.clone(), document.clone());
        Ok(Self { pk: *pk, id: id.to_owned(), version: *version, name, document, path: *path })
    }

    /// The statements that give the person that name.
    pub(crate) fn rename(&mut self, name: String) -> Vec<Statement> {
        let member = |name: &str| format!("\"displayName\":\"{name}\"");
        self.document = self.document.replace(&member(&self.name), &member(&name));
        self.version += 1;
        let update = "UPDATE resource SET version = $1, modified = $2, label = $3, label_key = $4, document = $5, \
                      secret = NULL WHERE tenant = 1 AND pk = $6 AND version = $7";
        let delete =
            "DELETE FROM fact WHERE tenant = 1 AND path = $1 AND key = $2 AND resource = $3 AND element = 0";
        let insert = "INSERT INTO fact (tenant, path, key, resource, element, leads, uniq) \
                      VALUES (1, $1, $2, $3, 0, 1, 0)";
        let key = name.to_lowercase();
        let earlier = std::mem::replace(&mut self.name, name);
        vec![
            (
                update.into(),
                vec![
                    self.version.into(),
                    NOW.to_owned().into(),
                    self.name.clone().into(),
                    key.clone().into(),
                    self.document.clone().into(),
                    self.pk.into(),
                    (self.version - 1).into(),
                ],
            ),
            (delete.into(), vec![self.path.into(), earlier.to_lowercase().into(), self.pk.into()]),
            (insert.into(), vec![self.path.into(), key.into(), self.pk.into()]),
            change(&self.id, self.version),
        ]
    }
}

const NOW: &str = "2026-01-01T00:00:00.000";

fn change(id: &str, version: i64) -> Statement {
    let sql = "INSERT INTO change (tenant, kind, resource, version, what, at, who) VALUES (1, 1, $1, $2, 'patch', $3, $4)";
    (
        sql.into(),
        vec![id.to_owned().into(), version.into(), NOW.to_owned().into(), "bootstrap".to_owned().into()],
    )
}

/// A group that gains and loses one member again and again.
pub(crate) struct Grouped {
    pk: i64,
    id: String,
    version: i64,
}

impl Grouped {
    /// Stores a group with these members.
    pub(crate) fn store(raw: &mut Raw, members: &[String]) -> Result<Self, Failure> {
        let (group, mut statements) = Self::new(raw);
        statements.extend(members.iter().map(|member| group.add(member)));
        raw.write(&[statements])?;
        Ok(group)
    }

    /// A group, and the statements that store it.
    pub(crate) fn new(raw: &mut Raw) -> (Self, Vec<Statement>) {
        let group = Self { pk: raw.next_pk(), id: Uuid::now_v7().hyphenated().to_string(), version: 1 };
        let insert = "INSERT INTO resource (tenant, kind, id, pk, version, created, modified, document) \
                      SELECT 1, id, $1, CAST($2 AS BIGINT), 1, $3, $3, '{}' FROM dictionary WHERE name = 'Group'";
        let values = vec![group.id.clone().into(), group.pk.into(), NOW.to_owned().into()];
        (group, vec![(insert.into(), values)])
    }

    /// The statements that add members.
    pub(crate) fn join<'a>(&mut self, members: impl Iterator<Item = &'a str>) -> Vec<Statement> {
        let mut statements = vec![self.touch()];
        statements.extend(members.map(|member| self.add(member)));
        statements.push(change(&self.id, self.version));
        statements
    }

    /// The statement that gives the group its next version.
    fn touch(&mut self) -> Statement {
        let update = "UPDATE resource SET version = $1, modified = $2 WHERE tenant = 1 AND pk = $3";
        self.version += 1;
        (update.into(), vec![self.version.into(), NOW.to_owned().into(), self.pk.into()])
    }

    fn add(&self, member: &str) -> Statement {
        let sql = "INSERT INTO membership (tenant, grp, member) VALUES (1, $1, $2)";
        (sql.into(), vec![self.pk.into(), member.to_owned().into()])
    }

    /// The statements that add that member, or remove it.
    pub(crate) fn change(&mut self, member: &str, add: bool) -> Vec<Statement> {
        let touch = self.touch();
        let edit = if add {
            self.add(member)
        } else {
            let sql = "DELETE FROM membership WHERE tenant = 1 AND grp = $1 AND member = $2";
            (sql.into(), vec![self.pk.into(), member.to_owned().into()])
        };
        vec![touch, edit, change(&self.id, self.version)]
    }
}
