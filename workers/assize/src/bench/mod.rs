//! Measurements of whole parts, on a database of their own: `assize bench …`.

pub mod duels;
mod fixed_vlm;
