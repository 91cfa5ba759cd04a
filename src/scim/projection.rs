//! Which attributes a response shows (RFC 7643 §7 "returned", RFC 7644 §3.9).
//!
//! Invariant: `returned: always` is in every response and `returned: never` in none, whatever was asked for.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::scim::error::ScimError;
use crate::scim::registry::{AttributeName, ResourceType};
use crate::scim::schema::{Attribute, Returned};

/// What a client asked to see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Projection {
    /// What resources show by default.
    #[default]
    Default,
    /// The `attributes` parameter: these, and what is always returned.
    Only(Vec<String>),
    /// The `excludedAttributes` parameter: the default without these.
    Except(Vec<String>),
}

impl Projection {
    /// Reads the two parameters, lists separated by commas. Empty is the same as not given; names that no schema knows
    /// are ignored later (reading A8), and a value filter behind a name counts for nothing (D29).
    ///
    /// # Errors
    /// `invalidValue` if both are given (reading A26).
    pub fn parse(attributes: Option<&str>, excluded: Option<&str>) -> Result<Self, ScimError> {
        match (names(attributes), names(excluded)) {
            (only, except) if !only.is_empty() && !except.is_empty() => Err(ScimError::value(
                "attributes and excludedAttributes exclude each other; send one of them",
            )),
            (only, _) if !only.is_empty() => Ok(Self::Only(only)),
            (_, except) if !except.is_empty() => Ok(Self::Except(except)),
            _ => Ok(Self::Default),
        }
    }

    /// Whether the response shows any of this top-level attribute.
    pub fn shows(&self, kind: &ResourceType, attribute: &Arc<Attribute>) -> bool {
        Choice::bind(self, kind, &[]).shows(attribute)
    }

    /// The part of a full representation that the response shows. `touched` are the paths of the attributes that the
    /// request wrote, which `returned: request` shows (reading A52).
    pub fn project(
        &self,
        kind: &ResourceType,
        body: Map<String, Value>,
        touched: &[String],
    ) -> Map<String, Value> {
        let choice = Choice::bind(self, kind, touched);
        let mut body = body;
        let mut out = Map::with_capacity(body.len());
        for attribute in &kind.attributes {
            if let Some(value) = body.shift_remove(&attribute.name) {
                choice.take(attribute, value, &mut out);
            }
        }
        for extension in &kind.extensions {
            let id = &*extension.schema.id;
            let Some(Value::Object(mut container)) = body.shift_remove(id) else { continue };
            let mut shown = Map::new();
            for attribute in &extension.schema.attributes {
                if let Some(value) = container.shift_remove(&attribute.name) {
                    choice.take(attribute, value, &mut shown);
                }
            }
            if !shown.is_empty() {
                out.insert(id.to_owned(), Value::Object(shown));
            }
        }
        out
    }
}

fn names(parameter: Option<&str>) -> Vec<String> {
    let bare = |name: &str| name.split('[').next().unwrap_or(name).trim().to_owned();
    parameter.unwrap_or_default().split(',').map(bare).filter(|name| !name.is_empty()).collect()
}

/// A projection bound to a type: the attributes that were named, by their canonical paths.
struct Choice<'a> {
    mode: Mode,
    named: HashSet<String>,
    touched: &'a [String],
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Default,
    Only,
    Except,
}

impl<'a> Choice<'a> {
    fn bind(projection: &Projection, kind: &ResourceType, touched: &'a [String]) -> Self {
        let (mode, names) = match projection {
            Projection::Default => (Mode::Default, &[][..]),
            Projection::Only(names) => (Mode::Only, names.as_slice()),
            Projection::Except(names) => (Mode::Except, names.as_slice()),
        };
        let mut named = HashSet::new();
        for name in names {
            if let Some(extension) = kind.extension(name) {
                named.extend(extension.schema.attributes.iter().map(|attribute| attribute.path.clone()));
            } else if let Some(path) = kind.resolve(&AttributeName::split(name)) {
                named.insert(path.leaf().path.clone());
            }
        }
        Self { mode, named, touched }
    }

    fn shows(&self, attribute: &Attribute) -> bool {
        match attribute.returned {
            Returned::Always => true,
            Returned::Never => false,
            Returned::Default if self.mode == Mode::Default => true,
            Returned::Request if self.mode == Mode::Default => self.is_touched(attribute),
            returned => match self.mode {
                Mode::Only => self.is_named(attribute) || self.names_part_of(attribute),
                _ => {
                    (returned == Returned::Default || self.is_touched(attribute)) && !self.is_named(attribute)
                }
            },
        }
    }

    fn take(&self, attribute: &Attribute, value: Value, out: &mut Map<String, Value>) {
        if !self.shows(attribute) {
            return;
        }
        let value = match value {
            Value::Array(elements) => {
                let shown = elements.into_iter().filter_map(|element| self.element(attribute, element));
                let shown: Vec<Value> = shown.collect();
                (!shown.is_empty()).then_some(Value::Array(shown))
            }
            single => self.element(attribute, single),
        };
        if let Some(value) = value {
            out.insert(attribute.name.clone(), value);
        }
    }

    /// One value; none if nothing of it is shown.
    fn element(&self, attribute: &Attribute, value: Value) -> Option<Value> {
        match value {
            Value::Object(parts) => {
                let parts = self.parts(attribute, parts);
                (!parts.is_empty()).then_some(Value::Object(parts))
            }
            simple => Some(simple),
        }
    }

    fn parts(&self, attribute: &Attribute, mut parts: Map<String, Value>) -> Map<String, Value> {
        let selects = self.mode == Mode::Only && !self.is_named(attribute) && self.names_part_of(attribute);
        parts.retain(|name, _| {
            attribute.sub(name).is_some_and(|sub| match sub.returned {
                Returned::Always => true,
                Returned::Never => false,
                _ if selects => self.is_named(sub),
                Returned::Request if self.mode == Mode::Only => self.is_named(sub),
                Returned::Request => self.is_touched(attribute) && !self.is_named(sub),
                Returned::Default => self.mode != Mode::Except || !self.is_named(sub),
            })
        });
        parts
    }

    fn is_named(&self, attribute: &Attribute) -> bool {
        self.named.contains(&attribute.path)
    }

    fn names_part_of(&self, attribute: &Attribute) -> bool {
        attribute.sub_attributes.iter().any(|sub| self.is_named(sub))
    }

    fn is_touched(&self, attribute: &Attribute) -> bool {
        let of_extension = attribute.extension.as_deref();
        self.touched.iter().any(|path| *path == attribute.path || Some(path.as_str()) == of_extension)
    }
}
