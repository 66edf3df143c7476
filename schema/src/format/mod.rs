//! How values are written, digit for digit ("Serialisation" in the specification).

pub mod datetime;
pub mod float;
pub mod json;
