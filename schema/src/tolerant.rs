//! Readers of single values that accept what the programs in the field accept ("Parse tolerance" in the specification).

use std::fmt;
use std::marker::PhantomData;

use serde::Deserializer;
use serde::de::{Error, Unexpected, Visitor};

/// Reads an integer: `3`, `3.0` or `"3"`; refuses `1.5`.
pub(crate) fn integer<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i128>,
{
    deserializer.deserialize_any(IntegerVisitor(PhantomData))
}

struct IntegerVisitor<T>(PhantomData<T>);

impl<T: TryFrom<i128>> Visitor<'_> for IntegerVisitor<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "an integer that fits {}",
            std::any::type_name::<T>()
        )
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        T::try_from(i128::from(number))
            .map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        T::try_from(i128::from(number))
            .map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        // Beyond 2^53 a float no longer says which integer was meant.
        let whole = number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0;
        let refused = || E::invalid_value(Unexpected::Float(number), &self);
        if !whole {
            return Err(refused());
        }
        T::try_from(number as i128).map_err(|_| refused())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        let refused = || E::invalid_value(Unexpected::Str(text), &self);
        let number: i128 = text.trim().parse().map_err(|_| refused())?;
        T::try_from(number).map_err(|_| refused())
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    struct Numbers {
        #[serde(default, deserialize_with = "super::integer")]
        whole: u32,
        #[serde(default)]
        real: f64,
    }

    fn read(text: &str) -> Result<Numbers, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn integers_accept_whole_floats_and_digits_in_quotes() {
        for text in [
            r#"{"whole":3}"#,
            r#"{"whole":3.0}"#,
            r#"{"whole":"3"}"#,
            r#"{"whole":3e0}"#,
        ] {
            assert_eq!(read(text).unwrap().whole, 3, "{text}");
        }
        for text in [
            r#"{"whole":1.5}"#,
            r#"{"whole":"1.5"}"#,
            r#"{"whole":""}"#,
            r#"{"whole":null}"#,
            r#"{"whole":-1}"#,
            r#"{"whole":4294967296}"#,
            r#"{"whole":1e300}"#,
            r#"{"whole":true}"#,
        ] {
            assert!(read(text).is_err(), "{text} was accepted");
        }
    }

    #[test]
    fn floats_accept_integers() {
        assert_eq!(read(r#"{"real":1}"#).unwrap().real, 1.0);
        assert!(read(r#"{"real":null}"#).is_err());
    }
}
