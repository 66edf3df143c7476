//! Values that the model writes otherwise than it was asked to: numbers as text, truth values as numbers.
//!
//! Source: judge, section 4.3 (lax validation), weakness W18 (penalties are clamped).

use std::fmt;

use serde::{
    Deserializer,
    de::{Error, Unexpected, Visitor},
};

use super::WORST_PENALTY;

/// Reads a penalty from an integer, an integral float, a text of either or a truth value, and clamps it.
pub(super) fn penalty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    struct Penalty;

    impl Visitor<'_> for Penalty {
        type Value = u8;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an integer from 0 to 10")
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<u8, E> {
            Ok(number.clamp(0, i64::from(WORST_PENALTY)) as u8)
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<u8, E> {
            Ok(number.min(u64::from(WORST_PENALTY)) as u8)
        }

        fn visit_f64<E: Error>(self, number: f64) -> Result<u8, E> {
            if number.is_finite() && number.fract() == 0.0 {
                return Ok(number.clamp(0.0, f64::from(WORST_PENALTY)) as u8);
            }
            Err(E::invalid_value(Unexpected::Float(number), &self))
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<u8, E> {
            match text.trim().parse::<f64>() {
                Ok(number) => self.visit_f64(number),
                Err(_) => Err(E::invalid_value(Unexpected::Str(text), &self)),
            }
        }

        fn visit_bool<E: Error>(self, truth: bool) -> Result<u8, E> {
            Ok(u8::from(truth))
        }
    }

    deserializer.deserialize_any(Penalty)
}

/// Reads a truth value, also from 0, 1 and the usual words.
pub(super) fn boolean<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    struct Truth;

    impl Visitor<'_> for Truth {
        type Value = bool;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("true or false")
        }

        fn visit_bool<E: Error>(self, truth: bool) -> Result<bool, E> {
            Ok(truth)
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<bool, E> {
            self.visit_f64(number as f64)
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<bool, E> {
            self.visit_f64(number as f64)
        }

        fn visit_f64<E: Error>(self, number: f64) -> Result<bool, E> {
            match number {
                0.0 => Ok(false),
                1.0 => Ok(true),
                _ => Err(E::invalid_value(Unexpected::Float(number), &self)),
            }
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<bool, E> {
            match text.trim().to_lowercase().as_str() {
                "true" | "t" | "yes" | "y" | "on" | "1" => Ok(true),
                "false" | "f" | "no" | "n" | "off" | "0" => Ok(false),
                _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
            }
        }
    }

    deserializer.deserialize_any(Truth)
}
