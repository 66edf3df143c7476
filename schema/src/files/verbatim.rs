//! Rows of forms of which no sample is published: read for what they say, written back exactly as found.

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// A row of an older revision. `facts` is what the specification knows of it; the row itself is kept, because its key
/// order and further keys are not published and must survive being written back.
#[derive(Debug, Clone, PartialEq)]
pub struct Verbatim<T> {
    /// What is known of the row.
    pub facts: T,
    row: Map<String, Value>,
}

impl<T> Verbatim<T> {
    /// The row as found.
    pub fn row(&self) -> &Map<String, Value> {
        &self.row
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Verbatim<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let row = Map::deserialize(deserializer)?;
        let facts = T::deserialize(Value::Object(row.clone())).map_err(D::Error::custom)?;
        Ok(Self { facts, row })
    }
}

impl<T> Serialize for Verbatim<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.row.serialize(serializer)
    }
}
