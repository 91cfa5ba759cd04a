//! A JSON object kept as an ordered list.
//!
//! Invariant: no name occurs twice. A plain map would keep the last of two equal names and so drop a
//! check without a word.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// The members of a JSON object, in the order of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Entries<T>(Vec<(String, T)>);

impl<T> Entries<T> {
    /// Goes through the members in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Whether there is no member at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members(PhantomData))
    }
}

struct Members<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
    type Value = Entries<T>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object whose names differ")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Vec<(String, T)> = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, T>()? {
            if members.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom(format!("`{name}` is given twice")));
            }
            members.push((name, value));
        }
        Ok(Entries(members))
    }
}

#[cfg(test)]
mod tests {
    use super::Entries;

    #[test]
    fn keeps_the_order_of_the_file() {
        let entries: Entries<u8> = serde_json::from_str(r#"{"b":1,"a":2}"#).unwrap();
        let names: Vec<_> = entries.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["b", "a"]);
    }

    #[test]
    fn refuses_a_name_given_twice() {
        let error = serde_json::from_str::<Entries<u8>>(r#"{"/a":1,"/a":2}"#).unwrap_err();
        assert!(error.to_string().contains("`/a` is given twice"), "{error}");
    }
}
